/** The data that planning a cgroup produces and that applying it takes, and what state.json keeps of it. */

import type { DbusValue } from "../dbus-marshalling.ts";

/** One file to write in the container's cgroup. */
export interface FileWrite {
  /** Whose hierarchy on v1; on v2, the controller that must be enabled for the file to exist. */
  readonly controller: string;
  readonly file: string;
  readonly value: string;
  /** JSON pointer of what asked for it: `/linux/resources/pids/limit`. */
  readonly field: string;
  /**
   * The kernel may refuse it (EINVAL) as long as a later write of the list has not been done, as a memory limit above the
   * old limit of memory and swap: then it is written again at the end.
   */
  readonly retry?: true;
  /** When the file does not exist: this instead; "skip": nothing, and the same when the kernel does not permit the write. */
  readonly otherwise?: "skip" | FileWrite;
  /** A file with a number that `value` must not be below, such as memory.current. */
  readonly notBelow?: string;
}

/** A value of a D-Bus property, with its D-Bus signature. */
export interface UnitProperty {
  readonly name: string;
  readonly signature: string;
  readonly value: DbusValue;
  readonly field?: string;
}

/** The transient systemd unit that holds the container. */
export interface UnitPlan {
  /** "cri-containerd-ID.scope"; a name ending in .slice makes a slice. */
  readonly name: string;
  readonly slice: string;
  /** Ask the user's service manager. */
  readonly user: boolean;
  readonly properties: readonly UnitProperty[];
}

export type CgroupDriver = "cgroupfs" | "systemd" | "disabled";

/** What limits the cgroup: all of it at creation, a part of it in an update. */
export interface CgroupLimits {
  readonly writes: readonly FileWrite[];
  /** cgroup v2: the eBPF program that decides about device access. */
  readonly deviceProgram?: Uint8Array;
  /** Not to be allowed to attach it is no error: the caller is not root, and has no devices to give away. */
  readonly devicesOptional?: boolean;
  /** The systemd driver's properties. */
  readonly properties?: readonly UnitProperty[];
}

/** Where a container's cgroup lies: all that is needed to find it again. state.json keeps it. */
export interface CgroupState {
  readonly driver: CgroupDriver;
  readonly version: 1 | 2;
  /** Absolute directory by hierarchy name (see Hierarchy); "" is cgroup v2. Empty without a cgroup. */
  readonly paths: Readonly<Record<string, string>>;
  /** The systemd driver's unit. */
  readonly unit?: string;
  /** The unit belongs to the user's service manager. */
  readonly user?: boolean;
}

/** A container's cgroup before it exists. */
export interface CgroupPlan extends CgroupLimits {
  readonly driver: CgroupDriver;
  readonly version: 1 | 2;
  readonly paths: Readonly<Record<string, string>>;
  /** Mountpoint by hierarchy name. */
  readonly mountpoints: Readonly<Record<string, string>>;
  /** Written by `createCgroup`, because a process can not join before: cpuset and realtime time of v1. */
  readonly early: readonly FileWrite[];
  /** Nobody asked for this cgroup and the caller is not root: without permission, the container goes without. */
  readonly optional: boolean;
  readonly unit?: UnitPlan;
}
