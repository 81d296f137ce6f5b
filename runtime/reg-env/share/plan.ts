/** Which file takes the place of which: equal ones are found by reading those that agree in everything else. */
import * as fs from "node:fs";
import { SyscallError } from "../../errors/errors.ts";
import type { Digests } from "./digests.ts";
import { type Directories, split } from "./directories.ts";
import type { Candidate } from "./groups.ts";
import type { Inode, Name } from "./scan.ts";
import type { Layer } from "./stores/store.ts";

const PAGE_BYTES = 4096;
const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY, O_NOATIME } = fs.constants;

/** Equal files. */
export interface Merge {
  /** The one that stays. */
  readonly keeper: Candidate;
  /** Those whose names become links to it. */
  readonly replaced: readonly Candidate[];
}

export interface Gain {
  /** Names that become links. */
  readonly files: number;
  /** What the replaced files take on the disk. */
  readonly diskBytes: number;
  /** What they would take in the page cache when all of them are read. */
  readonly cacheBytes: number;
}

export interface Finder {
  readonly device: number;
  readonly layers: readonly Layer[];
  readonly directories: Directories;
  readonly digests: Digests;
  /** Whether a file of a mounted layer may get more links. */
  readonly linkToMounted: boolean;
}

/** The equal ones of a group. Files that have changed, or can not be read, are left out. */
export function findMerges(group: readonly Candidate[], finder: Finder): Merge[] {
  const usable = group.filter(({ mounted }) => !mounted || finder.linkToMounted);
  if (usable.length < 2 || usable.every(({ mounted }) => mounted)) return [];
  const equal = new Map<string, Candidate[]>();
  for (const candidate of usable) {
    const digest = digestOf(candidate.inode, finder);
    if (digest === undefined) continue;
    const others = equal.get(digest);
    if (others === undefined) equal.set(digest, [candidate]);
    else others.push(candidate);
  }
  return [...equal.values()].flatMap((candidates) => {
    const [keeper, ...rest] = candidates.sort(byLinks);
    const replaced = rest.filter(({ mounted }) => !mounted);
    return keeper === undefined || replaced.length === 0 ? [] : [{ keeper, replaced }];
  });
}

/** Mounted ones first, as they stay anyway; then those with most links, as the fewest names have to change. */
function byLinks(left: Candidate, right: Candidate): number {
  return Number(right.mounted) - Number(left.mounted) || right.inode.links - left.inode.links;
}

/** What it is worth when these files, with these names, are links. */
export function gainOf(files: readonly { readonly inode: Inode; readonly names?: readonly unknown[] }[]): Gain {
  return {
    files: files.reduce((sum, { inode, names = inode.names }) => sum + names.length, 0),
    diskBytes: files.reduce((sum, { inode }) => sum + inode.diskBytes, 0),
    cacheBytes: files.reduce((sum, { inode }) => sum + inPages(inode.sizeBytes), 0),
  };
}

/** Bytes in the page cache. */
export function inPages(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
}

function digestOf(inode: Inode, finder: Finder): string | undefined {
  const remembered = finder.digests.remembered(finder.device, inode);
  if (remembered !== undefined) return remembered;
  const fd = openInode(inode, finder);
  if (fd === undefined) return undefined;
  try {
    const digest = finder.digests.of(finder.device, inode, fd);
    return isSame(inode, fs.fstatSync(fd, { bigint: true })) ? digest : undefined;
  } finally {
    fs.closeSync(fd);
  }
}

/** undefined when what has this name is another file now, or when it is closed to this user. */
function openInode(inode: Inode, { layers, directories }: Finder): number | undefined {
  const [name] = inode.names;
  if (name === undefined) return undefined;
  for (const flags of [O_NOATIME, 0])
    try {
      const file = directories.file(...split(pathOf(name, layers)));
      const fd = fs.openSync(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | flags);
      if (isSame(inode, fs.fstatSync(fd, { bigint: true }))) return fd;
      fs.closeSync(fd);
      return undefined;
    } catch (error) {
      const { code = "" } = error as NodeJS.ErrnoException;
      if (code === "EPERM" && flags !== 0) continue; // only the owner may leave the access time alone
      if (error instanceof SyscallError || ["ENOENT", "ELOOP", "EACCES", "EPERM", "ENXIO"].includes(code))
        return undefined;
      throw error;
    }
  return undefined;
}

/** Below the store's base. */
export function pathOf({ layer, path }: Name, layers: readonly Layer[]): string {
  return `${layers[layer]?.directory}/${path}`;
}

/** Whether this is the file as it was found, to the last change of anything in it. */
export function isSame(inode: Inode, status: fs.BigIntStats | undefined): boolean {
  return (
    status?.isFile() === true &&
    Number(status.ino) === inode.number &&
    status.ctimeNs === inode.ctimeNs &&
    status.mtimeNs === inode.mtimeNs &&
    Number(status.size) === inode.sizeBytes
  );
}
