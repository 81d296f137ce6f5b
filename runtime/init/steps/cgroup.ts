/** Mounts of type "cgroup": what the container sees of its cgroups. Source: runtime-spec config-linux.md "Control groups". */
import { host } from "#host";
import { EEXIST } from "../../errors/errno.ts";
import { at, SyscallError } from "../../errors/errors.ts";
import * as C from "../../libc/constants.ts";
import { open, readText, withFd } from "../../libc/file.ts";
import { libc } from "../../libc/libc.ts";
import { cloneTree, mount, moveMount, setMountAttributes } from "../../libc/mount.ts";
import { type CgroupHost, type Hierarchy, parseOwnCgroups } from "../../linux/cgroup/host.ts";
import { directoryInRoot, fdPath } from "../../linux/path.ts";
import { refuseProc } from "../../linux/procfs.ts";
import type { CgroupMount } from "../../oci/plan/mounts.ts";

/** Mounts the cgroup filesystem, or the tmpfs with one mount for each hierarchy on v1. The process is in its cgroup by now. */
export function mountCgroup(root: number, entry: CgroupMount, cgroups: CgroupHost, ownNamespace: boolean): void {
  at(entry.field, () =>
    cgroups.mode === "v2" ? mountV2(root, entry, cgroups, ownNamespace) : mountV1(root, entry, cgroups, ownNamespace),
  );
}

/** A copy of the host's mount of the hierarchy, cut at this process's own cgroup, with the attributes the entry asks for. */
function bindOwnCgroup(target: number, hierarchy: Hierarchy, place: string, entry: CgroupMount): void {
  withFd(cloneTree(`${hierarchy.mountpoint}${place === "/" ? "" : place}`, false), (tree) => {
    const { set, clear } = entry.options;
    if ((set | clear) !== 0) setMountAttributes(tree, { set, clear }, false, entry.destination);
    moveMount(tree, target, entry.destination);
  });
}

function ownPlaces(cgroups: CgroupHost): Record<string, string> {
  return parseOwnCgroups(readText("/proc/self/cgroup"), cgroups.hierarchies);
}

function mountV2(root: number, entry: CgroupMount, cgroups: CgroupHost, ownNamespace: boolean): void {
  const [hierarchy] = cgroups.hierarchies;
  if (hierarchy === undefined) return;
  withFd(directoryInRoot(root, entry.destination).fd, (target) => {
    refuseProc(target, entry.destination);
    // In a cgroup namespace the filesystem's root is this process's cgroup.
    if (ownNamespace) {
      try {
        mount("cgroup", fdPath(target), "cgroup2", entry.options.flags, entry.options.data || null);
        return;
      } catch (error) {
        if (!(error instanceof SyscallError) || (error.code !== "EPERM" && error.code !== "EBUSY")) throw error;
      }
    }
    bindOwnCgroup(target, hierarchy, ownPlaces(cgroups)[hierarchy.name] ?? "/", entry);
  });
}

function mountV1(root: number, entry: CgroupMount, cgroups: CgroupHost, ownNamespace: boolean): void {
  const readonly = (entry.options.flags & C.MS_RDONLY) !== 0;
  withFd(directoryInRoot(root, entry.destination).fd, (under) => {
    refuseProc(under, entry.destination);
    mount("tmpfs", fdPath(under), "tmpfs", entry.options.flags & ~C.MS_RDONLY, "mode=755");
  });
  const places = ownNamespace ? {} : ownPlaces(cgroups);
  withFd(directoryInRoot(root, entry.destination).fd, (directory) => {
    for (const hierarchy of cgroups.hierarchies) {
      if (libc.mkdirat(directory, hierarchy.name, 0o755) === -1 && host.errno() !== EEXIST)
        throw new SyscallError("mkdirat(2)", hierarchy.name, host.errno());
      withFd(open(hierarchy.name, C.O_PATH | C.O_DIRECTORY | C.O_NOFOLLOW, 0, directory), (target) => {
        if (ownNamespace) mountHierarchy(target, hierarchy.name, entry.options.flags);
        else bindOwnCgroup(target, hierarchy, places[hierarchy.name] ?? "/", entry);
      });
      // cpu,cpuacct is one hierarchy with three names.
      if (hierarchy.name.includes(","))
        for (const name of hierarchy.name.split(",")) libc.symlinkat(hierarchy.name, directory, name);
    }
    if (readonly) mount(null, fdPath(directory), null, C.MS_REMOUNT | C.MS_BIND | entry.options.flags, null);
  });
}

function mountHierarchy(target: number, name: string, flags: number): void {
  if (name === "unified") mount("cgroup2", fdPath(target), "cgroup2", flags, null);
  else mount("cgroup", fdPath(target), "cgroup", flags, name === "systemd" ? "none,name=systemd" : name);
}
