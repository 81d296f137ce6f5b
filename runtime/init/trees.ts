/**
 * Mounts that init could not make itself: a root of layers, and detached copies of the sources of bind mounts, made while this process has the rights of
 * the host, for init to move to their places. Ids are mapped here, because that takes CAP_SYS_ADMIN over the filesystem;
 * and for a container with a user namespace every source is opened here, because its root may not reach all of them.
 * Source: open_tree(2), mount_setattr(2) "ID-mapped mounts".
 */
import { EINVAL, EPERM } from "../errors/errno.ts";
import { at, RegError, SyscallError } from "../errors/errors.ts";
import * as C from "../libc/constants.ts";
import { close, isErrno, open, withFd } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import { cloneTree, setMountAttributes } from "../libc/mount.ts";
import { mappedUserNamespace } from "../linux/user-namespace.ts";
import type { BindMount, IdMapPlan } from "../oci/plan/mounts.ts";
import { hasNamespace } from "../oci/plan/namespaces.ts";
import type { Plan } from "../oci/plan/plan.ts";
import { cloneSource } from "./source.ts";
import { composeRoot, type MappedOwner } from "./steps/layers.ts";

/** Descriptors of detached mounts. */
export interface Trees {
  /** The root, when it has layers. */
  readonly root?: number;
  /** At the places of their entries in the plan's mounts; undefined where init needs none. */
  readonly mounts: readonly (number | undefined)[];
}

/** Makes the trees of a plan; undefined when it needs none. Native host only. */
export function makeTrees(plan: Plan): Trees | undefined {
  const { layers } = plan.rootfs;
  const inUserNamespace = hasNamespace(plan.namespaces, "user");
  const makesRoot = layers?.idMap !== undefined && libc.geteuid() === 0;
  const makesMounts = plan.mounts.some(
    (entry) => entry.kind === "bind" && (inUserNamespace || entry.idMap !== undefined),
  );
  if (!makesRoot && !makesMounts) return undefined;
  const made: { root?: number; mounts: (number | undefined)[] } = { mounts: [] };
  const namespaces = new Map<string, number>();
  try {
    if (makesRoot) made.root = composeRoot(plan, layers, mappedOwner(layers.idMap, namespaces));
    for (const entry of plan.mounts) {
      if (entry.kind !== "bind") made.mounts.push(undefined);
      else if (entry.idMap !== undefined) made.mounts.push(mappedTree(plan, entry, entry.idMap, namespaces));
      else made.mounts.push(inUserNamespace ? reachableTree(plan, entry) : undefined);
    }
    return made;
  } catch (error) {
    closeTrees(made);
    throw error;
  } finally {
    for (const fd of namespaces.values()) close(fd);
  }
}

export function descriptorsOf({ root, mounts }: Trees): number[] {
  return [root, ...mounts].filter((fd) => fd !== undefined);
}

export function closeTrees(trees: Trees): void {
  for (const fd of descriptorsOf(trees)) close(fd);
}

/** Whom the root of the container is on the host. A namespace that is joined by path does not say, and its files have to be root's. */
function mappedOwner(map: IdMapPlan, namespaces: Map<string, number>): MappedOwner {
  const userNamespace = namespaceOf(map, namespaces);
  if ("path" in map) return { uid: 0, gid: 0, userNamespace };
  return { uid: outsideRoot(map.uidMap), gid: outsideRoot(map.gidMap), userNamespace };
}

/** The id outside that is 0 inside, by the contents of uid_map; 0 when there is none. */
function outsideRoot(map: string): number {
  const line = map.split("\n").find((line) => line.startsWith("0 "));
  return Number(line?.split(" ")[1] ?? 0);
}

/** The source as the host's root sees it; undefined where this process may not clone mounts, or there is no such source. */
function reachableTree(plan: Plan, entry: BindMount): number | undefined {
  if (libc.geteuid() !== 0) return undefined;
  let tree: number;
  try {
    tree = cloneSource(entry);
  } catch (error) {
    if (error instanceof SyscallError) return undefined; // init tries it too, and says what is wrong
    throw error;
  }
  separate(plan, tree, entry.source);
  return tree;
}

function mappedTree(plan: Plan, entry: BindMount, map: IdMapPlan, namespaces: Map<string, number>): number {
  return at(entry.field, () => {
    const tree = cloneSource(entry);
    try {
      separate(plan, tree, entry.source);
      const attributes = { set: C.MOUNT_ATTR_IDMAP, clear: 0, userNamespace: namespaceOf(map, namespaces) };
      setMountAttributes(tree, attributes, map.recursive, `id mapping of ${entry.source}`);
      return tree;
    } catch (error) {
      close(tree);
      throw explain(error);
    }
  });
}

/**
 * A detached copy of a directory of root's whose files are shown as those of the root of the plan's new user namespace, and of the group
 * of the host's; undefined without one, and where the filesystem cannot do that.
 */
export function treeOfRoot({ namespaces }: Plan, path: string): number | undefined {
  if (namespaces.uidMap === undefined) return undefined;
  return withFd(mappedUserNamespace(namespaces.uidMap, "0 0 1\n"), (userNamespace) => {
    const tree = cloneTree(path, false);
    try {
      setMountAttributes(tree, { set: C.MOUNT_ATTR_IDMAP, clear: 0, userNamespace }, false, `id mapping of ${path}`);
      return tree;
    } catch (error) {
      close(tree);
      if (isErrno(error, EINVAL, EPERM)) return undefined;
      throw error;
    }
  });
}

/** One user namespace for each distinct mapping. */
function namespaceOf(map: IdMapPlan, namespaces: Map<string, number>): number {
  const key = "path" in map ? map.path : `${map.uidMap}/${map.gidMap}`;
  const known = namespaces.get(key);
  if (known !== undefined) return known;
  const fd = "path" in map ? open(map.path, C.O_RDONLY) : mappedUserNamespace(map.uidMap, map.gidMap);
  namespaces.set(key, fd);
  return fd;
}

/** A copy belongs to the peer group of its original: what is mounted below it in the container must not reach the host. */
function separate({ rootfs }: Plan, tree: number, subject: string): void {
  const wanted = (rootfs.propagation ?? C.MS_SLAVE) & ~C.MS_REC;
  const propagation = wanted === C.MS_PRIVATE ? C.MS_PRIVATE : C.MS_SLAVE;
  if (wanted !== C.MS_SHARED) setMountAttributes(tree, { set: 0, clear: 0, propagation }, true, subject);
}

function explain(error: unknown): unknown {
  if (!isErrno(error, EINVAL, EPERM)) return error;
  const hint =
    error.errno === EPERM
      ? "id-mapped mounts need root on the host"
      : "the filesystem of the source may be one without id-mapped mounts, or the mappings overlap";
  return new RegError(error.code, error.message, { hint, cause: error });
}
