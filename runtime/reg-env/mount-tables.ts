/** The mount tables of all mount namespaces that some process is in. Source: proc_pid_mountinfo(5), mount_namespaces(7). */
import * as fs from "node:fs";

/** The mounts of a namespace. */
export interface MountTable {
  /** A mountinfo. */
  readonly text: string;
  /** Leads to the root directory of a process in the namespace. */
  readonly root: string;
}

export interface MountTables {
  readonly tables: readonly MountTable[];
  /** Processes that this one may not look at: with more capabilities than it has, or of another user. */
  readonly hiddenPids: readonly number[];
}

/**
 * Not seen: a namespace that only a descriptor or a bind mount keeps, mounts that are attached nowhere, and those of processes that are
 * hidden from this one (`hiddenPids`) or live in another pid namespace beside ours.
 */
export function readMountTables(): MountTables {
  const tables = new Map<string, MountTable>();
  let nameless: MountTable[] = [];
  let hiddenPids: number[] = [];
  // Again until nothing is new: a process may have moved to a new namespace after the list was read.
  for (let before = -1; before !== tables.size; ) {
    before = tables.size;
    nameless = [];
    hiddenPids = [];
    for (const pid of processes()) {
      const namespace = read(() => fs.readlinkSync(`/proc/${pid}/ns/mnt`));
      if (namespace === GONE || (namespace !== HIDDEN && tables.has(namespace))) continue;
      // Whoever may not know the namespace may often see its mounts all the same.
      const mounts = read(() => fs.readFileSync(`/proc/${pid}/mountinfo`, "utf8"));
      if (mounts === HIDDEN) hiddenPids.push(pid);
      if (mounts === GONE || mounts === HIDDEN) continue;
      const table = { text: mounts, root: `/proc/${pid}/root` };
      if (namespace === HIDDEN) nameless.push(table);
      else tables.set(namespace, table);
    }
  }
  return { tables: [...tables.values(), ...nameless], hiddenPids };
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

function processes(): number[] {
  return fs.readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? [Number(name)] : []));
}
