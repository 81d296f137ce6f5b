/**
 * The container's mounts. Every target is a descriptor that the kernel resolved inside the root; what is to be bound is
 * cloned as a detached mount, given its attributes, and only then moved to its place.
 * Source: runtime-spec config.md "Mounts"; open_tree(2), move_mount(2), mount_setattr(2).
 */
import { host } from "#host";
import { EACCES, EEXIST, EINVAL, ENOSYS, ENOTDIR, EPERM } from "../../errors/errno.ts";
import { at, RegError, SyscallError } from "../../errors/errors.ts";
import * as C from "../../libc/constants.ts";
import { close, isErrno, open, openat2, readLink, stat, withFd } from "../../libc/file.ts";
import { libc } from "../../libc/libc.ts";
import { cloneTree, detachedFilesystem, mount, moveMount, setMountAttributes } from "../../libc/mount.ts";
import { copyTree } from "../../linux/copy-tree.ts";
import { directoryInRoot, fdPath, fileInRoot, openInRoot, openInRootIfExists, splitPath } from "../../linux/path.ts";
import { type PidNamespace, procOf, refuseFakeProc, refuseProc } from "../../linux/procfs.ts";
import type { BindMount, FilesystemMount, MountPlan } from "../../oci/plan/mounts.ts";
import { hasNamespace } from "../../oci/plan/namespaces.ts";
import type { Plan } from "../../oci/plan/plan.ts";
import { cloneSource } from "../source.ts";

/**
 * Mounts one entry of the plan; `tree` is what trees.ts has made for it, `pidNamespace` one that this process is not in itself. Cgroup
 * mounts are done by steps/cgroup.ts.
 */
export function applyMount(
  root: number,
  entry: Exclude<MountPlan, { kind: "cgroup" }>,
  plan: Plan,
  tree: number | undefined,
  pidNamespace: number | undefined,
): void {
  const path = plan.namespaces.join.find(({ type }) => type === "pid")?.path ?? "";
  const processes = pidNamespace === undefined ? undefined : { fd: pidNamespace, path };
  at(entry.field, () =>
    entry.kind === "bind" ? bind(root, entry, tree) : mountFilesystem(root, entry, plan, processes),
  );
}

/** The last component of a target of proc or sysfs must not be a symlink: what is hidden later would be elsewhere. */
function realDirectory(root: number, path: string): { fd: number; made: boolean } {
  const target = directoryInRoot(root, path);
  try {
    withFd(openat2(root, path.slice(1), C.O_PATH | C.O_DIRECTORY, C.RESOLVE_IN_ROOT | C.RESOLVE_NO_SYMLINKS), () => {});
  } catch (error) {
    close(target.fd);
    throw new RegError("ELOOP", `mount on ${path}: it must be a directory, not a symlink, in the rootfs`, {
      cause: error,
    });
  }
  return target;
}

/** Filesystems that take an SELinux context as a mount option. */
const LABELLED = ["tmpfs", "mqueue", "ramfs", "devpts"];

function mountFilesystem(
  root: number,
  entry: FilesystemMount,
  { mountLabel: label, namespaces }: Plan,
  processes: PidNamespace | undefined,
): void {
  const { type, source, destination, options } = entry;
  const isKernelView = type === "proc" || type === "sysfs";
  const { fd, made } = isKernelView ? realDirectory(root, destination) : directoryInRoot(root, destination);
  let data = options.data;
  // As runc: a tmpfs over a directory of the image keeps that directory's mode, so /tmp stays 1777.
  if (type === "tmpfs" && !made && !/(^|,)mode=/.test(data))
    data = `${data}${data === "" ? "" : ","}mode=${stat("", fd).mode.toString(8)}`;
  if (label !== undefined && LABELLED.includes(type)) data = `${data}${data === "" ? "" : ","}context="${label}"`;
  const flags = entry.readonlyAtEnd || options.tmpCopyUp ? options.flags & ~C.MS_RDONLY : options.flags;
  withFd(fd, () => {
    refuseProc(fd, destination);
    if (options.tmpCopyUp) {
      copyUp(fd, root, entry, flags, data, hasNamespace(namespaces, "user"));
      return;
    }
    try {
      if (type === "proc" && processes !== undefined) mountProcOf(processes, fd, entry);
      else mount(source, fdPath(fd), type, flags, data);
    } catch (error) {
      if (!isErrno(error, EPERM) || type !== "sysfs") throw explain(error, source, destination, type);
      // A user namespace that does not own the network namespace may not mount sysfs, but may see the host's.
      bindKernelView(fd, "/sys", flags);
    }
  });
  if (needsAttributes(entry)) withFd(openInRoot(root, destination), (target) => applyAttributes(target, entry));
}

/** The processes of a pid namespace that init is born in only later. */
function mountProcOf(processes: PidNamespace, target: number, { options, destination }: FilesystemMount): void {
  withFd(procOf(processes, options.data), (tree) => {
    setMountAttributes(tree, { set: options.set, clear: options.clear }, false, destination);
    moveMount(tree, target, destination);
  });
}

/** The user knows /proc, not the number of a descriptor. */
function explain(error: unknown, source: string, destination: string, type: string): unknown {
  if (!(error instanceof SyscallError)) return error;
  const hint =
    error.code === "ENODEV"
      ? `the kernel has no filesystem "${type}"; see /proc/filesystems`
      : error.code === "EINVAL"
        ? "an option is unknown to this filesystem; dmesg may say which"
        : undefined;
  return new SyscallError(
    error.syscall,
    `${source} (${type}) on ${destination}`,
    error.errno,
    hint === undefined ? {} : { hint },
  );
}

function bindKernelView(target: number, path: string, flags: number): void {
  withFd(cloneTree(path, true), (tree) => {
    const set = (flags & C.MS_RDONLY) !== 0 ? C.MOUNT_ATTR_RDONLY : 0;
    if (set !== 0) setMountAttributes(tree, { set, clear: 0 }, true, path);
    moveMount(tree, target, path);
  });
}

/** tmpcopyup: the tmpfs begins with what the image has at its place. */
function copyUp(fd: number, root: number, entry: FilesystemMount, flags: number, data: string, mapped: boolean): void {
  const options = Object.fromEntries(
    data.split(",").flatMap((option) => {
      const equals = option.indexOf("=");
      return equals < 0 ? [] : [[option.slice(0, equals), option.slice(equals + 1)]];
    }),
  );
  const tree = detachedFilesystem("tmpfs", { source: entry.source, ...options }, 0);
  withFd(tree, () => {
    moveMount(tree, fd, entry.destination);
    // The descriptor still shows the directory beneath; the tree is what is mounted over it.
    withFd(open(".", C.O_RDONLY | C.O_DIRECTORY, 0, fd), (from) => fillFrom(from, tree, entry, mapped));
  });
  withFd(openInRoot(root, entry.destination), (target) =>
    mount(null, fdPath(target), null, C.MS_REMOUNT | C.MS_BIND | flags, null),
  );
}

function fillFrom(from: number, tree: number, { destination, options }: FilesystemMount, mapped: boolean): void {
  try {
    copyTree(from, tree, mapped);
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    const hint = error.code === "ENOSPC" ? "the tmpfs is too small for what it is to begin with; see size=" : undefined;
    throw new RegError(error.code, `tmpcopyup of ${destination}: ${error.message}`, {
      cause: error,
      ...(hint === undefined ? {} : { hint }),
    });
  }
  // The directory itself: its mode is the mount's option, its owner likewise when there is none.
  const { uid, gid } = stat("", from);
  if (!/(^|,)[ug]id=/.test(options.data) && libc.fchown(tree, uid, gid) === -1 && !mapped)
    throw new SyscallError("fchown(2)", destination, host.errno());
}

function bind(root: number, entry: BindMount, made: number | undefined): void {
  const { source, destination, options } = entry;
  if (options.nofollow?.copy === true && copySymlink(root, entry)) return;
  withFd(made === undefined ? ownTree(entry) : chooseTree(entry, made), (tree) => {
    const { set, clear } = options;
    const attributes = applyBindAttributes(tree, set, clear, source);
    if ((options.recursiveSet | options.recursiveClear) !== 0)
      setMountAttributes(tree, { set: options.recursiveSet, clear: options.recursiveClear }, true, source);
    const target = bindTarget(root, entry, stat("", tree).type === C.S_IFDIR);
    withFd(target, () => {
      refuseProc(target, destination);
      refuseFakeProc(tree, destination);
      try {
        moveMount(tree, target, `${source} on ${destination}`);
      } catch (error) {
        throw explainBind(error, tree, target, entry);
      }
    });
    if (!attributes) remountBind(tree, options.flags);
    for (const propagation of options.propagation) applyPropagation(tree, propagation, destination);
  });
}

function bindTarget(root: number, { destination, options }: BindMount, isDirectory: boolean): number {
  if (options.nofollow?.destination === true) {
    const there = openInRootIfExists(root, destination, C.O_PATH | C.O_NOFOLLOW);
    if (there !== undefined) return there;
  }
  return isDirectory ? directoryInRoot(root, destination).fd : fileInRoot(root, destination);
}

/** Docker looks for these words, to tell its user and to exit with 127. The kernel says EINVAL. */
function explainBind(error: unknown, tree: number, target: number, { source, destination }: BindMount): unknown {
  const [from, to] = [tree, target].map((fd) => stat("", fd).type === C.S_IFDIR);
  if (from === to || !isErrno(error, EINVAL, ENOTDIR)) return error;
  const hint = from
    ? `${source} is a directory, and ${destination} is not`
    : `${destination} is a directory, and ${source} is not`;
  return new SyscallError("move_mount(2)", `${source} on ${destination}`, ENOTDIR, { hint });
}

/** crun's copy-symlink: makes the source's symlink again in the container. False when the source is none. */
function copySymlink(root: number, { source, destination }: BindMount): boolean {
  if (stat(source).type !== C.S_IFLNK) return false;
  const wanted = readLink(source);
  const [parent, name] = splitPath(destination);
  withFd(directoryInRoot(root, parent === "" ? "/" : parent).fd, (directory) => {
    if (libc.symlinkat(wanted, directory, name) === 0) return;
    const errno = host.errno();
    const same = errno === EEXIST && stat(name, directory).type === C.S_IFLNK && readLink(name, directory) === wanted;
    if (!same) throw new SyscallError("symlinkat(2)", destination, errno);
  });
  return true;
}

/**
 * A tree without mapped ids is only for what init cannot reach: its own copy is better, because the kernel locks what the
 * host has made read-only, and because it sees what earlier entries have mounted.
 */
function chooseTree(entry: BindMount, made: number): number {
  if (entry.idMap !== undefined) return made;
  try {
    const own = ownTree(entry);
    close(made);
    return own;
  } catch (error) {
    if (isErrno(error, EACCES)) return made;
    throw error;
  }
}

function ownTree(entry: BindMount): number {
  try {
    return cloneSource(entry);
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    const hint = error.code === "ENOENT" ? `the source must exist on the host` : undefined;
    throw new SyscallError(
      "open_tree(2)",
      `${entry.source} for ${entry.destination}`,
      error.errno,
      hint === undefined ? {} : { hint },
    );
  }
}

/** Sets what the options ask for; false when the kernel is too old and mount(2) must do it once the mount is in place. */
function applyBindAttributes(tree: number, set: number, clear: number, source: string): boolean {
  if ((set | clear) === 0) return true;
  try {
    setMountAttributes(tree, { set, clear }, false, source);
    return true;
  } catch (error) {
    if (isErrno(error, ENOSYS)) return false;
    // In a user namespace, what the host's mount locks cannot be taken away: the rest still holds.
    if (!isErrno(error, EPERM) || clear === 0) throw error;
    setMountAttributes(tree, { set, clear: 0 }, false, source);
    return true;
  }
}

/** Linux before 5.12. */
function remountBind(tree: number, flags: number): void {
  mount(null, fdPath(tree), null, C.MS_REMOUNT | C.MS_BIND | flags, null);
}

function needsAttributes({ options }: FilesystemMount): boolean {
  return (options.recursiveSet | options.recursiveClear) !== 0 || options.propagation.length > 0;
}

function applyAttributes(target: number, { options, destination }: FilesystemMount): void {
  if ((options.recursiveSet | options.recursiveClear) !== 0)
    setMountAttributes(target, { set: options.recursiveSet, clear: options.recursiveClear }, true, destination);
  for (const propagation of options.propagation) applyPropagation(target, propagation, destination);
}

function applyPropagation(target: number, propagation: number, subject: string): void {
  const recursive = (propagation & C.MS_REC) !== 0;
  setMountAttributes(target, { set: 0, clear: 0, propagation: propagation & ~C.MS_REC }, recursive, subject);
}

/** Makes a tmpfs read-only that had to be filled first, and the others that ask for it after their content is in place. */
export function finishReadonlyMounts(root: number, mounts: readonly MountPlan[]): void {
  for (const entry of mounts)
    if (entry.kind === "filesystem" && entry.readonlyAtEnd)
      at(entry.field, () =>
        withFd(openInRoot(root, entry.destination), (target) => makeReadonly(target, entry.destination)),
      );
}

/** Sets the read-only attribute of the mount that `fd` shows, and keeps its other attributes. */
export function makeReadonly(fd: number, subject: string): void {
  try {
    setMountAttributes(fd, { set: C.MOUNT_ATTR_RDONLY, clear: 0 }, false, subject);
  } catch (error) {
    if (!isErrno(error, ENOSYS)) throw error;
    mount(null, fdPath(fd), null, C.MS_REMOUNT | C.MS_BIND | C.MS_RDONLY, null);
  }
}
