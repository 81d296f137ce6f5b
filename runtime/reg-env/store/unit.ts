/** A unit made of files of a root filesystem. */

import { ENOENT } from "../../errors/errno.ts";
import { isErrno } from "../../libc/file.ts";
import type { DirectoryEntry, Entry, Unit } from "../../reg/manifest.ts";
import { captureEntry, Source, stageContent } from "./capture.ts";
import type { Staging } from "./staging.ts";

export interface UnitSource {
  readonly name: string;
  readonly version: string;
  /** The root filesystem, a directory of the host. */
  readonly root: string;
  /** Paths below it, without a leading slash, none of them through a symlink. */
  readonly paths: readonly string[];
  /** Files that the root does not have like this. */
  readonly generated?: readonly GeneratedSource[];
  /** Empty directories that the root does not have like this. */
  readonly directories?: readonly Omit<DirectoryEntry, "type">[];
}

export interface GeneratedSource {
  readonly path: string;
  readonly content: Uint8Array;
  readonly mode: number;
}

/** Reads the files, stages their content, and gives the unit. `onFile` is called after each, and may wait. */
export async function captureUnit(
  staging: Staging,
  source: UnitSource,
  onFile: (path: string) => Promise<void> | void = () => undefined,
): Promise<Unit> {
  const root = new Source(source.root);
  try {
    const entries = new Map<string, Entry>();
    const plain = new Set<string>();
    for (const path of source.paths) {
      entries.set(path, captureEntry(staging, root, path));
      addParents(staging, root, path, entries, plain);
      await onFile(path);
    }
    for (const { path, content, mode } of source.generated ?? []) {
      entries.set(path, stageContent(staging, path, content, mode));
      addParents(staging, root, path, entries, plain);
    }
    for (const directory of source.directories ?? []) entries.set(directory.path, { type: "directory", ...directory });
    return { name: source.name, version: source.version, entries: sortEntries([...entries.values()]) };
  } finally {
    root.close();
  }
}

/** The directories above a path, where there is something special about them; `plain` remembers the others. */
function addParents(
  staging: Staging,
  root: Source,
  path: string,
  entries: Map<string, Entry>,
  plain: Set<string>,
): void {
  const names = path.split("/").slice(0, -1);
  for (const [index] of names.entries()) {
    const parent = names.slice(0, index + 1).join("/");
    if (entries.has(parent) || plain.has(parent)) continue;
    const entry = captureDirectory(staging, root, parent);
    if (entry === undefined || isPlain(entry)) plain.add(parent);
    else entries.set(parent, entry);
  }
}

/** undefined where the root has none: a generated file may stand in a directory of its own. */
function captureDirectory(staging: Staging, root: Source, path: string): Entry | undefined {
  try {
    return captureEntry(staging, root, path);
  } catch (error) {
    if (isErrno(error, ENOENT)) return undefined;
    throw error;
  }
}

/** A directory as every other: trees get it without being told, so that units differ only in what is special. */
function isPlain(entry: Entry): boolean {
  return entry.type === "directory" && entry.mode === 0o755 && entry.uid === 0 && entry.gid === 0;
}

export function sortEntries(entries: readonly Entry[]): Entry[] {
  return [...entries].sort((left, right) => (left.path < right.path ? -1 : 1));
}
