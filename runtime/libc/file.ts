/** Files by descriptor: open, read, write, make, remove. Every path may be relative to a directory descriptor. */
import { host } from "#host";
import { EAGAIN, EEXIST, EINTR, ENOENT, ESRCH } from "../errors/errno.ts";
import { RegError, SyscallError } from "../errors/errors.ts";
import { checked } from "./call.ts";
import * as C from "./constants.ts";
import { libc } from "./libc.ts";
import { cString, Struct } from "./memory.ts";
import { poll } from "./poll.ts";
import { DIRENT, OPEN_HOW, STATFS, STATX, TIMESPEC } from "./structs.ts";

/** True when `error` is a failed system call with this errno. */
export function isErrno(error: unknown, ...errnos: readonly number[]): error is SyscallError {
  return error instanceof SyscallError && errnos.includes(error.errno);
}

/** openat(2) with O_CLOEXEC. Returns the descriptor. */
export function open(path: string, flags: number, mode = 0, directory = C.AT_FDCWD): number {
  return checked(libc.openat(directory, path, flags | C.O_CLOEXEC, mode), "openat(2)", path);
}

/** openat2(2) as `openat2` does it, but -1 on failure, with errno saved: where a file that is missing is nothing special. */
export function tryOpenat2(directory: number, path: string, flags: number, resolve: number, mode = 0): number {
  const how = new Struct(OPEN_HOW.size);
  // Without setU64: 64-bit integers are slow in QuickJS, and none of these has more than 32 bits.
  how.setU32(OPEN_HOW.flags, flags | C.O_CLOEXEC);
  how.setU32(OPEN_HOW.mode, mode);
  how.setU32(OPEN_HOW.resolve, resolve);
  const name = cString(path);
  for (let attempt = 0; ; attempt++) {
    const fd = libc.syscall(C.SYS_openat2, directory, name, how.bytes, OPEN_HOW.size, 0);
    if (fd !== -1 || host.errno() !== EAGAIN || attempt === 128) return fd;
  }
}

/**
 * openat2(2) with O_CLOEXEC. `resolve` is the RESOLVE_* set. Retries EAGAIN, which a rename elsewhere on the machine
 * can cause for RESOLVE_IN_ROOT. Linux 5.6.
 */
export function openat2(directory: number, path: string, flags: number, resolve: number, mode = 0): number {
  return checked(tryOpenat2(directory, path, flags, resolve, mode), "openat2(2)", path);
}

/** close(2). Errors are of no use to anyone and are ignored. */
export function close(fd: number): void {
  libc.close(fd);
}

/** Runs `use` with the descriptor and closes it whatever happens. */
export function withFd<T>(fd: number, use: (fd: number) => T): T {
  try {
    return use(fd);
  } finally {
    close(fd);
  }
}

/** read(2) into `buffer`, again after EINTR. Returns the number of bytes; 0 is the end. */
export function read(fd: number, buffer: Uint8Array): number {
  for (;;) {
    const count = libc.read(fd, buffer, buffer.length);
    if (count === -1 && host.errno() === EINTR) continue;
    return checked(count, "read(2)", `descriptor ${fd}`);
  }
}

/** Writes as much of `bytes` as goes at once. Returns how many went. `subject` names the file in an error. */
export function write(fd: number, bytes: Uint8Array, subject = `descriptor ${fd}`): number {
  for (;;) {
    const count = libc.write(fd, bytes, bytes.length);
    if (count === -1 && host.errno() === EINTR) continue;
    return checked(count, "write(2)", subject);
  }
}

/** Writes all of `bytes`, also to a descriptor that does not block. `subject` names the file in an error. */
export function writeAll(fd: number, bytes: Uint8Array, subject = `descriptor ${fd}`): void {
  let rest = bytes;
  while (rest.length > 0) {
    const count = libc.write(fd, rest, rest.length);
    if (count === -1 && host.errno() === EINTR) continue;
    if (count === -1 && host.errno() === EAGAIN) poll([[fd, C.POLLOUT]]);
    else rest = rest.subarray(checked(count, "write(2)", subject));
  }
}

/** Beyond this it is worth while to ask for a file's size. */
const LARGE_BYTES = 1024 * 1024;

/** Everything that can be read from a descriptor. Throws RegError EFBIG beyond `limitBytes`. */
export function readAll(fd: number, subject: string, limitBytes = 64 * 1024 * 1024): Uint8Array {
  let buffer: Uint8Array = new Uint8Array(8192);
  let length = 0;
  for (;;) {
    const count = read(fd, buffer.subarray(length));
    if (count === 0) return buffer.subarray(0, length);
    length += count;
    // A file says how large it is: what is too large need not be read to the limit.
    const known = length >= LARGE_BYTES ? stat("", fd).sizeBytes : 0;
    if (length > limitBytes || known > limitBytes)
      throw new RegError("EFBIG", `read ${subject}: larger than ${limitBytes / (1024 * 1024)} MiB`);
    if (length < buffer.length) continue;
    const larger = new Uint8Array(Math.min(buffer.length * 4, limitBytes + 1)); // one byte more shows that there is more
    larger.set(buffer);
    buffer = larger;
  }
}

/** A whole file as text. Throws SyscallError, or RegError EFBIG beyond `limitBytes`. */
export function readText(path: string, directory = C.AT_FDCWD, limitBytes?: number): string {
  return withFd(open(path, C.O_RDONLY, 0, directory), (fd) => host.decode(readAll(fd, path, limitBytes)));
}

/** As readText; undefined when the file does not exist, or is one of /proc whose process goes between open(2) and read(2). */
export function readTextIfExists(path: string, directory = C.AT_FDCWD): string | undefined {
  try {
    return readText(path, directory);
  } catch (error) {
    if (isErrno(error, ENOENT, ESRCH)) return undefined;
    throw error;
  }
}

/** Writes text into a file that exists, in one write(2), as the kernel's files want it. */
export function writeText(path: string, text: string, directory = C.AT_FDCWD): void {
  withFd(open(path, C.O_WRONLY, 0, directory), (fd) => writeAll(fd, host.encode(text), path));
}

/** Makes or replaces a file so that readers see the old content or the new, never a part: O_EXCL beside it, then rename(2). */
export function replaceFile(path: string, text: string, mode = 0o600, directory = C.AT_FDCWD): void {
  const slash = path.lastIndexOf("/") + 1;
  const temporary = `${path.slice(0, slash)}.${path.slice(slash)}.${libc.getpid()}`;
  const flags = C.O_WRONLY | C.O_CREAT | C.O_EXCL | C.O_CLOEXEC;
  const fd = checked(libc.openat(directory, temporary, flags, mode), "openat(2)", path);
  try {
    withFd(fd, () => writeAll(fd, host.encode(text), path));
    checked(libc.renameat(directory, temporary, directory, path), "renameat(2)", path);
  } catch (error) {
    libc.unlinkat(directory, temporary, 0);
    throw error;
  }
}

/** mkdirat(2). */
export function mkdir(path: string, mode: number, directory = C.AT_FDCWD): void {
  checked(libc.mkdirat(directory, path, mode), "mkdirat(2)", path);
}

/** mkdirat(2); false when the directory was there. */
export function mkdirIfMissing(path: string, mode: number, directory = C.AT_FDCWD): boolean {
  if (libc.mkdirat(directory, path, mode) === 0) return true;
  if (host.errno() === EEXIST) return false;
  throw new SyscallError("mkdirat(2)", path, host.errno());
}

/** Makes a directory and its parents on the host, as mkdir -p. */
export function mkdirAll(path: string, mode: number): void {
  if (libc.mkdirat(C.AT_FDCWD, path, mode) === 0 || host.errno() === EEXIST) return;
  if (host.errno() !== ENOENT) throw new SyscallError("mkdirat(2)", path, host.errno());
  const parent = path.slice(0, path.lastIndexOf("/"));
  if (parent !== "") mkdirAll(parent, mode);
  mkdirIfMissing(path, mode);
}

/** unlinkat(2) of a file; false when it was not there. */
export function unlink(path: string, directory = C.AT_FDCWD): boolean {
  if (libc.unlinkat(directory, path, 0) === 0) return true;
  if (host.errno() === ENOENT) return false;
  throw new SyscallError("unlinkat(2)", path, host.errno());
}

/** unlinkat(2) of an empty directory; false when it was not there. */
export function rmdir(path: string, directory = C.AT_FDCWD): boolean {
  if (libc.unlinkat(directory, path, C.AT_REMOVEDIR) === 0) return true;
  if (host.errno() === ENOENT) return false;
  throw new SyscallError("unlinkat(2)", path, host.errno());
}

/** readlinkat(2). */
export function readLink(path: string, directory = C.AT_FDCWD): string {
  const buffer = new Uint8Array(4096);
  const length = checked(libc.readlinkat(directory, path, buffer, buffer.length), "readlinkat(2)", path);
  return host.decode(buffer.subarray(0, length));
}

/** An entry of a directory; `type` is the S_IF* bits, 0 when the filesystem does not say. */
export interface DirectoryEntry {
  readonly name: string;
  readonly type: number;
}

/** The entries of an open directory, without "." and "..", in the kernel's order. */
export function readDirectory(fd: number): DirectoryEntry[] {
  const entries: DirectoryEntry[] = [];
  const block = new Struct(32768);
  for (;;) {
    const length = checked(
      libc.syscall(C.SYS_getdents64, fd, block.bytes, block.bytes.length, 0, 0),
      "getdents64(2)",
      `descriptor ${fd}`,
    );
    if (length === 0) return entries;
    for (let offset = 0; offset < length; offset += block.u16(offset + DIRENT.d_reclen)) {
      const start = offset + DIRENT.d_name;
      const name = host.decode(block.bytes.subarray(start, block.bytes.indexOf(0, start)));
      if (name !== "." && name !== "..") entries.push({ name, type: block.u8(offset + DIRENT.d_type) << 12 });
    }
  }
}

/** What statx(2) says of a file; each value is read when it is asked for, as most are not. */
export class FileStatus {
  readonly #statx: Struct;

  constructor(statx: Struct) {
    this.#statx = statx;
  }

  /** S_IF* bits. */
  get type(): number {
    return this.#statx.u16(STATX.stx_mode) & C.S_IFMT;
  }
  /** Permission bits. */
  get mode(): number {
    return this.#statx.u16(STATX.stx_mode) & 0o7777;
  }
  get uid(): number {
    return this.#statx.u32(STATX.stx_uid);
  }
  get gid(): number {
    return this.#statx.u32(STATX.stx_gid);
  }
  get sizeBytes(): number {
    return this.#statx.u64(STATX.stx_size);
  }
  get inode(): number {
    return this.#statx.u64(STATX.stx_ino);
  }
  get links(): number {
    return this.#statx.u32(STATX.stx_nlink);
  }
  /** Device number of a device file. */
  get rdevMajor(): number {
    return this.#statx.u32(STATX.stx_rdev_major);
  }
  get rdevMinor(): number {
    return this.#statx.u32(STATX.stx_rdev_minor);
  }
  /** Device of the filesystem. */
  get devMajor(): number {
    return this.#statx.u32(STATX.stx_dev_major);
  }
  get devMinor(): number {
    return this.#statx.u32(STATX.stx_dev_minor);
  }
}

const STATX_BASIC_STATS = 0x7ff;

/** statx(2) without following a last symlink. An empty path is the descriptor itself. */
export function stat(path: string, directory = C.AT_FDCWD, follow = false): FileStatus {
  const buffer = new Struct(STATX.size);
  const flags = (follow ? 0 : C.AT_SYMLINK_NOFOLLOW) | (path === "" ? C.AT_EMPTY_PATH : 0);
  const subject = path === "" ? `descriptor ${directory}` : path;
  checked(
    libc.syscall(C.SYS_statx, directory, cString(path), flags, STATX_BASIC_STATS, buffer.bytes),
    "statx(2)",
    subject,
  );
  return new FileStatus(buffer);
}

/** When a file was last read and changed, as utimensat(2) takes it: two struct timespec. No symlink is followed. */
export function fileTimes(path: string, directory: number): Uint8Array {
  const buffer = new Struct(STATX.size);
  checked(
    libc.syscall(C.SYS_statx, directory, cString(path), C.AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, buffer.bytes),
    "statx(2)",
    path,
  );
  const times = new Uint8Array(2 * TIMESPEC.size);
  // struct statx_timestamp: seconds, nanoseconds of 32 bits, and padding that is 0.
  times.set(buffer.bytes.subarray(STATX.stx_atime, STATX.stx_atime + TIMESPEC.size));
  times.set(buffer.bytes.subarray(STATX.stx_mtime, STATX.stx_mtime + TIMESPEC.size), TIMESPEC.size);
  return times;
}

/** The device of the filesystem that `path` is on, as one number to compare. statx(2), without the rest of `stat`. */
export function filesystemDevice(path: string): number {
  const buffer = new Struct(STATX.size);
  checked(
    libc.syscall(C.SYS_statx, C.AT_FDCWD, cString(path), C.AT_SYMLINK_NOFOLLOW, 0, buffer.bytes),
    "statx(2)",
    path,
  );
  return buffer.u32(STATX.stx_dev_major) * 0x10_0000 + buffer.u32(STATX.stx_dev_minor);
}

/** Whether there is something at the path that can be reached. */
export function exists(path: string, directory = C.AT_FDCWD): boolean {
  return libc.faccessat(directory, path, 0, 0) === 0;
}

/** As stat; undefined when there is no such file. */
export function statIfExists(path: string, directory = C.AT_FDCWD, follow = false): FileStatus | undefined {
  try {
    return stat(path, directory, follow);
  } catch (error) {
    if (isErrno(error, ENOENT)) return undefined;
    throw error;
  }
}

/** f_type of fstatfs(2): the filesystem's magic number. */
export function filesystemType(fd: number): number {
  const buffer = new Struct(STATFS.size);
  checked(libc.fstatfs(fd, buffer.bytes), "fstatfs(2)", `descriptor ${fd}`);
  return buffer.u64(STATFS.f_type);
}
