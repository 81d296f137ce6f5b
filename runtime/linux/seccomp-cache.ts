/**
 * Compiled filters, kept in files: to compile one of hundreds of rules takes longer than the rest of a container's start.
 * A file holds what its program was compiled from, so that one is never taken for another; its name is a mere hash of that.
 *
 *   length of the source, 4 bytes ── source ── program
 */
import { host } from "#host";
import { EEXIST, ENOENT } from "../errors/errno.ts";
import { RegError, SyscallError } from "../errors/errors.ts";
import * as C from "../libc/constants.ts";
import { close, open, readAll, readDirectory, stat, unlink, withFd, writeAll } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import { Struct } from "../libc/memory.ts";

/** When there are more, the profiles change with each container, and none of them is worth its file. */
const MOST_FILES = 64;
const SAMPLES = 1024;

/** The program for `source`: from the directory, which is made if need be, or by `compile`. */
export function cachedProgram(directory: string, source: string, compile: () => Uint8Array): Uint8Array {
  const fd = openDirectory(directory);
  if (fd === undefined) return compile();
  return withFd(fd, () => {
    const name = hash(source);
    const found = read(fd, name, source);
    if (found !== undefined) return found;
    const program = compile();
    write(fd, name, source, program);
    return program;
  });
}

/** undefined where it can not be made, or is somebody else's: then there is no cache. */
function openDirectory(path: string): number | undefined {
  if (libc.mkdirat(C.AT_FDCWD, path, 0o700) === -1 && host.errno() !== EEXIST) return undefined;
  let fd: number;
  try {
    fd = open(path, C.O_RDONLY | C.O_DIRECTORY | C.O_NOFOLLOW);
  } catch (error) {
    if (error instanceof RegError) return undefined;
    throw error;
  }
  const { uid, mode } = stat("", fd);
  if (uid === libc.geteuid() && (mode & 0o022) === 0) return fd;
  close(fd);
  return undefined;
}

/** FNV-1a over the length and some of the characters, evenly spread: enough to tell a few profiles apart. */
function hash(source: string): string {
  let sum = (0x811c9dc5 ^ source.length) >>> 0;
  const step = Math.max(1, Math.floor(source.length / SAMPLES));
  for (let index = 0; index < source.length; index += step) sum = Math.imul(sum ^ source.charCodeAt(index), 0x01000193);
  return (sum >>> 0).toString(16).padStart(8, "0");
}

function read(directory: number, name: string, source: string): Uint8Array | undefined {
  const file = libc.openat(directory, name, C.O_RDONLY | C.O_CLOEXEC | C.O_NOFOLLOW, 0);
  if (file === -1) {
    if (host.errno() === ENOENT) return undefined;
    throw new SyscallError("openat(2)", name, host.errno());
  }
  const bytes = withFd(file, () => readAll(file, "a cached filter"));
  const length = bytes.length < 4 ? 0 : new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  if (bytes.length <= 4 + length || host.decode(bytes.subarray(4, 4 + length)) !== source) return undefined;
  return bytes.slice(4 + length);
}

/** Whole or not at all. A cache that can not be written, on a full filesystem for one, is no failure. */
function write(directory: number, name: string, source: string, program: Uint8Array): void {
  const text = host.encode(source);
  const temporary = `.${name}.${libc.getpid()}`;
  try {
    const names = readDirectory(directory).map((entry) => entry.name);
    if (names.length > MOST_FILES) for (const old of names) unlink(old, directory);
    withFd(open(temporary, C.O_WRONLY | C.O_CREAT | C.O_EXCL, 0o600, directory), (fd) => {
      writeAll(fd, new Struct(4).setU32(0, text.length).bytes);
      writeAll(fd, text);
      writeAll(fd, program);
    });
    if (libc.renameat(directory, temporary, directory, name) === -1) libc.unlinkat(directory, temporary, 0);
  } catch (error) {
    libc.unlinkat(directory, temporary, 0);
    if (!(error instanceof RegError)) throw error;
  }
}
