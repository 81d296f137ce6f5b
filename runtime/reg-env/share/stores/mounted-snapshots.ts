/**
 * Which of containerd's snapshots are part of something mounted. A snapshot's directory is called "<number>/fs", and every containerd of the
 * machine counts from 1: so a path in a mount table is looked up where it was mounted, and its inode compared. What can not be found there,
 * or is no absolute path, counts for each snapshot with the number.
 */
import * as fs from "node:fs";
import type { MountTable } from "../../mount-tables.ts";

export interface MountedIds {
  readonly ids: ReadonlySet<string>;
  /** Some of them count by their number, as a path was not found: its mount may have gone since the tables were read. */
  readonly supposed: boolean;
}

/** Ids of the snapshots, of those in `directories` (by id), that a mount shows or is made of. */
export function mountedIds(directories: ReadonlyMap<string, string>, mountTables: readonly MountTable[]): MountedIds {
  const idsByInode = new Map<string, string>();
  for (const [id, directory] of directories) {
    const inode = inodeOf(directory);
    if (inode !== undefined) idsByInode.set(inode, id);
  }
  const ids = new Set<string>();
  let supposed = false;
  for (const { number, inodes } of mentions(mountTables)) {
    if (inodes.size === 0 && directories.has(number)) {
      ids.add(number);
      supposed = true;
    }
    for (const inode of inodes) {
      const id = idsByInode.get(inode);
      if (id !== undefined) ids.add(id);
    }
  }
  return { ids, supposed };
}

interface Mention {
  readonly number: string;
  /** What the path leads to, wherever that can be said. */
  readonly inodes: Set<string>;
}

function mentions(mountTables: readonly MountTable[]): Iterable<Mention> {
  const found = new Map<string, Mention>();
  const add = (path: string, number: string, root: string, place: string) => {
    const mention = found.get(path) ?? { number, inodes: new Set() };
    found.set(path, mention);
    const inode = place.startsWith("/") ? inodeOf(`${root}${place}`) : undefined;
    if (inode !== undefined) mention.inodes.add(inode);
  };
  for (const { root, text } of mountTables)
    for (const line of text.split("\n")) {
      if (!line.includes("/fs")) continue;
      const [, , , shown = "", mountPoint = ""] = line.split(" ");
      const number = numberOf(shown);
      // A bind mount: its root is a path of the file system, which only the mount point leads to.
      if (number !== undefined) add(`${shown} on ${mountPoint}`, number, root, unescaped(mountPoint));
      for (const [, value = ""] of line.matchAll(/[ ,](?:lowerdir\+?|upperdir|datadir\+?)=((?:\\.|[^\\, ])*)/g))
        for (const path of unescaped(value).split(/(?<!\\):+/)) {
          const ofPath = numberOf(path);
          if (ofPath !== undefined) add(path, ofPath, root, path.replaceAll(/\\(.)/g, "$1")); // overlay has escapes of its own
        }
    }
  return found.values();
}

function numberOf(path: string): string | undefined {
  return /(?:^|\/)(\d+)\/fs$/.exec(path)?.[1];
}

/** The mount table's escapes, as \040. */
function unescaped(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/** undefined when there is nothing, or nothing that may be looked at. */
function inodeOf(path: string): string | undefined {
  try {
    const { dev, ino } = fs.statSync(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return undefined; // then it is not known where the path leads, which is said to our caller
  }
}
