/** Containers that reg-env starts: by reg, from a bundle of its own that is gone when the container is. */
import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import * as fs from "node:fs";
import { constants, tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { host } from "#host";
import { RegError } from "../errors/errors.ts";
import type { Config } from "../oci/config.ts";
import { explain } from "../oci/explain.ts";
import { parseConfig } from "../oci/parse.ts";
import { InvalidDocument } from "../oci/validate.ts";
import { uidOfRoot } from "../reg/trust.ts";

export interface Launch {
  readonly id: string;
  readonly config: Config;
  /** The reg binary; found when not given. */
  readonly runtime?: string | undefined;
  readonly stdio?: StdioOptions;
  /** What runs the runtime, such as unshare(1): a command that takes another behind it. */
  readonly before?: readonly string[];
}

export interface RunningContainer {
  readonly child: ChildProcess;
  /** Exit status of the container; 128 + N when a signal ended it. */
  readonly ended: Promise<number>;
}

export function newId(): string {
  return `reg-env-${process.pid}-${process.hrtime.bigint().toString(36)}`;
}

/** Runs it in the foreground. Whatever ends this process, SIGKILL too, ends the container and removes its bundle. */
export function launch({ id, config, runtime, stdio = "inherit", before = [] }: Launch): RunningContainer {
  const binary = findRuntime(runtime);
  const bundle = makeBundle(join(tmpdir(), "reg-env-run-"), config);
  const guard = guardOf(binary, id, bundle);
  const [program = binary, ...args] = [...before, binary, "run", "--bundle", bundle, id];
  const child = spawn(program, args, { stdio });
  const ended = new Promise<number>((done, failed) => {
    child.once("error", (error) => failed(cannotRun(program, error)));
    child.once("exit", (code, signal) => done(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  }).finally(() => {
    fs.rmSync(bundle, { recursive: true, force: true });
    guard.dismiss();
  });
  return { child, ended };
}

/** Starts it in the background: its bundle is removed with the container. Returns where its output goes. */
export async function launchDetached({ id, config, runtime }: Launch): Promise<string> {
  const binary = findRuntime(runtime);
  const folder = folderOfDetached();
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  const bundle = `${folder}/${id}`;
  const remove = { path: "/bin/rm", args: ["rm", "-rf", bundle] };
  try {
    makeBundleAt(bundle, { ...config, hooks: { ...config.hooks, poststop: [remove] } });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    throw new RegError("EEXIST", `a container named ${id} is there already`, {
      hint: `choose another --name, or remove it: reg delete --force ${id}`,
    });
  }
  const output = `${bundle}/output`;
  const fd = fs.openSync(output, "a", 0o600);
  try {
    const child = spawn(binary, ["run", "--detach", "--bundle", bundle, id], { stdio: ["ignore", fd, fd] });
    const status = await new Promise<number>((done, failed) => {
      child.once("error", (error) => failed(cannotRun(binary, error)));
      child.once("exit", (code) => done(code ?? 1));
    });
    if (status === 0) return output;
    throw new RegError(
      "EIO",
      fs
        .readFileSync(output, "utf8")
        .trim()
        .replace(/^reg: /, ""),
    );
  } catch (error) {
    fs.rmSync(bundle, { recursive: true, force: true });
    throw error;
  } finally {
    fs.closeSync(fd);
  }
}

/** Where bundles are for as long as their containers; a user's go with the session, as the state of reg does. */
function folderOfDetached(): string {
  const { XDG_RUNTIME_DIR: session } = process.env;
  if (process.geteuid?.() === 0 && uidOfRoot() === 0) return "/run/reg-env";
  if (session?.startsWith("/") === true) return `${session}/reg-env`;
  throw new RegError("ENOENT", "there is no folder for a container in the background: $XDG_RUNTIME_DIR is not set", {
    hint: "a session of systemd's has it; name a directory of your own that others can not write",
  });
}

/** Passes signals on to the child until it has ended. */
export function passSignals(child: ChildProcess): () => void {
  const forward = (signal: NodeJS.Signals) => child.kill(signal);
  // A terminal sends these to the whole group already; we only have to survive them until the child has ended.
  const ignore = () => undefined;
  const handlers = [
    ["SIGTERM", forward],
    ["SIGHUP", forward],
    ["SIGINT", process.stdin.isTTY ? ignore : forward],
    ["SIGQUIT", ignore],
  ] as const;
  for (const [signal, handler] of handlers) process.on(signal, handler);
  return () => {
    for (const [signal, handler] of handlers) process.off(signal, handler);
  };
}

/** `reg exec`, `reg delete` and the like; returns the exit status and what it said. */
export function callRuntime(
  runtime: string | undefined,
  args: readonly string[],
): Promise<{ status: number; output: string }> {
  const binary = findRuntime(runtime);
  const child = spawn(binary, args, { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
  return new Promise((done, failed) => {
    child.once("error", (error) => failed(cannotRun(binary, error)));
    child.once("close", (code) => done({ status: code ?? -1, output }));
  });
}

function makeBundle(prefix: string, config: Config): string {
  const text = checkedText(config);
  const bundle = fs.mkdtempSync(prefix);
  writeBundle(bundle, text);
  return bundle;
}

function makeBundleAt(bundle: string, config: Config): void {
  const text = checkedText(config);
  fs.mkdirSync(bundle, { mode: 0o700 });
  writeBundle(bundle, text);
}

function writeBundle(bundle: string, text: string): void {
  fs.mkdirSync(join(bundle, "rootfs"));
  fs.writeFileSync(join(bundle, "config.json"), text);
}

/** The runtime would name a file that nobody has written, and that is gone when the message is read. */
function checkedText(config: Config): string {
  const text = JSON.stringify(config);
  try {
    parseConfig(text, "the container that was asked for");
    return text;
  } catch (error) {
    throw error instanceof InvalidDocument ? explain(error) : error;
  }
}

/** Waits for the end of this process, and cleans up unless it was told that all is done: nothing else sees a SIGKILL. */
function guardOf(runtime: string, id: string, bundle: string): { dismiss(): void } {
  const script = 'read -r line && exit 0; "$0" delete --force "$1"; rm -rf "$2"';
  const guard = spawn("sh", ["-c", script, runtime, id, bundle], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  guard.on("error", () => undefined); // without sh there is nobody to clean up, and nothing else is lost
  guard.stdin.on("error", () => undefined); // it was killed before us
  guard.unref();
  return { dismiss: () => guard.stdin.end("done\n") };
}

function cannotRun(program: string, error: Error): RegError {
  return new RegError("ENOENT", `run ${program}: ${error.message}`, {
    hint: "name the reg binary with --runtime or $REG",
  });
}

/** The native binary: as named, from $REG, from the build that this program is part of, or in PATH. */
function findRuntime(named: string | undefined): string {
  const built = host.initBinary;
  const candidates = [
    ...[named, process.env.REG].flatMap((path) => (path === undefined || path === "" ? [] : [path])),
    ...(built !== undefined && fs.existsSync(built) ? [built] : []),
    ...(process.env.PATH ?? "").split(delimiter).flatMap((folder) => {
      const path = join(folder, "reg");
      return fs.existsSync(path) ? [path] : [];
    }),
  ];
  const [found] = candidates;
  if (found !== undefined) return found;
  throw new RegError("ENOENT", "there is no reg binary", {
    hint: "make install puts it into PATH; or name it with --runtime or $REG",
  });
}
