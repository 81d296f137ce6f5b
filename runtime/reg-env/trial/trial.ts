/**
 * A command is run in the full root and in the environment that was made for it. Where it does not do the same, what it looked for in vain, and
 * the full root has, comes in, and what it executes there; and it is tried again. When that adds nothing, or too often too little, all comes in
 * that it opens in the full root.
 */
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join, posix } from "node:path";
import { RegError } from "../../errors/errors.ts";
import type { Closure } from "../closure/closure.ts";
import { Root } from "../closure/root.ts";
import type { TracedFile } from "../closure/types.ts";
import { parseTrace } from "../trace/parse.ts";
import { difference } from "./compare.ts";
import { findMissing } from "./missing.ts";
import { type MadeDirectory, type Outcome, type TrialOptions, tryIn } from "./place.ts";
import { readTrace } from "./tracer.ts";

export interface Trial extends TrialOptions {
  /** The full root, a directory. */
  readonly root: string;
  /** Makes the environment with these files beside what it has, and returns its tree and what is in it. */
  readonly make: (more: readonly TracedFile[]) => Promise<{ readonly tree: string; readonly closure: Closure }>;
  readonly onProgress?: (text: string) => void;
}

export interface TrialReport {
  /** What differs still; undefined when all is the same. */
  readonly difference?: string;
  /** In the full root. */
  readonly full: Outcome;
  readonly rounds: number;
  /** What was added, in order. */
  readonly added: readonly TracedFile[];
}

const MOST_ROUNDS = 12;
/** How often the command is run in the full root again, to see whether a file gets the same content each time. */
const RUNS_FOR_CONTENT = 4;
/** Each thing that was missing may hide the next. */
const ROUNDS_OF_SINGLE_FILES = 2;

/** Throws RegError when the command does not end, or its probe has no answer, in the full root: there is nothing to compare with. */
export async function runTrial(trial: Trial): Promise<TrialReport> {
  const { root, make, onProgress = () => undefined } = trial;
  const added: TracedFile[] = [];
  // In the full root no system has started either: the folders that one makes are made for the trial.
  const directories = directoriesFor(root, (await make(added)).closure);
  const inRoot = { ...trial, directories };
  onProgress("in the full root");
  const full = await tryIn(root, inRoot);
  if (full.late) throw tooLate(trial, full);
  if (trial.probe !== undefined && full.answer === undefined) throw ended(full);
  const again: Outcome[] = [];
  let inFull: readonly TracedFile[] | undefined;
  for (let round = 1; ; round++) {
    const { tree, closure } = await make(added);
    onProgress(`in the environment, round ${round}`);
    const own = await tryIn(tree, trial);
    let differs = difference(full, own, again);
    // What differs there, too, is no sign.
    while (differs !== undefined && again.length < (differs.isContent ? RUNS_FOR_CONTENT : 1)) {
      again.push(await tryIn(root, inRoot));
      differs = difference(full, own, again);
    }
    if (differs === undefined || round === MOST_ROUNDS)
      return { full, rounds: round, added, ...(differs === undefined ? {} : { difference: differs.text }) };
    onProgress(`looking for what was missing, round ${round}`);
    const known = new Set(added.map(({ path }) => path));
    inFull ??= await usedIn(root, inRoot);
    const whole = new Root(closure.root);
    const lacking = inFull.filter(({ path }) => !known.has(path) && !isIn(path, closure, whole));
    let more = (await lookFor(tree, trial)).filter(({ path }) => !known.has(path));
    const found = new Set(more.map(({ path }) => path));
    const all = round >= ROUNDS_OF_SINGLE_FILES;
    more = [...more, ...lacking.filter(({ path, how }) => (all || how === "executed") && !found.has(path))];
    if (more.length === 0) more = lacking;
    if (more.length === 0) return { full, rounds: round, added, difference: differs.text };
    added.push(...more);
  }
}

/** What the environment's run looked for in vain. */
async function lookFor(tree: string, trial: Trial): Promise<TracedFile[]> {
  const log = await traceIn(tree, trial);
  const how = (call: string): TracedFile["how"] => (call.startsWith("execve") ? "executed" : "opened");
  return findMissing(log, trial.command.cwd, new Root(trial.root), new Root(tree)).map(({ path, call }) => ({
    path,
    how: how(call),
    why: `the trial looked for it in vain (${call})`,
  }));
}

/** What the command opens and executes in the full root. */
async function usedIn(root: string, trial: TrialOptions): Promise<TracedFile[]> {
  const log = await traceIn(root, trial);
  return parseTrace(log, { directory: trial.command.cwd, prefix: "" })
    .filter(({ path, how }) => how !== "examined" && path !== "/etc/ld.so.cache")
    .map((file) => ({ ...file, why: `the trial ${file.how} it in the full root` }));
}

async function traceIn(root: string, trial: TrialOptions): Promise<string> {
  const folder = fs.mkdtempSync(join(tmpdir(), "reg-env-trial-log-"));
  try {
    const { stderr } = await tryIn(root, trial, join(folder, "log"));
    if (!fs.existsSync(join(folder, "log")))
      throw new RegError("ENOENT", `the trial could not be traced${saidLast(stderr)}`, {
        hint: "tracing needs strace (Debian's package strace)",
      });
    return readTrace(join(folder, "log"));
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

function isIn(path: string, { files, generated }: Closure, root: Root): boolean {
  const found = root.resolve(path);
  return found === undefined || files.has(found.path) || generated.has(found.path);
}

function tooLate({ probe, timeLimitMs }: Trial, { stderr }: Outcome): RegError {
  return new RegError(
    "ETIMEDOUT",
    `trial: in the full root ${probe === undefined ? "the command did not end" : "the probe got no answer"} within ${timeLimitMs / 1000} s${saidLast(stderr)}`,
    {
      hint:
        probe === undefined
          ? "for a server, say what tells that it works: --probe http:80/, tcp:5432 or exec:'redis-cli ping'; --time-limit gives it longer"
          : "does the command stay in the foreground? --time-limit gives it longer",
    },
  );
}

function ended({ status, stderr }: Outcome): RegError {
  return new RegError(
    "ESRCH",
    `trial: in the full root the command ended, with status ${status}, before the probe had an answer${saidLast(stderr)}`,
    {
      hint: "a server has to stay in the foreground; for what it lacks there are --user, --env, --cwd, and --mkdir for directories that a system makes",
    },
  );
}

/** Those that the root has not, and whose place is not behind a link. */
function directoriesFor(root: string, { directories }: Closure): MadeDirectory[] {
  const whole = new Root(root);
  return [...(directories ?? [])].flatMap(([path, { mode, uid, gid }]) => {
    let parent = posix.dirname(path);
    while (whole.locate(parent) === undefined) parent = posix.dirname(parent);
    const isPlain = whole.resolve(parent)?.path === parent && !path.includes("\n");
    return isPlain && whole.locate(path) === undefined ? [{ path, mode, uid, gid }] : [];
  });
}

/** "; it said ...", with the last line. */
export function saidLast(stderr: string): string {
  const last = stderr.trim().split("\n").at(-1) ?? "";
  return last === "" ? "" : `; it said ${JSON.stringify(last.slice(0, 300))}`;
}
