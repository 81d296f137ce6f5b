/** Mounts: mount(2) and the new mount API (Linux 5.2; mount_setattr 5.12). Targets are descriptors wherever possible. */
import { checked } from "./call.ts";
import * as C from "./constants.ts";
import { libc } from "./libc.ts";
import { cString, Struct } from "./memory.ts";
import { MOUNT_ATTR } from "./structs.ts";

const EMPTY = cString("");

/** mount(2). `flags` is the MS_* set. */
export function mount(
  source: string | null,
  target: string,
  type: string | null,
  flags: number,
  data: string | null,
): void {
  const subject = `${source ?? type ?? "none"} on ${target}`;
  checked(libc.mount(source, target, type, flags, data), "mount(2)", subject);
}

/** umount2(2). */
export function umount(target: string, flags = 0): void {
  checked(libc.umount2(target, flags), "umount2(2)", target);
}

/** open_tree(2) with OPEN_TREE_CLONE: a detached copy of the mount at `path`, or of a symlink there. Returns its descriptor. */
export function cloneTree(path: string, recursive: boolean, directory = C.AT_FDCWD, follow = true): number {
  const flags =
    C.OPEN_TREE_CLONE |
    C.OPEN_TREE_CLOEXEC |
    (recursive ? C.AT_RECURSIVE : 0) |
    (path === "" ? C.AT_EMPTY_PATH : 0) |
    (follow ? 0 : C.AT_SYMLINK_NOFOLLOW);
  const name = path === "" ? EMPTY : cString(path);
  return checked(libc.syscall(C.SYS_open_tree, directory, name, flags, 0, 0), "open_tree(2)", path || "descriptor");
}

/** What mount_setattr(2) changes; MOUNT_ATTR_* sets and an MS_* propagation type. */
export interface MountAttributes {
  readonly set: number;
  readonly clear: number;
  readonly propagation?: number;
  /** User namespace whose mapping the mount takes (MOUNT_ATTR_IDMAP). */
  readonly userNamespace?: number;
}

/** mount_setattr(2) on the mount that `fd` refers to. Linux 5.12. */
export function setMountAttributes(fd: number, attributes: MountAttributes, recursive: boolean, subject: string): void {
  const struct = new Struct(MOUNT_ATTR.size)
    .setU64(MOUNT_ATTR.attr_set, attributes.set)
    .setU64(MOUNT_ATTR.attr_clr, attributes.clear)
    .setU64(MOUNT_ATTR.propagation, attributes.propagation ?? 0)
    .setU64(MOUNT_ATTR.userns_fd, attributes.userNamespace ?? 0);
  const flags = C.AT_EMPTY_PATH | (recursive ? C.AT_RECURSIVE : 0);
  checked(
    libc.syscall(C.SYS_mount_setattr, fd, EMPTY, flags, struct.bytes, MOUNT_ATTR.size),
    "mount_setattr(2)",
    subject,
  );
}

/** move_mount(2) of the mount `from` refers to onto the place `to` refers to. */
export function moveMount(from: number, to: number, subject: string): void {
  const flags = C.MOVE_MOUNT_F_EMPTY_PATH | C.MOVE_MOUNT_T_EMPTY_PATH;
  checked(libc.syscall(C.SYS_move_mount, from, EMPTY, to, EMPTY, flags), "move_mount(2)", subject);
}

/**
 * A new filesystem of `type`, mounted nowhere yet: fsopen, fsconfig, fsmount. An option whose value is empty is a flag;
 * options come as pairs where one is given more than once. `attributes` is the MOUNT_ATTR_* set.
 */
export function detachedFilesystem(
  type: string,
  options: Readonly<Record<string, string>> | readonly (readonly [string, string])[],
  attributes: number,
): number {
  const context = checked(libc.syscall(C.SYS_fsopen, cString(type), C.FSOPEN_CLOEXEC, 0, 0, 0), "fsopen(2)", type);
  try {
    for (const [key, value] of Array.isArray(options) ? options : Object.entries(options))
      checked(
        value === ""
          ? libc.syscall(C.SYS_fsconfig, context, C.FSCONFIG_SET_FLAG, cString(key), null, 0)
          : libc.syscall(C.SYS_fsconfig, context, C.FSCONFIG_SET_STRING, cString(key), cString(value), 0),
        "fsconfig(2)",
        `${type} ${key}${value === "" ? "" : `=${value}`}`,
      );
    checked(libc.syscall(C.SYS_fsconfig, context, C.FSCONFIG_CMD_CREATE, null, null, 0), "fsconfig(2)", type);
    return checked(libc.syscall(C.SYS_fsmount, context, C.FSMOUNT_CLOEXEC, attributes, 0, 0), "fsmount(2)", type);
  } finally {
    libc.close(context);
  }
}

/** pivot_root(2). */
export function pivotRoot(newRoot: string, putOld: string): void {
  checked(libc.syscall(C.SYS_pivot_root, cString(newRoot), cString(putOld), 0, 0, 0), "pivot_root(2)", newRoot);
}
