/**
 * A root that is put together from a directory that many containers read and a layer for this one's writes: one detached
 * mount, or two, whatever is in the directory. Nothing of it is seen on the host, and it ends with the container.
 * Source: kernel overlayfs.rst, tmpfs(5), mount_setattr(2).
 */
import { host } from "#host";
import { EEXIST, EINVAL, ENOENT } from "../../errors/errno.ts";
import { at, RegError, SyscallError } from "../../errors/errors.ts";
import * as C from "../../libc/constants.ts";
import { close, isErrno, mkdirAll, open, withFd } from "../../libc/file.ts";
import { libc } from "../../libc/libc.ts";
import { cloneTree, detachedFilesystem, moveMount, setMountAttributes } from "../../libc/mount.ts";
import { fdPath, openInRootIfExists } from "../../linux/path.ts";

import { hasNamespace } from "../../oci/plan/namespaces.ts";
import type { Plan, RootLayers } from "../../oci/plan/plan.ts";
import { directoryWithin } from "../source.ts";

/** Who root is in the container, as this process sees it, and the user namespace that maps owners. */
export interface MappedOwner {
  readonly uid: number;
  readonly gid: number;
  readonly userNamespace: number;
}

/**
 * Makes the root of a plan with layers; returns the descriptor of a detached mount. `owner`: the container has a user
 * namespace, and this process is still outside.
 */
export function composeRoot(plan: Plan, layers: RootLayers, owner: MappedOwner | undefined): number {
  return at(layers.field, () =>
    withFd(open(layers.lower, C.O_PATH | C.O_DIRECTORY), (directory) => {
      const upper = layers.upper ?? (lacksMountPoints(directory, plan) ? TMPFS : undefined);
      if (upper === undefined) return readonlyTree(directory, layers.lower, owner);
      return withFd(openUpper(upper, owner, directory), (writes) => {
        if (owner !== undefined)
          return withFd(readonlyTree(directory, layers.lower, owner), (lower) =>
            overlay(layers.lower, lower, writes, false),
          );
        return overlay(layers.lower, directory, writes, hasNamespace(plan.namespaces, "user"));
      });
    }),
  );
}

const TMPFS = { type: "tmpfs" } as const;

/** A detached copy of the mount that shows `directory`, read-only, its owners mapped. */
function readonlyTree(directory: number, subject: string, owner: MappedOwner | undefined): number {
  const tree = cloneTree("", false, directory);
  try {
    if (owner === undefined) setMountAttributes(tree, { set: C.MOUNT_ATTR_RDONLY, clear: 0 }, false, subject);
    else mapOwners(tree, owner, subject);
    return tree;
  } catch (error) {
    close(tree);
    throw error;
  }
}

function mapOwners(tree: number, { userNamespace }: MappedOwner, subject: string): void {
  try {
    const attributes = { set: C.MOUNT_ATTR_RDONLY + C.MOUNT_ATTR_IDMAP, clear: 0, userNamespace };
    setMountAttributes(tree, attributes, false, `id mapping of ${subject}`);
  } catch (error) {
    if (!isErrno(error, EINVAL)) throw error;
    const hint = "the store's filesystem may be one without id-mapped mounts";
    throw new RegError(error.code, error.message, { hint, cause: error });
  }
}

/**
 * Whether something has to be made in the root before it can be used: a mount point, a device, the working directory. What
 * is below another mount is that one's matter.
 */
function lacksMountPoints(lower: number, { mounts, fillDev, process }: Plan): boolean {
  const mounted = new Set<string>();
  const isLacking = (path: string): boolean => {
    for (let end = path.length; end > 0; end = path.lastIndexOf("/", end - 1))
      if (mounted.has(path.slice(0, end))) return false;
    const found = mounted.has("/") ? lower : openInRootIfExists(lower, path);
    if (found !== undefined && found !== lower) close(found);
    return found === undefined;
  };
  for (const { destination } of mounts) {
    if (isLacking(destination)) return true;
    mounted.add(destination);
  }
  return (fillDev && !mounted.has("/dev")) || isLacking(process?.cwd ?? "/");
}

/**
 * The directory with upper/ and work/, O_PATH: on a tmpfs of its own, which the overlay keeps, or on the host. In init's mount
 * namespace the tmpfs is mounted over `lower` and goes with the old root: to close a detached mount makes the kernel wait for all
 * mounts of the host. Outside there is no such place.
 */
function openUpper(upper: NonNullable<RootLayers["upper"]>, owner: MappedOwner | undefined, lower: number): number {
  const directory =
    upper.type === "tmpfs"
      ? newTmpfs(upper.size, owner === undefined ? lower : undefined)
      : openDirectory(upper.path, upper.within);
  try {
    for (const name of ["upper", "work"]) {
      if (libc.mkdirat(directory, name, 0o755) === -1) {
        if (host.errno() === EEXIST) continue;
        throw new SyscallError("mkdirat(2)", name, host.errno());
      }
      // The upper directory is what the container sees as its root directory.
      if (owner !== undefined && libc.fchownat(directory, name, owner.uid, owner.gid, 0) === -1)
        throw new SyscallError("fchownat(2)", name, host.errno());
    }
    return directory;
  } catch (error) {
    close(directory);
    throw error;
  }
}

function newTmpfs(size: string | undefined, place: number | undefined): number {
  const tmpfs = detachedFilesystem("tmpfs", { mode: "0755", ...(size === undefined ? {} : { size }) }, 0);
  if (place !== undefined) moveMount(tmpfs, place, "a tmpfs for writes");
  return tmpfs;
}

function openDirectory(path: string, within: string | undefined): number {
  try {
    if (within !== undefined) return directoryWithin(path, within);
    mkdirAll(path, 0o755);
    return open(path, C.O_PATH | C.O_DIRECTORY | C.O_NOFOLLOW);
  } catch (error) {
    if (!isErrno(error, ENOENT)) throw error;
    throw new RegError(error.code, error.message, { hint: "it keeps what the container writes", cause: error });
  }
}

/**
 * Descriptors name the layers, as a path of the host may be longer than fsconfig(2) takes; the source is for those who look
 * in mountinfo for what is in use. `unprivileged`: the process has only the rights of a user namespace.
 */
function overlay(path: string, lower: number, directory: number, unprivileged: boolean): number {
  const options: Record<string, string> = {
    source: path,
    lowerdir: fdPath(lower),
    upperdir: `${fdPath(directory)}/upper`,
    workdir: `${fdPath(directory)}/work`,
  };
  if (unprivileged) options.userxattr = "";
  return detachedFilesystem("overlay", options, 0);
}
