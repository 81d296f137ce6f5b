/**
 * Paths inside a container's root, which its image may have filled with symlinks: they are resolved by the kernel, below
 * a descriptor of the root, and what follows works on the descriptor. No path is ever joined to the root as text.
 * Source: openat2(2).
 */
import { host } from "#host";
import { EEXIST, ENOENT, ENOTDIR } from "../errors/errno.ts";
import { RegError, SyscallError } from "../errors/errors.ts";
import * as C from "../libc/constants.ts";
import { close, openat2, tryOpenat2, withFd } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";

/** openat2(2) below the root: -1 and errno on failure. Half of what is looked for is not there, and an exception costs 15 µs. */
function tryOpenInRoot(root: number, path: string, flags: number): number {
  const relative = path.charCodeAt(0) === 0x2f ? path.slice(1) : path;
  return tryOpenat2(root, relative === "" ? "." : relative, flags, C.RESOLVE_IN_ROOT | C.RESOLVE_NO_MAGICLINKS);
}

/** Opens `path` (without "//" at its beginning) inside the root. Symlinks stay inside; the magic links of /proc are not followed. */
export function openInRoot(root: number, path: string, flags = C.O_PATH): number {
  const fd = tryOpenInRoot(root, path, flags);
  if (fd === -1) throw new SyscallError("openat2(2)", path, host.errno());
  return fd;
}

/** As openInRoot; undefined when the path does not exist. */
export function openInRootIfExists(root: number, path: string, flags = C.O_PATH): number | undefined {
  const fd = tryOpenInRoot(root, path, flags);
  if (fd !== -1) return fd;
  const errno = host.errno();
  if (errno === ENOENT || errno === ENOTDIR) return undefined;
  throw new SyscallError("openat2(2)", path, errno);
}

/** The name a path ends in, and what comes before it. */
export function splitPath(path: string): readonly [parent: string, name: string] {
  const slash = path.lastIndexOf("/");
  return [path.slice(0, Math.max(slash, 0)), path.slice(slash + 1)];
}

/** A directory inside the root, O_PATH; it and its parents are made (0755) where they are missing. `made` tells of it. */
export function directoryInRoot(
  root: number,
  path: string,
  mode = 0o755,
): { readonly fd: number; readonly made: boolean } {
  const found = openInRootIfExists(root, path);
  if (found !== undefined) return { fd: found, made: false };
  const [parent, name] = splitPath(path);
  return withFd(directoryInRoot(root, parent === "" ? "/" : parent).fd, (directory) => {
    if (libc.mkdirat(directory, name, mode) === -1 && host.errno() !== EEXIST)
      throw new SyscallError("mkdirat(2)", path, host.errno());
    return { fd: openMade(directory, name, C.O_PATH | C.O_DIRECTORY, path), made: true };
  });
}

/** A regular file inside the root, O_PATH; an empty one (and its directories) is made where it is missing. */
export function fileInRoot(root: number, path: string): number {
  const found = openInRootIfExists(root, path);
  if (found !== undefined) return found;
  const [parent, name] = splitPath(path);
  return withFd(directoryInRoot(root, parent === "" ? "/" : parent).fd, (directory) => {
    const fd = libc.openat(directory, name, C.O_CREAT | C.O_EXCL | C.O_NOFOLLOW | C.O_CLOEXEC, 0o644);
    if (fd === -1 && host.errno() !== EEXIST) throw new SyscallError("openat(2)", path, host.errno());
    if (fd !== -1) close(fd);
    return openMade(directory, name, C.O_PATH, path);
  });
}

/** Opens what was just made. A symlink in its place means that somebody else is changing the root at the same time. */
function openMade(directory: number, name: string, flags: number, path: string): number {
  try {
    return openat2(directory, name, flags | C.O_NOFOLLOW, C.RESOLVE_BENEATH | C.RESOLVE_NO_SYMLINKS);
  } catch (error) {
    throw new RegError("ELOOP", `create ${path}: a symlink that leads nowhere stands in its place`, { cause: error });
  }
}

/** How mount(2) and others can name a descriptor. */
export function fdPath(fd: number): string {
  return `/proc/self/fd/${fd}`;
}
