/**
 * `cp -a` of a directory's content: every kind of file, hard links, holes, owners, modes, extended attributes and times.
 * Paths are resolved below the two descriptors, without symlinks. Source: cp(1), lseek(2) "Seeking file data and holes", xattr(7).
 */
import { host } from "#host";
import { EINVAL, ENXIO, EOPNOTSUPP, EPERM } from "../errors/errno.ts";
import { SyscallError } from "../errors/errors.ts";
import { checked } from "../libc/call.ts";
import * as C from "../libc/constants.ts";
import {
  type FileStatus,
  fileTimes,
  open,
  openat2,
  read,
  readDirectory,
  stat,
  withFd,
  writeAll,
} from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import { fdPath } from "./path.ts";

const BLOCK_BYTES = 65_536;
/** XATTR_SIZE_MAX, XATTR_LIST_MAX */
const XATTR_BYTES = 65_536;

/**
 * Copies what is in the directory `from` into the empty directory `to`. In a user namespace (`mapped`) owners and labels that do not exist
 * there are left out, as cp(1) does for a user. Throws SyscallError for everything else that cannot be copied.
 */
export function copyTree(from: number, to: number, mapped: boolean): void {
  new TreeCopy(from, to, mapped).run();
}

/** Copies one file, symlink or device, in the same way: `name` in the directory `from` to `newName`, which must not be there, in `to`. */
export function copyEntry(from: number, name: string, to: number, newName: string): void {
  const status = stat(name, from);
  const copy = new EntryCopy(false);
  copy.make(from, name, to, newName, name, status);
  copy.copyAttributes(from, name, to, newName, status, name);
}

class TreeCopy {
  readonly #from: number;
  readonly #to: number;
  readonly #entry: EntryCopy;
  /** The first name of each inode that has several. */
  readonly #linked = new Map<string, string>();

  constructor(from: number, to: number, mapped: boolean) {
    this.#from = from;
    this.#to = to;
    this.#entry = new EntryCopy(mapped);
  }

  run(): void {
    // A list instead of recursion: a tree may be as deep as paths are long.
    const directories = [""];
    for (let next = 0; next < directories.length; next++) {
      const path = directories[next] ?? "";
      this.#inDirectory(path, (source, target) => {
        for (const { name } of readDirectory(source)) {
          const below = path === "" ? name : `${path}/${name}`;
          if (this.#copyEntry(source, target, name, below)) directories.push(below);
        }
      });
    }
    // Their times change while they are filled, and a mode may forbid that.
    for (const path of directories)
      if (path !== "")
        this.#inDirectory(path, (source, target) =>
          this.#entry.copyAttributes(source, ".", target, ".", stat("", source), path),
        );
  }

  #inDirectory(path: string, action: (source: number, target: number) => void): void {
    const flags = C.O_RDONLY | C.O_DIRECTORY;
    const resolve = C.RESOLVE_BENEATH | C.RESOLVE_NO_SYMLINKS;
    const name = path === "" ? "." : path;
    withFd(openat2(this.#from, name, flags, resolve), (source) =>
      withFd(openat2(this.#to, name, flags, resolve), (target) => action(source, target)),
    );
  }

  /** True for a directory, which is made empty. */
  #copyEntry(source: number, target: number, name: string, path: string): boolean {
    const status = stat(name, source);
    if (status.type === C.S_IFDIR) {
      checked(libc.mkdirat(target, name, 0o700), "mkdirat(2)", path);
      return true;
    }
    if (status.links > 1) {
      const inode = `${status.devMajor}:${status.devMinor}:${status.inode}`;
      const first = this.#linked.get(inode);
      if (first !== undefined) {
        checked(libc.linkat(this.#to, first, target, name, 0), "linkat(2)", path);
        return false;
      }
      this.#linked.set(inode, path);
    }
    this.#entry.make(source, name, target, name, path, status);
    this.#entry.copyAttributes(source, name, target, name, status, path);
    return false;
  }
}

/** Copies one entry of a directory; `path` names it in errors. */
class EntryCopy {
  readonly #mapped: boolean;
  readonly #block = new Uint8Array(BLOCK_BYTES);

  constructor(mapped: boolean) {
    this.#mapped = mapped;
  }

  /** Everything but a directory, without its attributes. */
  make(source: number, name: string, target: number, newName: string, path: string, status: FileStatus): void {
    if (status.type === C.S_IFREG) this.#copyFile(source, name, target, newName, path, status.sizeBytes);
    else if (status.type === C.S_IFLNK) {
      const link = new Uint8Array(4097); // ends in a NUL whatever the length
      const length = checked(libc.readlinkat(source, name, link, 4096), "readlinkat(2)", path);
      checked(libc.symlinkat(host.decode(link.subarray(0, length)), target, newName), "symlinkat(2)", path);
    } else {
      const device =
        (status.rdevMajor & 0xfff) * 0x100 + (status.rdevMinor & 0xff) + (status.rdevMinor >>> 8) * 0x10_0000;
      checked(libc.mknodat(target, newName, status.type | 0o600, device), "mknodat(2)", path);
    }
  }

  #copyFile(source: number, name: string, target: number, newName: string, path: string, sizeBytes: number): void {
    withFd(open(name, C.O_RDONLY | C.O_NOFOLLOW, 0, source), (input) =>
      withFd(open(newName, C.O_WRONLY | C.O_CREAT | C.O_EXCL, 0o600, target), (output) => {
        for (let at = 0; at < sizeBytes; ) {
          const data = libc.lseek(input, at, C.SEEK_DATA);
          if (data === -1 && host.errno() === ENXIO) break; // the rest is a hole
          checked(data, "lseek(2)", path);
          at = checked(libc.lseek(input, data, C.SEEK_HOLE), "lseek(2)", path);
          checked(libc.lseek(input, data, C.SEEK_SET), "lseek(2)", path);
          checked(libc.lseek(output, data, C.SEEK_SET), "lseek(2)", path);
          this.#copyBytes(input, output, at - data, path);
        }
        checked(libc.ftruncate(output, sizeBytes), "ftruncate(2)", path);
      }),
    );
  }

  #copyBytes(input: number, output: number, length: number, path: string): void {
    for (let left = length; left > 0; ) {
      const count = read(input, this.#block.subarray(0, Math.min(left, BLOCK_BYTES)));
      if (count === 0) return; // somebody has cut the file meanwhile
      writeAll(output, this.#block.subarray(0, count), path);
      left -= count;
    }
  }

  /** Owner first, because changing it takes away setuid bits and file capabilities; times last. */
  copyAttributes(
    source: number,
    name: string,
    target: number,
    newName: string,
    status: FileStatus,
    path: string,
  ): void {
    if (libc.fchownat(target, newName, status.uid, status.gid, C.AT_SYMLINK_NOFOLLOW) === -1) {
      const errno = host.errno();
      if (!this.#mapped || (errno !== EINVAL && errno !== EPERM)) throw new SyscallError("fchownat(2)", path, errno);
    }
    if (status.type !== C.S_IFLNK) checked(libc.fchmodat(target, newName, status.mode, 0), "fchmodat(2)", path);
    this.#copyXattrs(`${fdPath(source)}/${name}`, `${fdPath(target)}/${newName}`, path);
    const times = fileTimes(name, source);
    checked(libc.utimensat(target, newName, times, C.AT_SYMLINK_NOFOLLOW), "utimensat(2)", path);
  }

  #copyXattrs(source: string, target: string, path: string): void {
    const list = new Uint8Array(XATTR_BYTES);
    const length = libc.llistxattr(source, list, XATTR_BYTES);
    if (length === 0 || (length === -1 && host.errno() === EOPNOTSUPP)) return;
    checked(length, "llistxattr(2)", path);
    const value = new Uint8Array(XATTR_BYTES);
    for (const name of host.decode(list.subarray(0, length - 1)).split("\0")) {
      const size = checked(libc.lgetxattr(source, name, value, XATTR_BYTES), "lgetxattr(2)", `${name} of ${path}`);
      if (libc.lsetxattr(target, name, value, size, 0) === 0) continue;
      const errno = host.errno();
      // What the other filesystem cannot keep, as user.* on a tmpfs before Linux 6.6, or one's policy does not allow, such as labels.
      if (errno === EOPNOTSUPP || (errno === EPERM && (this.#mapped || name.startsWith("security.")))) continue;
      throw new SyscallError("lsetxattr(2)", `${name} of ${path}`, errno);
    }
  }
}
