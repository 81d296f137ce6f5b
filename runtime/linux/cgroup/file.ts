/** Small kernel files: one open, one read or write, one close. */
import { host } from "#host";
import { EINTR, ENODEV, ENOENT, EOPNOTSUPP } from "../../errors/errno.ts";
import { type ErrorContext, SyscallError } from "../../errors/errors.ts";
import * as C from "../../libc/constants.ts";
import { isErrno, open, readAll, readDirectory, withFd } from "../../libc/file.ts";
import { libc } from "../../libc/libc.ts";

/** What a control file holds, without the last newline; undefined when it, or the cgroup, is not there. */
export function readControl(path: string): string | undefined {
  const fd = libc.openat(C.AT_FDCWD, path, C.O_RDONLY | C.O_CLOEXEC, 0);
  if (fd === -1) {
    if (host.errno() === ENOENT || host.errno() === ENODEV) return undefined;
    throw new SyscallError("openat(2)", path, host.errno());
  }
  const buffer = new Uint8Array(4096);
  let length = libc.read(fd, buffer, buffer.length);
  while (length === -1 && host.errno() === EINTR) length = libc.read(fd, buffer, buffer.length);
  const errno = length === -1 ? host.errno() : 0;
  libc.close(fd);
  if (errno === ENODEV || errno === EOPNOTSUPP) return undefined;
  if (length === -1) throw new SyscallError("read(2)", path, errno);
  return host.decode(buffer.subarray(0, length > 0 && buffer[length - 1] === 10 ? length - 1 : length));
}

/** As readControl for files without a bound, such as cgroup.procs and memory.stat. */
export function readLongControl(path: string): string | undefined {
  try {
    return withFd(open(path, C.O_RDONLY), (fd) => host.decode(readAll(fd, path)));
  } catch (error) {
    if (isErrno(error, ENOENT, ENODEV, EOPNOTSUPP)) return undefined;
    throw error;
  }
}

/** Writes a control file in one write(2). Returns 0, or the errno of open or write: the caller knows what it means. */
export function tryWriteControl(path: string, bytes: Uint8Array): number {
  const fd = libc.openat(C.AT_FDCWD, path, C.O_WRONLY | C.O_CLOEXEC, 0);
  if (fd === -1) return host.errno();
  let count = libc.write(fd, bytes, bytes.length);
  while (count === -1 && host.errno() === EINTR) count = libc.write(fd, bytes, bytes.length);
  const errno = count === -1 ? host.errno() : 0;
  libc.close(fd);
  return errno;
}

/** Writes a control file in one write(2); throws SyscallError. */
export function writeControl(path: string, value: string, context?: ErrorContext): void {
  const errno = tryWriteControl(path, host.encode(value));
  if (errno !== 0) throw new SyscallError("write(2)", `${JSON.stringify(value)} to ${path}`, errno, context);
}

/** Names of the sub-cgroups of a cgroup; none when it is not there. */
export function childrenOf(path: string): string[] {
  try {
    return withFd(open(path, C.O_RDONLY | C.O_DIRECTORY), readDirectory)
      .filter(({ type }) => type === C.S_IFDIR)
      .map(({ name }) => name);
  } catch (error) {
    if (isErrno(error, ENOENT)) return [];
    throw error;
  }
}
