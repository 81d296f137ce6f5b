/** What cgroups the host has: version, hierarchies, and the caller's own place in them. Source: cgroups(7). */
import { host } from "#host";
import { ENOENT } from "../../errors/errno.ts";
import { SyscallError } from "../../errors/errors.ts";
import * as C from "../../libc/constants.ts";
import { exists, filesystemDevice, open, readDirectory, readText, withFd } from "../../libc/file.ts";
import { libc } from "../../libc/libc.ts";
import { Struct } from "../../libc/memory.ts";
import { isInUserNamespace } from "../user-namespace.ts";

export const CGROUP_ROOT = "/sys/fs/cgroup";

/**
 * A mounted hierarchy. `name` is its directory below /sys/fs/cgroup: "memory", "cpu,cpuacct" for controllers mounted
 * together, "systemd" for one without controllers, "unified" for cgroup v2 beside v1; "" on a cgroup v2 host.
 */
export interface Hierarchy {
  readonly name: string;
  readonly mountpoint: string;
}

/** Facts about the host that a cgroup plan needs. */
export interface CgroupHost {
  /** "v1" is also a hybrid host: its unified hierarchy holds no controllers and is only joined. */
  readonly mode: "v1" | "v2";
  /** None when the host has no cgroups at all. */
  readonly hierarchies: readonly Hierarchy[];
  /** The caller's own cgroup by hierarchy, below the mountpoint ("/", "/user.slice/a.scope"); absent when not asked for. */
  readonly own?: Readonly<Record<string, string>>;
  /** The caller is in a user namespace of its own, where root is not root; absent when not asked for. */
  readonly userNamespace?: boolean;
}

/**
 * Looks at the host's cgroups. One system call on cgroup v2, one and a statx(2) for each hierarchy on v1; with `own`, it
 * reads /proc/self/cgroup too, which only a relative path or the systemd driver needs.
 */
export function detectCgroups(own = false, root: string = CGROUP_ROOT): CgroupHost {
  const found = findHierarchies(root);
  return own ? { ...found, own: readOwnCgroups(found.hierarchies), userNamespace: isInUserNamespace() } : found;
}

function findHierarchies(root: string): CgroupHost {
  const status = new Struct(120);
  if (libc.statfs(root, status.bytes) === -1) {
    if (host.errno() === ENOENT) return { mode: "v1", hierarchies: [] };
    throw new SyscallError("statfs(2)", root, host.errno());
  }
  if (status.u64(0) === C.CGROUP2_SUPER_MAGIC) return { mode: "v2", hierarchies: [{ name: "", mountpoint: root }] };
  // A directory that nothing is mounted on has the device of the tmpfs around it. Symlinks are second names.
  const device = filesystemDevice(root);
  const hierarchies: Hierarchy[] = [];
  for (const { name, type } of withFd(open(root, C.O_RDONLY | C.O_DIRECTORY), readDirectory)) {
    const mountpoint = `${root}/${name}`;
    if (type === C.S_IFDIR && filesystemDevice(mountpoint) !== device) hierarchies.push({ name, mountpoint });
  }
  return { mode: "v1", hierarchies };
}

/** True when the hierarchy of this name has the controller. */
export function hasController(name: string, controller: string): boolean {
  return name === controller || (name.includes(",") && name.split(",").includes(controller));
}

/** Places of one process by hierarchy name, from the text of /proc/PID/cgroup. */
export function parseOwnCgroups(text: string, hierarchies: readonly Hierarchy[]): Record<string, string> {
  const places: Record<string, string> = {};
  for (const line of text.split("\n")) {
    // `4:memory:/a`, `2:cpu,cpuacct:/a`, `9:name=systemd:/a`, `0::/a`
    const first = line.indexOf(":");
    const second = line.indexOf(":", first + 1);
    if (second < 0) continue;
    const label = line.slice(first + 1, second);
    const controller = label.startsWith("name=") ? label.slice(5) : (label.split(",")[0] ?? "");
    for (const { name } of hierarchies)
      if (controller === "" ? name === "" || name === "unified" : hasController(name, controller))
        places[name] = line.slice(second + 1);
  }
  return places;
}

/**
 * The caller's own cgroups. In a container without a cgroup namespace the kernel names places that the mounts here do not
 * show: those count as "/".
 */
function readOwnCgroups(hierarchies: readonly Hierarchy[]): Record<string, string> {
  const places = parseOwnCgroups(readText("/proc/self/cgroup"), hierarchies);
  for (const { name, mountpoint } of hierarchies) {
    const place = places[name] ?? "/";
    const visible = place !== "/" && !place.startsWith("/..") && exists(mountpoint + place);
    places[name] = visible ? place : "/";
  }
  return places;
}
