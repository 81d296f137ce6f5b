/** What a traced command looked for in vain, and what it opened, as a log of strace tells. Source: strace(1). */
import { posix } from "node:path";
import type { Root } from "../closure/root.ts";
import { fileCalls } from "../trace/parse.ts";

/** A path that the command looked for, and the call. */
export interface Wanted {
  readonly path: string;
  readonly call: string;
}

/**
 * Paths that were not there (`own` is the environment) although the full root has them, each once, in order. What the full root does not have either is meant to
 * fail: programs look for their configuration in many places.
 */
export function findMissing(log: string, directory: string, root: Root, own: Root): Wanted[] {
  const found = new Map<string, Wanted>();
  for (const { name, args, path, error } of fileCalls(log, { directory, prefix: "" })) {
    if (error !== "ENOENT" && error !== "ENOTDIR") continue;
    // A file that was asked whether it is a folder is there.
    if (error === "ENOTDIR" && own.resolve(path) !== undefined) continue;
    // What was to be made could not be, as its folder is not there.
    const folder = posix.dirname(path);
    const isMade = MAKES.test(name) || /\bO_CREAT\b/.test(args);
    const wanted =
      root.resolve(path) !== undefined ? path : isMade && own.resolve(folder) === undefined ? folder : undefined;
    if (wanted === undefined || found.has(wanted) || PASSING.test(wanted) || root.resolve(wanted) === undefined)
      continue;
    found.set(wanted, { path: wanted, call: name });
  }
  return [...found.values()];
}

const MAKES = /^(mkdir|mknod|rename|link|symlink)/;
/** Of the kernel, of a running system, or for output. */
const PASSING = /^\/(proc|sys|dev|tmp|var\/tmp)(\/|$)|^\/$|^\/etc\/(ld\.so\.cache|mtab)$/;
