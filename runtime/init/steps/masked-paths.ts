/** Paths that the container may not see or may not write. Source: runtime-spec config-linux.md "Masked Paths", "Readonly Paths". */
import { ENOENT, ENOTDIR } from "../../errors/errno.ts";
import { at, RegError } from "../../errors/errors.ts";
import * as C from "../../libc/constants.ts";
import { close, isErrno, stat, withFd } from "../../libc/file.ts";
import { cloneTree, detachedFilesystem, moveMount, setMountAttributes } from "../../libc/mount.ts";
import { openInRoot, openInRootIfExists } from "../../linux/path.ts";
import type { PathPlan } from "../../oci/plan/plan.ts";

/** Binds each path on itself, read-only with all below it. Paths that do not exist are passed over. */
export function makeReadonlyPaths(root: number, paths: readonly PathPlan[]): void {
  for (const { path, field } of paths)
    at(field, () => {
      const target = openInRootIfExists(root, path);
      if (target === undefined) return;
      withFd(target, () =>
        withFd(cloneTree("", true, target), (tree) => {
          setMountAttributes(tree, { set: C.MOUNT_ATTR_RDONLY, clear: 0 }, true, path);
          moveMount(tree, target, path);
        }),
      );
    });
}

/**
 * Hides each path: a directory under an empty read-only tmpfs, the same for all of them; a file under /dev/null. The tmpfs
 * itself goes onto the first directory, clones of it onto the others: a detached mount that is closed in the end would make the
 * kernel wait for all mounts of the host, 10 ms with a thousand containers.
 */
export function maskPaths(root: number, paths: readonly PathPlan[], label?: string): void {
  let null_: number | undefined;
  let empty: number | undefined;
  for (const { path, field } of paths)
    at(field, () => {
      const target = openInRootIfExists(root, path);
      if (target === undefined) return;
      withFd(target, () => {
        if (stat("", target).type !== C.S_IFDIR) {
          null_ ??= openNull(root);
          cover(null_, target, path);
        } else if (empty === undefined) {
          empty = detachedFilesystem("tmpfs", emptyOptions(label), C.MOUNT_ATTR_RDONLY);
          moveMount(empty, target, path);
        } else cover(empty, target, path);
      });
    });
  if (null_ !== undefined) close(null_);
  if (empty !== undefined) close(empty);
}

/** Mounts a clone of what `from` shows over `target`. */
function cover(from: number, target: number, path: string): void {
  withFd(cloneTree("", false, from), (tree) => moveMount(tree, target, path));
}

function emptyOptions(label: string | undefined): Record<string, string> {
  const options: Record<string, string> = { mode: "0555", nr_inodes: "1" };
  return label === undefined ? options : { ...options, context: label };
}

/** The container's /dev/null, checked to be the device: in its place, anything could be bound over what is to be hidden (CVE-2025-31133). */
function openNull(root: number): number {
  try {
    const fd = openInRoot(root, "/dev/null", C.O_PATH | C.O_NOFOLLOW);
    const { type, rdevMajor, rdevMinor } = stat("", fd);
    if (type === C.S_IFCHR && rdevMajor === 1 && rdevMinor === 3) return fd;
    close(fd);
  } catch (error) {
    if (!isErrno(error, ENOENT, ENOTDIR)) throw error;
  }
  throw new RegError(
    "EINVAL",
    "masked paths need /dev/null in the container, and it is missing or not the null device",
    {
      hint: "mount a tmpfs on /dev; reg makes the default devices there",
    },
  );
}
