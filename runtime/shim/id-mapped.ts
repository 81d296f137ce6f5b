/**
 * Mounts of a container's root whose ids are mapped, for pods with user namespaces: "uidmap=" and "gidmap=" among a mount's options, each
 * "container:host:size", several of them separated by commas. Source: containerd core/mount/mount_linux.go; mount_setattr(2).
 */
import { EINVAL, ENOSYS, EPERM } from "../errors/errno.ts";
import { RegError } from "../errors/errors.ts";
import * as C from "../libc/constants.ts";
import { close, isErrno, open, withFd } from "../libc/file.ts";
import { cloneTree, moveMount, setMountAttributes } from "../libc/mount.ts";
import { fdPath } from "../linux/path.ts";
import { mappedUserNamespace } from "../linux/user-namespace.ts";
import { mountAt, mountOverlay, type RootMount, splitLayers } from "./mounts.ts";

/** Mounts with mapped ids. `maps` are the options that say which; `attributes` the MOUNT_ATTR_* of a bind mount. */
export function mountMapped(asked: RootMount, maps: readonly string[], attributes: number): void {
  const { type, source, place, bind, flags, data } = asked;
  const [uidMap, gidMap] = ["uidmap=", "gidmap="].map((name) =>
    maps.find((option) => option.startsWith(name))?.slice(name.length),
  );
  if (uidMap === undefined || gidMap === undefined) throw new RegError("EINVAL", "uidmap= and gidmap= need each other");
  withFd(mappedUserNamespace(mapFile(uidMap), mapFile(gidMap)), (userNamespace) => {
    if (type === "overlay") {
      const { layers, others } = splitLayers(data);
      withMappedLayers(layers, userNamespace, (list) =>
        mountOverlay([`lowerdir=${list}`, ...others].join(","), flags, place),
      );
    } else if (bind) bindMapped(source, place, (flags & C.MS_REC) !== 0, attributes, userNamespace);
    else {
      // A new filesystem gets its mapping as a second mount of itself, over the first: both go together.
      mountAt(asked);
      bindMapped(place, place, false, 0, userNamespace);
    }
  });
}

/** Ids end at 2^32 - 2: the last is the one that calls take for "leave it". */
const IDS = 0xffff_ffff;

function mapFile(text: string): string {
  const lines = text.split(",").map((range) => {
    const numbers = /^\d{1,10}:\d{1,10}:\d{1,10}$/.test(range) ? range.split(":").map(Number) : [];
    const [container = IDS, host = IDS, size = 0] = numbers;
    if (size === 0 || container + size > IDS || host + size > IDS)
      throw new RegError("EINVAL", `no mapping of ids: ${range}`, { hint: "expected CONTAINER:HOST:SIZE" });
    return `${container} ${host} ${size}\n`;
  });
  return lines.join("");
}

/** Mounts a directory or file at `place` with mapped ids; MOUNT_ATTR_* in `attributes`. */
function bindMapped(
  source: string,
  place: string,
  recursive: boolean,
  attributes: number,
  userNamespace: number,
): void {
  withFd(mappedTree(source, recursive, attributes, userNamespace), (tree) =>
    withFd(open(place, C.O_PATH), (to) => moveMount(tree, to, place)),
  );
}

/**
 * Runs `use` with overlay's option `lowerdir`, each layer with mapped ids: an overlay itself can not be mapped. The overlay keeps what it
 * needs of these mounts, which nobody else sees.
 */
function withMappedLayers(layers: readonly string[], userNamespace: number, use: (list: string) => void): void {
  const trees: number[] = [];
  try {
    for (const layer of layers) trees.push(mappedTree(layer, false, C.MOUNT_ATTR_RDONLY, userNamespace));
    use(trees.map(fdPath).join(":"));
  } finally {
    for (const tree of trees) close(tree);
  }
}

function mappedTree(source: string, recursive: boolean, attributes: number, userNamespace: number): number {
  const tree = cloneTree(source, recursive);
  try {
    const set = attributes + C.MOUNT_ATTR_IDMAP;
    setMountAttributes(
      tree,
      { set, clear: 0, propagation: C.MS_PRIVATE, userNamespace },
      recursive,
      `id mapping of ${source}`,
    );
    return tree;
  } catch (error) {
    close(tree);
    if (!isErrno(error, EINVAL, EPERM, ENOSYS)) throw error;
    const hint =
      error.errno === EPERM
        ? "id-mapped mounts need root on the host, and a source that is not mapped already"
        : "the kernel (Linux 5.12) or the filesystem of the source may be one without id-mapped mounts";
    throw new RegError(error.code, error.message, { hint, cause: error });
  }
}
