/**
 * Where a command is tried: a container whose root is a root filesystem or a tree of the store, below an overlay in memory, so that both stay
 * as they are. It has a network of its own with nothing but lo.
 */
import type { ChildProcess } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { RegError } from "../../errors/errors.ts";
import type { EnvironmentCommand } from "../../reg/manifest.ts";
import { makeConfig } from "../config.ts";
import { callRuntime, launch, newId } from "../container.ts";
import { isMapped, unshareMounts } from "../mapped.ts";
import { readerIn, resolveUser } from "../user.ts";
import { ask, type Probe } from "./probe.ts";
import { endOfTracer, tracingHook } from "./tracer.ts";

export interface TrialOptions {
  readonly command: EnvironmentCommand;
  readonly runtime?: string | undefined;
  /** What tells that a server works; without it the command has to end. */
  readonly probe?: Probe | undefined;
  readonly timeLimitMs: number;
  /** Empty directories that are made before the command runs, by their real paths. */
  readonly directories?: readonly MadeDirectory[];
}

export interface MadeDirectory {
  readonly path: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

export interface Outcome {
  /** 128 + N when a signal ended it. */
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
  /** What the probe got; undefined without one, or when there was no answer in time. */
  readonly answer?: string;
  /** The time was over before the command had ended, or the probe had an answer. */
  readonly late: boolean;
  /** What the command has written, a line for each file: its path and the digest of its content. */
  readonly files: readonly string[];
}

const LARGEST_OUTPUT = 8 * 1024 * 1024;
const GRACE_MS = 5000;
const POLL_MS = 50;

/**
 * $0 the folder for the overlay, $1 the root, $2 where the list of written files goes, $3 lines of directories to make, then the runtime's
 * command line.
 */
const IN_OVERLAY = `set -eu
folder=$0 lower=$1 list=$2 directories=$3
shift 3
mount -t tmpfs -o mode=755 tmpfs "$folder"
mkdir "$folder/upper" "$folder/work" "$folder/root"
chmod 755 "$folder/upper"
# Folders of who has no id here could not be written to.
for name in tmp var/tmp; do
    [ ! -d "$lower/$name" ] || [ -L "$lower/$name" ] || [ -O "$lower/$name" ] || mkdir -p -m 1777 "$folder/upper/$name"
done
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$folder/upper,workdir=$folder/work" "$folder/root"
printf %s "$directories" | while read -r mode owner path; do
    mkdir -p "$folder/root$path"
    # A user may have no such id.
    chown "$owner" "$folder/root$path" || :
    chmod "$mode" "$folder/root$path"
done
: >"$list"
status=0
"$@" || status=$?
cd "$folder/upper"
find . -type f ! -path "*/.cache/*" ! -path "./var/cache/*" -exec sha256sum {} + >"$list" || :
exit "$status"`;

/** Runs the command there. `trace` is a file for what strace(1) says of it. */
export async function tryIn(lower: string, options: TrialOptions, trace?: string): Promise<Outcome> {
  const folder = fs.mkdtempSync(join(tmpdir(), "reg-env-trial-"));
  const list = `${folder}.list`;
  const id = newId();
  const config = makeConfig({
    inUserNamespace: isMapped(),
    command: options.command,
    terminal: false,
    readonlyRoot: false,
    hostNetwork: false,
    root: join(folder, "root"),
    ...(options.command.user === undefined ? {} : { user: resolveUser(options.command.user, readerIn(lower)) }),
    hostname: "trial",
  });
  const before = [...unshareMounts(), "sh", "-c", IN_OVERLAY, folder, lower, list, linesOf(options.directories)];
  const hooks = trace === undefined ? {} : { hooks: { createRuntime: [tracingHook(trace)] } };
  try {
    const { child, ended } = launch({
      id,
      config: { ...config, ...hooks },
      runtime: options.runtime,
      stdio: ["ignore", "pipe", "pipe"],
      before,
    });
    const output = collect(child);
    let isOver = false;
    const finished = ended.finally(() => {
      isOver = true;
    });
    const deadline = Date.now() + options.timeLimitMs;
    let answer: string | undefined;
    while (!isOver && Date.now() < deadline && answer === undefined) {
      if (options.probe !== undefined)
        answer = await ask(options.probe, await pidOf(id, options.runtime), id, options.runtime);
      if (answer === undefined) await Promise.race([finished.catch(() => undefined), sleep(POLL_MS)]);
    }
    const late = !isOver && answer === undefined;
    if (!isOver) await stop(child, id, options.runtime, finished);
    const status = await finished;
    if (trace !== undefined) await endOfTracer(trace);
    if (!fs.existsSync(list)) throw noPlace(output().stderr);
    const files = fs.readFileSync(list, "utf8").split("\n").filter(Boolean).sort();
    return { status, ...output(), late, files, ...(answer === undefined ? {} : { answer }) };
  } finally {
    fs.rmSync(list, { force: true });
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

function linesOf(directories: readonly MadeDirectory[] = []): string {
  return directories.map(({ path, mode, uid, gid }) => `${mode.toString(8)} ${uid}:${gid} ${path}\n`).join("");
}

function noPlace(said: string): RegError {
  return new RegError("EPERM", `trial: there is no place to run the command: ${said.trim().split("\n")[0]}`, {
    hint: "a trial mounts an overlay; whoever is not root can do that above a directory (--root), but not above the machine's own root",
  });
}

async function stop(
  child: ChildProcess,
  id: string,
  runtime: string | undefined,
  finished: Promise<number>,
): Promise<void> {
  await callRuntime(runtime, ["kill", id, "TERM"]);
  await Promise.race([finished, sleep(GRACE_MS)]);
  if (child.exitCode === null) await callRuntime(runtime, ["delete", "--force", id]);
}

/** undefined until it is there. */
async function pidOf(id: string, runtime: string | undefined): Promise<number | undefined> {
  const { status, output } = await callRuntime(runtime, ["state", id]);
  if (status !== 0) return undefined;
  const { pid } = JSON.parse(output) as { pid?: number };
  return pid === 0 ? undefined : pid;
}

function collect(child: ChildProcess): () => { stdout: string; stderr: string } {
  const chunks = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  for (const name of ["stdout", "stderr"] as const) {
    let size = 0;
    child[name]?.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size <= LARGEST_OUTPUT) chunks[name].push(chunk);
    });
  }
  const text = (name: "stdout" | "stderr") => Buffer.concat(chunks[name]).toString("utf8");
  return () => ({ stdout: text("stdout"), stderr: text("stderr") });
}
