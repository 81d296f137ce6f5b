/**
 * What a container has mounted from the host. CRIU saves a filesystem that is the container's own, and of others only a name; when it
 * restores, it is told what to mount under that name. The names are the destinations in config.json, as other runtimes have them.
 */
import * as C from "../../libc/constants.ts";
import { close, open, readText, stat, withFd } from "../../libc/file.ts";
import { type MountInfo, mountIdOf, parseMountinfo } from "../../linux/mountinfo.ts";
import { openInRootIfExists, splitPath } from "../../linux/path.ts";
import type { DevicePlan } from "../../oci/plan/devices.ts";
import type { MountPlan } from "../../oci/plan/mounts.ts";
import type { PathPlan } from "../../oci/plan/plan.ts";

/** Where a mount is in the container, and its name in the checkpoint. */
export interface ExternalMount {
  readonly key: string;
  readonly value: string;
}

export interface MountedFromHost {
  readonly mounts: readonly MountPlan[];
  readonly maskedPaths: readonly PathPlan[];
  readonly devices: readonly DevicePlan[];
  /** Whether the container has a cgroup namespace: what it sees of cgroups is its own then. */
  readonly ownCgroups: boolean;
}

const NULL = "/dev/null";

/** Looks for the mounts in the mount namespace of a process that is the container's init. */
export function findExternalMounts(
  pid: number,
  { mounts, maskedPaths, devices, ownCgroups }: MountedFromHost,
): ExternalMount[] {
  const present = parseMountinfo(readText(`/proc/${pid}/mountinfo`));
  return withFd(open(`/proc/${pid}/root`, C.O_PATH | C.O_DIRECTORY), (root) => {
    const mountAt = (path: string) => findMount(root, path, present);
    const asked = mounts.map((entry) => ({ entry, mount: mountAt(entry.destination) }));
    const known = new Set(asked.map(({ mount }) => mount?.id));
    const external = new Map<string, string>();
    const add = (mount: MountInfo | undefined, name: string) => {
      if (mount !== undefined) external.set(mount.mountpoint, name);
    };
    for (const { entry, mount } of asked) {
      if (mount === undefined) continue;
      if (entry.kind === "bind") add(mount, entry.destination);
      // With the source of a bind mount come those below it, and those that the host has added since.
      if (entry.kind === "bind" || (entry.kind === "cgroup" && !ownCgroups))
        for (const below of present) {
          const isBelow = below.mountpoint.startsWith(`${mount.mountpoint}/`) && !known.has(below.id);
          const counts = entry.kind === "bind" || below.type.startsWith("cgroup");
          if (isBelow && counts) add(below, `${entry.destination}${below.mountpoint.slice(mount.mountpoint.length)}`);
        }
      if (entry.kind === "cgroup" && !ownCgroups && mount.type.startsWith("cgroup")) add(mount, entry.destination);
    }
    // A masked file shows the container's own /dev/null, unless that is the host's, as in a user namespace.
    const isBound = mounts.some(({ kind, destination }) => kind === "bind" && destination === "/dev");
    if (isBound || mountAt(NULL) !== undefined)
      for (const { path } of maskedPaths) if (!isDirectory(root, path)) add(mountAt(path), NULL);
    for (const { path } of devices) add(mountAt(path), path);
    return [...external].map(([key, value]) => ({ key, value }));
  });
}

/** The mount whose root is at the path; undefined when the path is not there or nothing is mounted on it. */
function findMount(root: number, path: string, present: readonly MountInfo[]): MountInfo | undefined {
  const idAt = (place: string) => {
    const fd = openInRootIfExists(root, place);
    return fd === undefined ? undefined : withFd(fd, mountIdOf);
  };
  const id = idAt(path);
  const [parent] = splitPath(path);
  if (id === undefined || path === "/" || id === idAt(parent === "" ? "/" : parent)) return undefined;
  return present.find((mount) => mount.id === id);
}

function isDirectory(root: number, path: string): boolean {
  const fd = openInRootIfExists(root, path);
  if (fd === undefined) return false;
  const { type } = stat("", fd);
  close(fd);
  return type === C.S_IFDIR;
}
