/**
 * What a log of strace says about files: executed, opened or looked at with success. Look-ups that failed stay failures: an environment that had
 * the file would act differently. What the program made itself is not part of its environment.
 * Source: strace(1), the output of `strace -f -y -e trace=%file,%process,fchdir`.
 */
import { posix } from "node:path";
import type { TracedFile } from "../closure/types.ts";

export interface TraceOptions {
  /** Working folder of the first process, in the root. */
  readonly directory: string;
  /** The root's own path on this machine, which strace puts before paths of descriptors; "" for the machine's root. */
  readonly prefix: string;
}

/** Calls whose last path is looked at. */
const EXAMINES =
  /^(stat|stat64|lstat|lstat64|newfstatat|fstatat64|statx|access|faccessat2?|readlink|readlinkat|getxattr|lgetxattr|statfs|statfs64|chdir|utimensat)$/;
const OPENS = /^(open|openat|openat2|creat)$/;
const EXECUTES = /^execve(at)?$/;
const MAKES = /^(mkdir|mkdirat|mknod|mknodat|rename|renameat|renameat2|link|linkat|symlink|symlinkat)$/;
const FORKS = /^(clone3?|v?fork)$/;
/** Places for files that are thrown away. */
const PASSING = /^\/(tmp|var\/tmp|proc|sys|dev|run)(\/|$)/;

/** A call that names a file. */
export interface FileCall {
  readonly name: string;
  readonly args: string;
  /** Absolute in the root. */
  readonly path: string;
  /** Such as "ENOENT"; absent when it succeeded. */
  readonly error?: string;
}

/** By path, sorted; executed wins over opened, and opened over examined. */
export function parseTrace(log: string, options: TraceOptions): TracedFile[] {
  const found = new Map<string, TracedFile["how"]>();
  const made = new Set<string>();
  const rank = { executed: 2, opened: 1, examined: 0 } as const;
  for (const { name, args, path, error } of fileCalls(log, options)) {
    if (error !== undefined || made.has(path)) continue;
    const note = (how: TracedFile["how"]) => {
      const known = found.get(path);
      if (path !== "/" && !PASSING.test(path) && (known === undefined || rank[how] > rank[known])) found.set(path, how);
    };
    if (EXECUTES.test(name)) note("executed");
    else if (MAKES.test(name)) made.add(path);
    else if (OPENS.test(name)) {
      if (isOutput(name, args)) {
        // Read or looked at before: then it was there.
        if (!found.has(path)) made.add(path);
      } else note("opened");
    } else if (EXAMINES.test(name)) note("examined");
  }
  return [...found].sort(([left], [right]) => (left < right ? -1 : 1)).map(([path, how]) => ({ path, how }));
}

/** Calls that name a file, in order; each process has its own working directory. */
export function* fileCalls(log: string, { directory, prefix }: TraceOptions): Generator<FileCall> {
  const directories = new Map<string, string>();
  const inRoot = (path: string) => (prefix !== "" && path.startsWith(prefix) ? path.slice(prefix.length) || "/" : path);
  for (const { pid, name, args, result } of calls(log)) {
    const failed = result === undefined || result.startsWith("-") || result.startsWith("?");
    const own = directories.get(pid) ?? directory;
    if (FORKS.test(name)) {
      const child = /^\d+/.exec(result ?? "")?.[0];
      if (child !== undefined && !directories.has(child)) directories.set(child, own);
      continue;
    }
    if (name === "fchdir") {
      const target = failed ? undefined : /^\d+<([^>]*)>/.exec(args)?.[1];
      if (target !== undefined) directories.set(pid, inRoot(target));
      continue;
    }
    const paths = pathsOf(args).map(({ base, path }) => posix.resolve(base === undefined ? own : inRoot(base), path));
    const path = paths.at(MAKES.test(name) ? -1 : 0);
    if (path === undefined) continue;
    if (name === "chdir" && !failed) directories.set(pid, path);
    const error = failed ? (/^-1 (\w+)/.exec(result ?? "")?.[1] ?? "unknown") : undefined;
    yield { name, args, path, ...(error === undefined ? {} : { error }) };
  }
}

function isOutput(name: string, args: string): boolean {
  return name === "creat" || /\bO_(WRONLY|TRUNC|EXCL|TMPFILE)\b/.test(args) || /\bO_RDWR\b.*\bO_CREAT\b/.test(args);
}

interface Call {
  readonly pid: string;
  readonly name: string;
  readonly args: string;
  /** What follows "= "; absent when the process ended within the call. */
  readonly result?: string;
}

/** `123 openat(AT_FDCWD</>, "/etc/passwd", O_RDONLY) = 3</etc/passwd>`; calls that another process interrupted are put together. */
function* calls(log: string): Generator<Call> {
  const unfinished = new Map<string, string>();
  for (const line of log.split("\n")) {
    const [, pid = "0", rest = ""] = /^(?:\[pid\s+)?(\d+)\]?\s+(.*)$/.exec(line) ?? [undefined, "0", line];
    const pause = rest.indexOf(" <unfinished ...>");
    if (pause !== -1) {
      unfinished.set(pid, rest.slice(0, pause));
      continue;
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest)?.[1];
    const whole = resumed === undefined ? rest : (unfinished.get(pid) ?? "") + resumed;
    const [, name, args = "", result] = /^(\w+)\((.*)\)\s+=\s+(.*)$/.exec(whole) ?? [];
    if (name !== undefined) yield { pid, name, args, ...(result === undefined ? {} : { result }) };
  }
}

/** The quoted arguments, each with the folder before it that it is relative to: `AT_FDCWD</root>, "file"`. */
function pathsOf(args: string): { base?: string; path: string }[] {
  return [...args.matchAll(/(?:(?:AT_FDCWD|\d+)<([^>]*)>,\s*)?"((?:[^"\\]|\\.)*)"/g)].map(([, base, text = ""]) => ({
    ...(base === undefined ? {} : { base }),
    path: unescapeText(text),
  }));
}

/** C escapes; octal ones are bytes of UTF-8. */
function unescapeText(text: string): string {
  if (!text.includes("\\")) return text;
  const letters: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", v: "\v", f: "\f" };
  const bytes = text.replaceAll(/\\(?:([0-7]{1,3})|x([0-9a-f]{2})|(.))/g, (_, octal, hex, other) =>
    octal !== undefined
      ? String.fromCharCode(Number.parseInt(octal, 8))
      : hex !== undefined
        ? String.fromCharCode(Number.parseInt(hex, 16))
        : (letters[other] ?? other),
  );
  return Buffer.from(bytes, "latin1").toString("utf8");
}
