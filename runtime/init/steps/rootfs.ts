/**
 * The container's root: a mount of its own, which becomes "/" of the mount namespace and leaves nothing of the old one.
 * Source: runtime-spec config.md "Root"; open_tree(2), move_mount(2), mount_setattr(2), pivot_root(2).
 */
import { host } from "#host";
import { EINVAL, ENOENT, ENOTDIR, EPERM } from "../../errors/errno.ts";
import { at, SyscallError } from "../../errors/errors.ts";
import * as C from "../../libc/constants.ts";
import { isErrno, open, readLink, readText, withFd } from "../../libc/file.ts";
import { libc } from "../../libc/libc.ts";
import { cloneTree, mount, moveMount, pivotRoot, setMountAttributes, umount } from "../../libc/mount.ts";
import { fdPath } from "../../linux/path.ts";
import { hasNamespace } from "../../oci/plan/namespaces.ts";
import type { Plan, RootfsPlan, RootLayers } from "../../oci/plan/plan.ts";
import { composeRoot } from "./layers.ts";
import { makeReadonly } from "./mounts.ts";

/**
 * Makes the rootfs a mount point of its own in this mount namespace and returns a descriptor of it. The mounts of the
 * host become slaves first, so that nothing done here reaches the host. `composed` is what trees.ts has made of its layers.
 */
export function openRoot(plan: Plan, composed: number | undefined): number {
  const { rootfs } = plan;
  if (hasNamespace(plan.namespaces, "mount")) separateMounts(rootfs);
  if (rootfs.layers !== undefined) return attachRoot(plan, rootfs.layers, composed);
  const directory = at("/root/path", () => openRootDirectory(rootfs.path));
  if (rootfs.change === "chroot") return directory;
  if (isShared(rootfs)) makeParentPrivate(rootfs.path);
  return at("/root/path", () =>
    withFd(directory, () => {
      const root = cloneTree("", true, directory);
      moveMount(root, directory, `${rootfs.path} on itself`);
      // As runc: what the host mounts below the rootfs later is not the container's, whatever holds for other mounts.
      setMountAttributes(root, { set: 0, clear: 0, propagation: C.MS_PRIVATE }, false, rootfs.path);
      return root;
    }),
  );
}

/**
 * Puts a composed root where pivot_root(2) can take it: on "/", which every process can reach, and where it hides nothing from
 * one whose root that is already. MS_MOVE needs another place to move it from.
 */
function attachRoot(plan: Plan, layers: RootLayers, composed: number | undefined): number {
  const { rootfs } = plan;
  const place = rootfs.change === "move" ? rootfs.path : "/";
  if (isShared(rootfs)) makeParentPrivate(place);
  return withFd(open(place, C.O_PATH | C.O_DIRECTORY), (target) => {
    const root = composed ?? composeRoot(plan, layers, undefined);
    moveMount(root, target, "the composed root");
    setMountAttributes(root, { set: 0, clear: 0, propagation: C.MS_PRIVATE }, false, rootfs.path);
    return root;
  });
}

/** A symlink is refused: its target is not the bundle's to say. */
export function openRootDirectory(path: string): number {
  try {
    return open(path, C.O_PATH | C.O_DIRECTORY | C.O_NOFOLLOW);
  } catch (error) {
    if (!isErrno(error, ENOENT, ENOTDIR)) throw error;
    const hint =
      error.errno === ENOENT
        ? "make the root filesystem, or change root.path"
        : "root.path must be a directory, and not a symlink";
    throw new SyscallError(error.syscall, path, error.errno, { hint });
  }
}

function isShared({ propagation = 0 }: RootfsPlan): boolean {
  return (propagation & C.MS_SHARED) !== 0;
}

function separateMounts(rootfs: RootfsPlan): void {
  try {
    mount(null, "/", null, C.MS_REC | startingPropagation(rootfs), null);
  } catch (error) {
    if (!isErrno(error, EINVAL)) throw error;
    throw new SyscallError("mount(2)", "the propagation of /", error.errno, {
      hint: "the root directory is no mount point, as in a chroot: enter it by pivot_root(8), or bind it on itself before (mount --bind DIR DIR)",
    });
  }
}

function startingPropagation(rootfs: RootfsPlan): number {
  const wanted = rootfs.propagation ?? C.MS_SLAVE;
  return (wanted & C.MS_UNBINDABLE) !== 0 ? C.MS_SLAVE : wanted; // the root, and what is mounted, has to be bound first
}

/** pivot_root(2) refuses a root whose parent mount is shared: the nearest mount point upwards becomes private. */
function makeParentPrivate(path: string): void {
  for (let parent = path; ; parent = parent.slice(0, parent.lastIndexOf("/"))) {
    try {
      mount(null, parent === "" ? "/" : parent, null, C.MS_PRIVATE, null);
      return;
    } catch (error) {
      if (!isErrno(error, EINVAL) || parent === "") throw error;
    }
  }
}

/** Makes `root` the root of this process's mount namespace, and leaves nothing of the old one. */
export function changeRoot(root: number, rootfs: RootfsPlan): void {
  if (libc.fchdir(root) === -1) throw new SyscallError("fchdir(2)", rootfs.path, host.errno());
  if (rootfs.change === "pivot") {
    // The old root ends up stacked on the new one, so no directory for it is needed: pivot_root(2), NOTES.
    if (isShared(rootfs)) withFd(open("/", C.O_PATH | C.O_DIRECTORY), leaveShared);
    else {
      pivotRoot(".", ".");
      umount(".", C.MNT_DETACH);
    }
  } else {
    if (rootfs.change === "move") {
      hideHostMounts(root);
      mount(".", "/", null, C.MS_MOVE, null);
    }
    if (libc.chroot(".") === -1) throw new SyscallError("chroot(2)", rootfs.path, host.errno());
  }
  if (libc.chdir("/") === -1) throw new SyscallError("chdir(2)", "/", host.errno());
}

/** The old root is shared with the host, which the unmount must not reach; the container's own mounts stay as they are. */
function leaveShared(oldRoot: number): void {
  pivotRoot(".", ".");
  if (libc.fchdir(oldRoot) === -1) throw new SyscallError("fchdir(2)", "the old root", host.errno());
  mount(null, ".", null, C.MS_REC | C.MS_SLAVE, null);
  umount(".", C.MNT_DETACH);
}

/**
 * Without pivot_root every mount of the host stays in the mount namespace. Where one of them shows a whole procfs or sysfs, the kernel lets a
 * process of the container mount another, without what is masked in its own: so they go (as runc).
 */
function hideHostMounts(root: number): void {
  const own = `${readLink(fdPath(root))}/`;
  for (const place of kernelViews(readText("/proc/self/mountinfo")).reverse()) {
    if (place.startsWith(own)) continue;
    try {
      umount(place, C.MNT_DETACH);
    } catch (error) {
      if (!isErrno(error, EINVAL, EPERM)) throw error;
      mount("tmpfs", place, "tmpfs", 0, null); // locked, as those of the host are in a user namespace
    }
  }
}

/** Where the mounts are that show all of a procfs or sysfs. Source: proc_pid_mountinfo(5). */
function kernelViews(mountinfo: string): string[] {
  return mountinfo.split("\n").flatMap((line) => {
    const [, , , shown, place] = line.split(" ");
    const [type = ""] = line.slice(line.indexOf(" - ") + 3).split(" ");
    if (shown !== "/" || place === undefined || (type !== "proc" && type !== "sysfs")) return [];
    return [place.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))];
  });
}

/** What can only be done when the new root is "/": propagation and the read-only root itself. */
export function finishRoot(rootfs: RootfsPlan): void {
  const recursive = ((rootfs.propagation ?? 0) & C.MS_REC) !== 0;
  withFd(open("/", C.O_PATH | C.O_DIRECTORY), (root) => {
    if (rootfs.propagation !== undefined)
      at("/linux/rootfsPropagation", () =>
        setMountAttributes(
          root,
          { set: 0, clear: 0, propagation: (rootfs.propagation ?? 0) & ~C.MS_REC },
          recursive,
          "/",
        ),
      );
    if (rootfs.readonly) at("/root/readonly", () => makeReadonly(root, "/"));
  });
}
