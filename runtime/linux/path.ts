/**
 * Paths inside a container's root, which its image may have filled with symlinks: they are resolved by the kernel, below
 * a descriptor of the root, and what follows works on the descriptor. No path is ever joined to the root as text.
 * Source: openat2(2).
 */
import { host } from "#host";
import { EEXIST, ELOOP, ENOENT, ENOTDIR } from "../errors/errno.ts";
import { RegError, SyscallError } from "../errors/errors.ts";
import * as C from "../libc/constants.ts";
import { close, openat2, readLink, stat, tryOpenat2, withFd } from "../libc/file.ts";
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

/**
 * A directory inside the root, O_PATH; it and its parents are made (0755) where they are missing, also where a symlink that leads nowhere
 * says. `made` tells of it.
 */
export function directoryInRoot(
  root: number,
  path: string,
  mode = 0o755,
): { readonly fd: number; readonly made: boolean } {
  const found = openInRootIfExists(root, path);
  if (found !== undefined) return { fd: found, made: false };
  return { fd: makeInRoot(root, path, directoryMaker(mode)), made: true };
}

/** A file inside the root, O_PATH; an empty one (and its directories) is made where it is missing, as directoryInRoot does. */
export function fileInRoot(root: number, path: string): number {
  return openInRootIfExists(root, path) ?? makeInRoot(root, path, FILE_MAKER);
}

/** Makes the last component of a path; `make` gives -1 and errno on failure. */
interface Maker {
  readonly syscall: string;
  readonly make: (directory: number, name: string) => number;
}

function directoryMaker(mode: number): Maker {
  return { syscall: "mkdirat(2)", make: (directory, name) => libc.mkdirat(directory, name, mode) };
}

const FILE_MAKER: Maker = {
  syscall: "openat(2)",
  make: (directory, name) => {
    const fd = libc.openat(directory, name, C.O_CREAT | C.O_EXCL | C.O_NOFOLLOW | C.O_CLOEXEC, 0o644);
    if (fd !== -1) close(fd);
    return fd;
  },
};

function makeInRoot(root: number, path: string, maker: Maker): number {
  const [parent, name] = splitPath(path);
  const directory = openInRootIfExists(root, parent === "" ? "/" : parent);
  if (directory === undefined || name === "..") {
    if (directory !== undefined) close(directory);
    return walkInRoot(root, path, maker);
  }
  return withFd(directory, () => {
    if (maker.make(directory, name) !== -1) return openMade(directory, name, path);
    if (host.errno() !== EEXIST) throw new SyscallError(maker.syscall, path, host.errno());
    return walkInRoot(root, path, maker); // a symlink
  });
}

/** As many as the kernel follows, path_resolution(7). */
const LINK_LIMIT = 40;

function componentsOf(path: string): string[] {
  return path.split("/").filter((part) => part !== "" && part !== ".");
}

/**
 * Goes along a path of which not all is there, as the kernel would, and makes what is missing. ".." behind what is missing takes that
 * back, as for the other runtimes.
 */
function walkInRoot(root: number, path: string, maker: Maker): number {
  const rest = componentsOf(path).reverse();
  /** Where `current` is, without symlinks. */
  let names: string[] = [];
  let links = 0;
  let current = openInRoot(root, "/");
  const enter = (fd: number) => {
    close(current);
    current = fd;
  };
  try {
    for (let name = rest.pop(); name !== undefined; name = rest.pop()) {
      if (name === "..") {
        names.pop();
        enter(openat2(root, names.join("/") || ".", C.O_PATH, C.RESOLVE_IN_ROOT | C.RESOLVE_NO_SYMLINKS));
        continue;
      }
      const next = openOrMake(current, name, path, rest.length > 0 ? directoryMaker(0o755) : maker);
      if (stat("", next).type !== C.S_IFLNK) {
        names.push(name);
        enter(next);
        continue;
      }
      close(next);
      links += 1;
      if (links > LINK_LIMIT) throw new SyscallError("openat2(2)", path, ELOOP);
      const target = readLink(name, current);
      rest.push(...componentsOf(target).reverse());
      if (!target.startsWith("/")) continue;
      names = [];
      enter(openInRoot(root, "/"));
    }
    return current;
  } catch (error) {
    close(current);
    throw error;
  }
}

/** What has this name in the directory, a symlink itself. */
function openOrMake(directory: number, name: string, path: string, maker: Maker): number {
  const resolve = C.RESOLVE_BENEATH | C.RESOLVE_NO_MAGICLINKS;
  const found = tryOpenat2(directory, name, C.O_PATH | C.O_NOFOLLOW, resolve);
  if (found !== -1) return found;
  if (host.errno() !== ENOENT) throw new SyscallError("openat2(2)", path, host.errno());
  if (maker.make(directory, name) === -1) throw new SyscallError(maker.syscall, path, host.errno());
  return openMade(directory, name, path);
}

/** Opens what was just made. A symlink in its place means that somebody else is changing the root at the same time. */
function openMade(directory: number, name: string, path: string): number {
  try {
    return openat2(directory, name, C.O_PATH | C.O_NOFOLLOW, C.RESOLVE_BENEATH | C.RESOLVE_NO_SYMLINKS);
  } catch (error) {
    throw new RegError("ELOOP", `create ${path}: something else stands in its place now`, { cause: error });
  }
}

/** How mount(2) and others can name a descriptor. */
export function fdPath(fd: number): string {
  return `/proc/self/fd/${fd}`;
}
