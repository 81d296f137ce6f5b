/**
 * Runs a command and learns which files it touches, for what no static rule sees. In a root filesystem other than the machine's it runs
 * chrooted, in a mount namespace of its own, and below an overlay: what it writes is thrown away.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { RegError } from "../../errors/errors.ts";
import { SEARCH_PATH } from "../closure/search-path.ts";
import type { TracedFile } from "../closure/types.ts";
import { unshareMounts } from "../mapped.ts";
import { parseTrace } from "./parse.ts";

export interface Traced {
  readonly files: readonly TracedFile[];
  /** The command's exit status; 128 + N when a signal ended it. */
  readonly status: number;
}

/** $0 the folder for the overlay, $1 the root, then what strace is called with. */
const IN_ROOT = `set -eu
folder=$0 root=$1
shift
mount -t tmpfs tmpfs "$folder"
mkdir "$folder/upper" "$folder/work" "$folder/root"
mount -t overlay overlay -o "lowerdir=$root,upperdir=$folder/upper,workdir=$folder/work" "$folder/root"
mkdir -p "$folder/root/proc" "$folder/root/dev"
mount -t proc proc "$folder/root/proc" 2>/dev/null || mount --rbind /proc "$folder/root/proc"
mount --rbind /dev "$folder/root/dev"
exec strace "$@"`;

/** The command's PATH is that of a container, so that the same programs are found. */
const STRACE = [
  "-f",
  "-y",
  "-qq",
  "-s",
  "4096",
  "-e",
  "trace=%file,%process,fchdir",
  "-e",
  "signal=none",
  "-E",
  `PATH=${SEARCH_PATH.join(":")}`,
];

/** `env`: NAME=value. Throws RegError when there is no strace, or the command can not be started. */
export async function traceCommand(
  root: string,
  command: readonly string[],
  env: readonly string[] = [],
  cwd = "/",
): Promise<Traced> {
  const folder = mkdtempSync(join(tmpdir(), "reg-env-trace-"));
  const overlay = mkdtempSync(join(tmpdir(), "reg-env-trace-"));
  const log = join(folder, "log");
  const isHost = resolve(root) === "/";
  const options = [...STRACE, ...env.flatMap((variable) => ["-E", variable]), "-o", log];
  try {
    const [program = "", ...before] = unshareMounts();
    const inRoot = [...options, "unshare", "--root", join(overlay, "root"), "--wd", cwd, ...command];
    const status = isHost
      ? await run("strace", [...options, ...withPath(command, cwd)], cwd)
      : await run(program, [...before, "sh", "-c", IN_ROOT, overlay, resolve(root), ...inRoot]);
    const text = readLog(log);
    if (text === undefined)
      throw new RegError("ENOENT", `trace ${command.join(" ")}: nothing was traced`, {
        hint: "tracing needs strace (Debian's package strace); in another root filesystem also overlayfs",
      });
    const prefix = isHost ? "" : join(overlay, "root");
    return {
      files: parseTrace(isHost ? text : afterChroot(text, prefix), { directory: cwd, prefix }),
      status,
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
    rmSync(overlay, { recursive: true, force: true });
  }
}

/** strace looks the program up in its own PATH. */
function withPath([program = "", ...args]: readonly string[], cwd: string): string[] {
  const found = program.includes("/")
    ? resolve(cwd, program)
    : SEARCH_PATH.map((folder) => join(folder, program)).find(existsSync);
  return [found ?? program, ...args];
}

/** Without what unshare(1) itself looked at. */
function afterChroot(log: string, root: string): string {
  const call = log.indexOf(`chroot("${root}"`);
  return call === -1 ? "" : log.slice(log.indexOf("\n", call) + 1);
}

function readLog(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** With our terminal; signals of the terminal are for the command, and end it, not us. */
function run(program: string, args: readonly string[], cwd = "/"): Promise<number> {
  const child = spawn(program, args, { stdio: "inherit", cwd });
  const forward = (signal: NodeJS.Signals) => child.kill(signal);
  const ignore = () => undefined;
  process.on("SIGINT", ignore);
  process.on("SIGTERM", forward);
  return new Promise((done, failed) => {
    child.once("error", (error) => {
      failed(
        new RegError("ENOENT", `trace: can not run ${program}: ${error.message}`, {
          hint: `install Debian's package ${program === "strace" ? "strace" : "util-linux"}`,
        }),
      );
    });
    child.once("exit", (code, signal) => {
      process.off("SIGINT", ignore);
      process.off("SIGTERM", forward);
      done(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}
