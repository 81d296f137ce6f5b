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

/** Contents of uid_map and gid_map. */
export interface IdMap {
  readonly uidMap: string;
  readonly gidMap: string;
}

/** Takes the mapping out of a mount's options. Throws RegError for one that is no mapping, or half of one. */
export function takeIdMap(options: readonly string[]): { readonly idMap?: IdMap; readonly rest: readonly string[] } {
  const of = (name: string) => options.find((option) => option.startsWith(name))?.slice(name.length);
  const [uidMap, gidMap] = [of("uidmap="), of("gidmap=")];
  if (uidMap === undefined && gidMap === undefined) return { rest: options };
  if (uidMap === undefined || gidMap === undefined) throw new RegError("EINVAL", "uidmap= and gidmap= need each other");
  const rest = options.filter((option) => !option.startsWith("uidmap=") && !option.startsWith("gidmap="));
  return { idMap: { uidMap: mapFile(uidMap), gidMap: mapFile(gidMap) }, rest };
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

/** Runs `use` with a user namespace of this mapping, which ends with it. */
export function withMapping<T>({ uidMap, gidMap }: IdMap, use: (userNamespace: number) => T): T {
  return withFd(mappedUserNamespace(uidMap, gidMap), use);
}

/** Mounts a directory or file at `place` with mapped ids; MOUNT_ATTR_* in `attributes`. */
export function bindMapped(
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
export function withMappedLayers(layers: readonly string[], userNamespace: number, use: (list: string) => void): void {
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
