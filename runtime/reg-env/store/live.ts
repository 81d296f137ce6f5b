/**
 * The trees that containers use now, as the kernel knows them: no record of ours has to be kept true when a container is
 * killed. A tree is in use when it is mounted in any mount namespace, bound (the mount's root is the tree) or as a layer of an
 * overlay (its options name it).
 */
import * as fs from "node:fs";
import { readMountTables } from "../mount-tables.ts";

const TREE = /\/trees\/([0-9a-f]{64})(?![0-9a-f])/g;

export interface LiveTrees {
  readonly digests: ReadonlySet<string>;
  /** Processes that this one may not look at, with more capabilities than it has, or of another user who may use the store. */
  readonly hiddenPids: readonly number[];
}

/**
 * Trees in use on this host. A digest says all: the same tree in another store is taken for ours, which keeps it for longer than
 * needed, and no path has to be compared between namespaces. Only namespaces that some process is in are seen.
 */
export function findLiveTrees(): LiveTrees {
  const { tables, hiddenPids } = readMountTables();
  return { digests: new Set(tables.flatMap(({ text }) => treesIn(text))), hiddenPids: hiddenPids.filter(mayUseStore) };
}

/** A store is closed to all but its owner and root, so a user's is not in use by the processes of others. */
function mayUseStore(pid: number): boolean {
  const uid = process.geteuid?.() ?? 0;
  const root = fs.statSync("/").uid;
  if (uid === 0 && root === 0) return true;
  const owner = fs.statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid;
  return owner !== undefined && owner === uid;
}

/** The trees that a mountinfo names. */
export function treesIn(mountinfo: string): string[] {
  return [...mountinfo.matchAll(TREE)].flatMap(([, digest]) => (digest === undefined ? [] : [digest]));
}
