/**
 * Files and directories of the host that a container gets. Those that a stranger named lie within a directory (`within`), are
 * resolved below a descriptor of it, and used by the descriptor that this gives. Source: openat2(2), open_tree(2).
 */
import * as C from "../libc/constants.ts";
import { open, withFd } from "../libc/file.ts";
import { cloneTree } from "../libc/mount.ts";
import { directoryInRoot, openInRoot } from "../linux/path.ts";
import type { BindMount } from "../oci/plan/mounts.ts";

/** A detached copy of what is mounted at the source of a bind mount. */
export function cloneSource({ source, within, options }: BindMount): number {
  if (within === undefined)
    return cloneTree(source, options.recursiveBind, C.AT_FDCWD, options.nofollow?.source !== true);
  return withFd(open(within, C.O_PATH | C.O_DIRECTORY), (directory) =>
    withFd(openInRoot(directory, source.slice(within.length)), (fd) => cloneTree("", options.recursiveBind, fd)),
  );
}

/** A directory, O_PATH; it is made (0755) where it is missing. */
export function directoryWithin(path: string, within: string): number {
  return withFd(open(within, C.O_PATH | C.O_DIRECTORY), (root) => directoryInRoot(root, path.slice(within.length)).fd);
}
