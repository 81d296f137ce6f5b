/** A small root filesystem and closures of it, for tests of the store. */
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { storeDirectory } from "../../runtime/reg/layout.ts";
import { parseEnvironmentName } from "../../runtime/reg/name.ts";
import type { Closure, ClosureFile, GeneratedFile, Package } from "../../runtime/reg-env/closure/types.ts";
import { type GenerateOptions, generateEnvironment } from "../../runtime/reg-env/generate.ts";
import type { Installed } from "../../runtime/reg-env/store/environment.ts";
import { createStore, type Store } from "../../runtime/reg-env/store/store.ts";
import { verifyStore } from "../../runtime/reg-env/store/verify.ts";

const LIBC: Package = { name: "libc6", version: "2.36-9" };
const PYTHON: Package = { name: "python3.11", version: "3.11.2-6" };

/** Which package owns which path of the root. */
const OWNERS: Readonly<Record<string, Package>> = {
  "/usr/lib/libc.so.6": LIBC,
  "/usr/lib/ld.so": LIBC,
  "/usr/bin/python3.11": PYTHON,
  "/usr/lib/python3.11/os.py": PYTHON,
  "/usr/lib/python3.11/__pycache__/os.pyc": PYTHON,
};

/** A directory that is gone when the process ends. */
export function temporaryDirectory(): string {
  const directory = fs.mkdtempSync(join(tmpdir(), "reg-store-"));
  process.on("exit", () => fs.rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Fills `root`; `time` is when everything was installed, seconds. */
export function makeRoot(root: string, time = 1_700_000_000): void {
  const write = (path: string, content: string, mode: number) => {
    const absolute = join(root, path);
    fs.mkdirSync(join(absolute, ".."), { recursive: true, mode: 0o755 });
    fs.writeFileSync(absolute, content, { mode });
    fs.chmodSync(absolute, mode);
    fs.utimesSync(absolute, time, time);
  };
  write("usr/lib/libc.so.6", "the C library".repeat(5000), 0o755);
  write("usr/lib/ld.so", "the loader", 0o755);
  write("usr/bin/python3.11", "the interpreter".repeat(3000), 0o755);
  write("usr/bin/nginx", "the server".repeat(2000), 0o755);
  write("usr/bin/ping", "ping", 0o4755);
  write("usr/lib/python3.11/os.py", "import sys", 0o644);
  write("usr/lib/python3.11/__pycache__/os.pyc", "compiled", 0o644);
  write("etc/hosts", "127.0.0.1 localhost", 0o644);
  write("etc/same", "127.0.0.1 localhost", 0o600);
  write("var/log/nginx/access.log", "", 0o640);
  fs.chmodSync(join(root, "var/log/nginx"), 0o2750);
  fs.chownSync(join(root, "var/log/nginx"), 33, 4);
  fs.symlinkSync("usr/lib", join(root, "lib"));
}

/** A closure of the paths, absolute in the root. */
export function closureOf(
  root: string,
  paths: readonly string[],
  generated: Record<string, GeneratedFile> = {},
): Closure {
  const files = new Map<string, ClosureFile>();
  for (const path of [...paths].sort()) {
    const owner = OWNERS[path];
    files.set(path, {
      path,
      reason: { rule: "test", text: "asked for" },
      ...(owner === undefined ? {} : { package: owner }),
    });
  }
  return { root, files, generated: new Map(Object.entries(generated)), warnings: [] };
}

export const PYTHON_PATHS = [
  "/lib",
  "/usr/lib/libc.so.6",
  "/usr/lib/ld.so",
  "/usr/bin/python3.11",
  "/usr/lib/python3.11/os.py",
  "/usr/lib/python3.11/__pycache__/os.pyc",
];
export const NGINX_PATHS = [
  "/lib",
  "/usr/lib/libc.so.6",
  "/usr/lib/ld.so",
  "/usr/bin/nginx",
  "/var/log/nginx/access.log",
];

export function makeStore(directory: string, domain = "default"): Store {
  return createStore(storeDirectory(directory, domain));
}

export function generate(
  store: Store,
  name: string,
  closure: Closure,
  options: Partial<GenerateOptions> = {},
): Promise<Installed> {
  const command = { args: ["/usr/bin/true"], env: [], cwd: "/" };
  return generateEnvironment(store, closure, { name: parseEnvironmentName(name), command, ...options });
}

/** What verify has to say, a line for each fault. */
export async function faultsOf(store: Store): Promise<string[]> {
  const { faults } = await verifyStore(store);
  return faults.map(({ path, fault, environments }) => `${path}: ${fault} (${environments.join(", ")})`);
}

/** A tree as text, one line for each path, files that are one inode numbered alike. */
export function dumpTree(root: string): string[] {
  const inodes = new Map<number, number>();
  return walk(root).map((path) => {
    const status = fs.lstatSync(join(root, path));
    const owner = status.uid === 0 && status.gid === 0 ? "" : ` ${status.uid}:${status.gid}`;
    if (status.isSymbolicLink()) return `${path} -> ${fs.readlinkSync(join(root, path))}`;
    const mode = (status.mode & 0o7777).toString(8);
    if (status.isDirectory()) return `${path}/ ${mode}${owner}`;
    if (!inodes.has(status.ino)) inodes.set(status.ino, inodes.size + 1);
    return `${path} ${mode} #${inodes.get(status.ino)}${owner}`;
  });
}

/** All paths below a directory, sorted; readdirSync's own recursion follows symlinks. */
function walk(root: string, below = ""): string[] {
  return fs
    .readdirSync(join(root, below), { withFileTypes: true })
    .sort((left, right) => (left.name < right.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(below, entry.name);
      return entry.isDirectory() ? [path, ...walk(root, path)] : [path];
    });
}
