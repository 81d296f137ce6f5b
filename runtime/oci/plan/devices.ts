/** Device nodes and links in the container's /dev, as data. Pure. Source: runtime-spec config-linux.md "Default Devices". */
import * as C from "../../libc/constants.ts";
import type { Config, DeviceType } from "../config.ts";
import { cleanPath, type MountPlan } from "./mounts.ts";

export interface DevicePlan {
  readonly path: string;
  /** S_IF* bits. */
  readonly type: number;
  readonly major: number;
  readonly minor: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** JSON pointer of what asked for it; the default devices are the spec's. */
  readonly field: string;
}

const TYPES: Readonly<Record<DeviceType, number>> = { c: C.S_IFCHR, u: C.S_IFCHR, b: C.S_IFBLK, p: C.S_IFIFO };

const DEFAULTS: readonly (readonly [path: string, major: number, minor: number])[] = [
  ["/dev/null", 1, 3],
  ["/dev/zero", 1, 5],
  ["/dev/full", 1, 7],
  ["/dev/random", 1, 8],
  ["/dev/urandom", 1, 9],
  ["/dev/tty", 5, 0],
];

/** Links that every container's /dev has: [path, target]. */
export const DEVICE_LINKS: readonly (readonly [path: string, target: string])[] = [
  ["/dev/fd", "/proc/self/fd"],
  ["/dev/stdin", "/proc/self/fd/0"],
  ["/dev/stdout", "/proc/self/fd/1"],
  ["/dev/stderr", "/proc/self/fd/2"],
  ["/dev/ptmx", "pts/ptmx"],
];

/** True when the container's /dev is reg's to fill: always, unless the host's directory is bound there. */
export function fillsDev(mounts: readonly MountPlan[]): boolean {
  return !mounts.some((mount) => mount.kind === "bind" && mount.destination === "/dev");
}

/** The nodes to make: the default ones, and linux.devices, which replaces a default of the same path. */
export function planDevices(config: Config): DevicePlan[] {
  const devices = new Map<string, DevicePlan>();
  for (const [path, major, minor] of DEFAULTS)
    devices.set(path, { path, type: C.S_IFCHR, major, minor, mode: 0o666, uid: 0, gid: 0, field: "/linux/devices" });
  (config.linux?.devices ?? []).forEach((device, index) => {
    const path = cleanPath(device.path);
    devices.set(path, {
      path,
      type: TYPES[device.type],
      major: device.major ?? 0,
      minor: device.minor ?? 0,
      mode: (device.fileMode ?? 0o666) & 0o7777,
      uid: device.uid ?? 0,
      gid: device.gid ?? 0,
      field: `/linux/devices/${index}`,
    });
  });
  return [...devices.values()];
}
