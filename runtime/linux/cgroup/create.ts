/** Makes a container's cgroup directories ready to be joined. Whatever fails, only what was there before stays. */
import { host } from "#host";
import { EACCES, EAGAIN, EBUSY, EEXIST, ENOENT, EPERM, EROFS } from "../../errors/errno.ts";
import { RegError, SyscallError } from "../../errors/errors.ts";
import * as C from "../../libc/constants.ts";
import { isErrno } from "../../libc/file.ts";
import { libc } from "../../libc/libc.ts";
import { readControl, tryWriteControl, writeControl } from "./file.ts";
import { isFrozen } from "./freezer.ts";
import { hasController } from "./host.ts";
import { listPids } from "./processes.ts";
import type { CgroupPlan, CgroupState } from "./types.ts";
import { applyWrites } from "./write.ts";

const FIELD = "/linux/cgroupsPath";

/**
 * Makes the directories of `state.paths`, copies the parents' cpuset down (v1), enables controllers (v2) and does the
 * plan's early writes. False when the caller may not, and the plan says that this does not matter. `started`: the
 * container's process is in some of them already, as systemd put it there.
 */
export function makeCgroups(plan: CgroupPlan, state: CgroupState, started = false): boolean {
  const made: string[] = [];
  try {
    let existed = false;
    for (const name in state.paths) {
      const path = state.paths[name] ?? "";
      const mountpoint = plan.mountpoints[name] ?? "";
      const from = made.length;
      const fresh = makeDirectory(path, mountpoint, made);
      if (!fresh) existed = true;
      if (name === "" && !(started && hasNeeded(plan, path))) enableControllers(mountpoint, path);
      else if (hasController(name, "cpuset")) inheritCpuset(fresh ? made.slice(from) : [path], fresh, mountpoint);
    }
    if (existed && !started) refuseInUse(state);
    if (plan.early.length > 0) applyWrites(state, plan.early);
    return true;
  } catch (error) {
    while (made.length > 0) libc.unlinkat(C.AT_FDCWD, made.pop() ?? "", C.AT_REMOVEDIR);
    // A limit that the container was to have from the start can not be left out without a word.
    if (plan.optional && plan.early.length === 0 && isErrno(error, EACCES, EPERM, EROFS)) return false;
    throw error;
  }
}

/** mkdir with parents, noting what was made, top first. False when the directory was there. */
function makeDirectory(path: string, mountpoint: string, made: string[]): boolean {
  if (libc.mkdirat(C.AT_FDCWD, path, 0o755) === 0) {
    made.push(path);
    return true;
  }
  const errno = host.errno();
  if (errno === EEXIST) return false;
  const parent = path.slice(0, path.lastIndexOf("/"));
  if (errno !== ENOENT || parent.length < mountpoint.length) throw notMade(path, errno);
  makeDirectory(parent, mountpoint, made);
  return makeDirectory(path, mountpoint, made);
}

function notMade(path: string, errno: number): SyscallError {
  const hint =
    errno === EACCES || errno === EPERM || errno === EROFS
      ? "run as root, give a cgroupsPath below a delegated cgroup, or let systemd delegate one (--systemd-cgroup)"
      : errno === EAGAIN
        ? "a cgroup above has reached cgroup.max.descendants or cgroup.max.depth"
        : undefined;
  return new SyscallError("mkdirat(2)", path, errno, { field: FIELD, ...(hint === undefined ? {} : { hint }) });
}

/**
 * A v1 cpuset begins empty and can not be joined until it has CPUs and memory nodes: each takes its parent's.
 * `directories` were made just now, each below the one before, unless `fresh` is false: such a one may have its own. One above that
 * is empty too, as mkdir(1) leaves it, gets the same.
 */
function inheritCpuset(directories: readonly string[], fresh: boolean, mountpoint: string): void {
  const [first = ""] = directories;
  const parent = first.slice(0, first.lastIndexOf("/"));
  for (const file of ["cpuset.cpus", "cpuset.mems"]) {
    if (!fresh && readControl(`${first}/${file}`) !== "") continue;
    const value = cpusetOf(parent, file, mountpoint);
    if (value) for (const directory of directories) writeControl(`${directory}/${file}`, value, { field: FIELD });
  }
}

/** What the file says, after it was filled from above where it is empty; undefined beyond the hierarchy's root. */
function cpusetOf(directory: string, file: string, mountpoint: string): string | undefined {
  const own = readControl(`${directory}/${file}`);
  if (own !== "" || directory.length <= mountpoint.length) return own;
  const value = cpusetOf(directory.slice(0, directory.lastIndexOf("/")), file, mountpoint);
  if (value) writeControl(`${directory}/${file}`, value, { field: FIELD });
  return value;
}

/** True when the cgroup has every controller that the plan writes to: systemd enables those it was asked for. */
function hasNeeded(plan: CgroupPlan, path: string): boolean {
  const enabled = (readControl(`${path}/cgroup.controllers`) ?? "").split(" ");
  return plan.writes.every(({ controller }) => controller === "cgroup" || enabled.includes(controller));
}

/**
 * Enables every controller of the hierarchy for the cgroup, as far as the caller may: a limit whose controller stays
 * off is reported when it is written. Two small reads when they are on already; writing subtree_control is slow.
 */
function enableControllers(mountpoint: string, path: string): void {
  const available = readControl(`${mountpoint}/cgroup.controllers`);
  if (available === undefined || available === readControl(`${path}/cgroup.controllers`)) return;
  for (let end = mountpoint.length; end >= 0 && end < path.length; end = path.indexOf("/", end + 1)) {
    const parent = path.slice(0, end);
    const enabled = (readControl(`${parent}/cgroup.subtree_control`) ?? "").split(" ");
    const missing = (readControl(`${parent}/cgroup.controllers`) ?? "")
      .split(" ")
      .filter((name) => name !== "" && !enabled.includes(name))
      .map((name) => `+${name}`);
    const file = `${parent}/cgroup.subtree_control`;
    if (missing.length === 0) continue;
    const errno = tryWriteControl(file, host.encode(missing.join(" ")));
    // All or nothing for the kernel: one that can not be enabled must not cost the others. But where processes are in the
    // way (EBUSY), those that go one by one would make the cgroup threaded, and the container's one below it unusable.
    if (errno !== 0 && errno !== EBUSY && missing.length > 1)
      for (const name of missing) tryWriteControl(file, host.encode(name));
  }
}

/**
 * A cgroup that was there before may be used only when it is empty and not frozen: it is removed with the container. On v1 the processes of
 * another may be in any of the hierarchies.
 */
function refuseInUse(state: CgroupState): void {
  const paths = Object.values(state.paths);
  for (const path of paths) {
    const count = listPids(path, true).length;
    if (count === 0) continue;
    throw new RegError("EBUSY", `container's cgroup is not empty: ${count} process(es) found`, {
      field: FIELD,
      hint: `another container uses ${path}: give this one a cgroupsPath of its own`,
    });
  }
  if (isFrozen(state))
    throw new RegError("EBUSY", "container's cgroup unexpectedly frozen", {
      field: FIELD,
      hint: `thaw or remove ${state.paths.freezer ?? paths[0]}`,
    });
}
