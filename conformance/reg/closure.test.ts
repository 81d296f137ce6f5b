/** One environment for every program of a Debian root filesystem: in it, each one's loader finds what it finds in the full root. */
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Closure, computeClosure } from "../../runtime/reg-env/closure/closure.ts";
import { Root } from "../../runtime/reg-env/closure/root.ts";
import { isElf, readHead } from "../../runtime/reg-env/closure/script.ts";
import { BUILD } from "../paths.ts";
import { root as isRoot, need, needs } from "../testing.ts";

const closures = suite("closure of a Debian root");
const DEBIAN = join(BUILD, "debian");
const LOADER = "/lib64/ld-linux-x86-64.so.2";
const test = needs(
  closures,
  isRoot,
  need("make debian", existsSync(join(DEBIAN, ".complete"))),
  need(LOADER, existsSync(join(DEBIAN, "usr", LOADER))),
);

/** Links to the root's own files: nothing here is written to. */
function materialize(closure: Closure, folder: string): void {
  for (const { path } of closure.files.values()) {
    const from = join(closure.root, path);
    const to = join(folder, path);
    const stats = lstatSync(from);
    mkdirSync(stats.isDirectory() ? to : dirname(to), { recursive: true });
    if (stats.isSymbolicLink()) symlinkSync(readlinkSync(from), to);
    else if (stats.isFile()) linkOrCopy(from, to);
  }
  for (const [path, { content }] of closure.generated) {
    mkdirSync(join(folder, dirname(path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
}

function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
  }
}

function listInside(root: string, shell: string, programs: readonly string[]): string {
  const script = `while read -r program; do echo "= $program"; ${LOADER} --list "$program" 2>&1; done; true`;
  const { stdout } = spawnSync("chroot", [root, shell, "-c", script], {
    input: programs.map((each) => `${each}\n`).join(""),
    encoding: "utf8",
    maxBuffer: 64 << 20,
  });
  return stdout.replaceAll(/ \(0x[0-9a-f]+\)/g, "");
}

test("its loader finds the same libraries for every program", () => {
  const root = new Root(DEBIAN);
  const programs = new Set<string>();
  for (const folder of ["/usr/bin", "/usr/sbin"])
    for (const name of root.list(folder)) {
      const found = root.resolve(`${folder}/${name}`);
      if (found?.stats.isFile() === true && isElf(readHead(root.hostPath(found.path)))) programs.add(found.path);
    }
  assert.ok(programs.size > 200, `only ${programs.size} programs`);
  const closure = computeClosure({ root: DEBIAN, programs: [...programs] });
  const folder = mkdtempSync(join(BUILD, "closure-"));
  try {
    materialize(closure, folder);
    assert.not(existsSync(join(folder, "etc/ld.so.cache")));
    const expected = listInside(DEBIAN, "/bin/sh", [...programs]);
    const found = listInside(folder, "/bin/sh", [...programs]);
    const normal = (text: string) => text.replaceAll(" => /usr/lib/", " => /lib/").split("\n");
    assert.equal(normal(found), normal(expected));
    assert.not.match(found, /not found|cannot open/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

closures.run();
