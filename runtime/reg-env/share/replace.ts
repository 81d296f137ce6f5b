/**
 * Makes links of equal files: a link beside the layers, renamed over the name that it replaces, so that there is the old file or the new one at
 * any moment. Right before that it is checked that both are what was read.
 */
import * as fs from "node:fs";
import { RegError, SyscallError } from "../../errors/errors.ts";
import type { Bytes } from "./bytes.ts";
import { split } from "./directories.ts";
import type { Candidate } from "./groups.ts";
import { inPages, isSame, type Merge, pathOf } from "./plan.ts";
import type { Inode, Name } from "./scan.ts";
import type { Layer } from "./stores/store.ts";
import type { Workplace } from "./workplace.ts";

export interface Done {
  files: number;
  diskBytes: number;
  cacheBytes: number;
  /** Files that had changed, or whose layer was gone or mounted, when their turn came. */
  changed: number;
  /** Files that the kernel allows no link to. */
  refused: number;
}

/** One file that becomes links to another. */
export interface Replacement {
  readonly merge: Merge;
  readonly candidate: Candidate;
}

export interface Surroundings {
  readonly layers: readonly Layer[];
  readonly workplace: Workplace;
  /** Whether a layer may be changed at this moment, and whether its files may get links. */
  readonly mayChange: (layer: number) => boolean;
  readonly mayLink: (layer: number) => boolean;
  /** Told of a file whose number of links has changed. */
  readonly onChanged: (before: Inode, after: Inode) => void;
  readonly done: Done;
}

/** Remembers, for each merge, the file that gets the links now: another one when it can have no more. */
export class Keepers {
  readonly #current = new Map<Merge, Inode>();

  of(merge: Merge): Inode {
    return this.#current.get(merge) ?? merge.keeper.inode;
  }

  set(merge: Merge, inode: Inode): void {
    this.#current.set(merge, inode);
  }
}

/** Carries out a batch. The engine's lock is held. */
export function replaceAll(replacements: readonly Replacement[], keepers: Keepers, around: Surroundings): void {
  const { layers, workplace, mayChange, mayLink, done } = around;
  const allowed = replacements.filter(({ merge, candidate }) => {
    const ok = candidate.layers.every(mayChange) && keepers.of(merge).names.every(({ layer }) => mayLink(layer));
    if (!ok) done.changed++;
    return ok;
  });
  const present = allowed.filter(({ candidate }) => {
    const ok = candidate.inode.names.every((name) => exists(workplace, pathOf(name, layers)));
    if (!ok) done.changed++;
    return ok;
  });
  const paths = present.flatMap(({ candidate }) => candidate.inode.names.map((name) => pathOf(name, layers)));
  const several = present
    .filter(({ candidate }) => candidate.paths.length > 1)
    .flatMap(({ merge, candidate }) =>
      candidate.layers.map((layer) => ({
        paths: candidate.paths.map((path) => pathOf({ layer, path }, layers)),
        from: candidate.inode.number,
        to: keepers.of(merge).number,
      })),
    );
  workplace.batch(paths, several, () => {
    for (const replacement of present) replaceOne(replacement, keepers, around);
  });
}

/** Whether its directory can be opened, so that the batch can take down its time. */
function exists(workplace: Workplace, path: Bytes): boolean {
  try {
    workplace.directories.open(split(path)[0]);
    return true;
  } catch (error) {
    if (error instanceof SyscallError) return false;
    throw error;
  }
}

function replaceOne({ merge, candidate }: Replacement, keepers: Keepers, around: Surroundings): void {
  const { layers, workplace, done } = around;
  const keeper = keepers.of(merge);
  const files = candidate.inode.names.map((name) => fileOf(name, around));
  if (!files.every((file) => isSame(candidate.inode, statusOf(file)))) {
    done.changed++;
    return;
  }
  // All links before the first rename: either all names of a file change, or none.
  const links: string[] = [];
  try {
    for (const _ of files) links.push(linkTo(keeper, links.length, around));
    for (const [index, name] of candidate.inode.names.entries())
      workplace.exchange(links[index] ?? "", pathOf(name, layers), candidate.inode.number);
    links.length = 0;
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (code === "EMLINK")
      keepers.set(merge, candidate.inode); // the next ones become links to this one
    else if (code === "ENOENT") done.changed++;
    else if (["EPERM", "EXDEV", "EACCES", "EINVAL"].includes(code))
      done.refused++; // immutable, of another quota project, not ours, a file system that can not exchange
    else throw explained(error, code);
    return;
  } finally {
    for (const link of links) fs.rmSync(link, { force: true });
    refresh(merge, keepers, around);
  }
  done.files += files.length;
  done.diskBytes += candidate.inode.diskBytes;
  done.cacheBytes += inPages(candidate.inode.sizeBytes);
}

function fileOf(name: Name, { layers, workplace }: Surroundings): Buffer {
  return workplace.directories.file(...split(pathOf(name, layers)));
}

function statusOf(file: Buffer | string): fs.BigIntStats | undefined {
  return fs.lstatSync(file, { bigint: true, throwIfNoEntry: false });
}

/** A link to the keeper, not yet in its place; `more` it got just now. Throws ENOENT when it is not the file that it was. */
function linkTo(keeper: Inode, more: number, around: Surroundings): string {
  const gone = Object.assign(new Error("the file has changed"), { code: "ENOENT" });
  const [name] = keeper.names;
  if (name === undefined) throw gone;
  const file = fileOf(name, around);
  const before = statusOf(file);
  // A link changes ctime; all else has to be as it was.
  if (more === 0 && !isSame(keeper, before)) throw gone;
  const temporary = around.workplace.temporary();
  fs.linkSync(file, temporary);
  const after = statusOf(temporary);
  if (isSame({ ...keeper, ctimeNs: after?.ctimeNs ?? 0n }, after) && Number(after?.nlink) === keeper.links + more + 1)
    return temporary;
  fs.unlinkSync(temporary);
  throw gone;
}

/** The keeper has another number of links by now, and so another ctime. */
function refresh(merge: Merge, keepers: Keepers, around: Surroundings): void {
  const keeper = keepers.of(merge);
  const [name] = keeper.names;
  const status = name === undefined ? undefined : statusOf(fileOf(name, around));
  if (status === undefined || !isSame({ ...keeper, ctimeNs: status.ctimeNs }, status)) return;
  const after = { ...keeper, ctimeNs: status.ctimeNs, links: Number(status.nlink) };
  around.onChanged(keeper, after);
  keepers.set(merge, after);
}

function explained(error: unknown, code: string): unknown {
  if (code !== "ENOSPC" && code !== "EDQUOT") return error;
  return new RegError(code, `link(2) in the image store: no space left (${code})`, {
    hint: "even a link needs a little space; nothing is half done, and reg-env share can be run again",
    cause: error,
  });
}
