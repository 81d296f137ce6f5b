/**
 * The trees that containers use now, as the kernel knows them: no record of ours has to be kept true when a container is
 * killed. A tree is in use when it is mounted in any mount namespace, bound (the mount's root is the tree) or as a layer of an
 * overlay (its options name it). Source: proc_pid_mountinfo(5).
 */
import * as fs from "node:fs";

const TREE = /\/trees\/([0-9a-f]{64})(?![0-9a-f])/g;

export interface LiveTrees {
  readonly digests: ReadonlySet<string>;
  /** Processes that this one may not look at: with more capabilities than it has, or of another user. */
  readonly hiddenPids: readonly number[];
}

/**
 * Trees in use on this host. A digest says all: the same tree in another store is taken for ours, which keeps it for longer than
 * needed, and no path has to be compared between namespaces. Only namespaces that some process is in are seen.
 */
export function findLiveTrees(): LiveTrees {
  const digests = new Set<string>();
  const seen = new Set<string>();
  let hiddenPids: number[] = [];
  // Again until nothing is new: a process may have moved to a new namespace after the list was read.
  for (let before = -1; before !== seen.size; ) {
    before = seen.size;
    hiddenPids = [];
    for (const pid of processes()) {
      const namespace = read(() => fs.readlinkSync(`/proc/${pid}/ns/mnt`));
      if (namespace === GONE || (namespace !== HIDDEN && seen.has(namespace))) continue;
      // Whoever may not know the namespace may often see its mounts all the same.
      const mounts = read(() => fs.readFileSync(`/proc/${pid}/mountinfo`, "utf8"));
      if (mounts === HIDDEN) hiddenPids.push(pid);
      if (mounts === GONE || mounts === HIDDEN) continue;
      for (const digest of treesIn(mounts)) digests.add(digest);
      if (namespace !== HIDDEN) seen.add(namespace);
    }
  }
  return { digests, hiddenPids };
}

const GONE = Symbol("the process has ended, or is a zombie");
const HIDDEN = Symbol("not for us to see");

function read(action: () => string): string | typeof GONE | typeof HIDDEN {
  try {
    return action();
  } catch (error) {
    const { code = "" } = error as NodeJS.ErrnoException;
    if (["ENOENT", "ESRCH", "EINVAL"].includes(code)) return GONE;
    if (["EACCES", "EPERM"].includes(code)) return HIDDEN;
    throw error;
  }
}

/** The trees that a mountinfo names. */
export function treesIn(mountinfo: string): string[] {
  return [...mountinfo.matchAll(TREE)].flatMap(([, digest]) => (digest === undefined ? [] : [digest]));
}

function processes(): number[] {
  return fs.readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
}
