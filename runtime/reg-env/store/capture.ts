/** Files of a root filesystem as entries of a unit, their content staged for the store. */
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { ENOTDIR } from "../../errors/errno.ts";
import { RegError, SyscallError } from "../../errors/errors.ts";
import * as C from "../../libc/constants.ts";
import { isErrno, open, openat2, readLink } from "../../libc/file.ts";
import type { Entry, FileEntry } from "../../reg/manifest.ts";
import { hashFile, LARGE_BYTES, readSmall } from "./hash.ts";
import { keepsTime, objectKey } from "./header.ts";
import type { Staging } from "./staging.ts";
import { readXattrs } from "./xattr.ts";

const ELOOP = 40;
/** A path is where the file really is: what lies behind a symlink might be outside the root. */
const INSIDE = C.RESOLVE_BENEATH | C.RESOLVE_NO_SYMLINKS | C.RESOLVE_NO_MAGICLINKS;

/**
 * A root filesystem that files are taken from. One path after the other mostly stands in the same directory, which stays open: a path is looked up by a
 * call that Node does not have, and a name in a directory by one that it has, which takes a tenth of the time.
 */
export class Source {
  readonly #root: number;
  #directory: { readonly path: string; readonly fd: number } | undefined;

  constructor(path: string) {
    this.#root = open(path, C.O_RDONLY | C.O_DIRECTORY);
  }

  /** Paths have no leading slash. Returns an O_PATH descriptor of the file, the directory or the symlink itself. */
  open(path: string): number {
    const slash = path.lastIndexOf("/");
    const directory = this.#open(path.slice(0, Math.max(slash, 0)), path);
    try {
      return fs.openSync(`/proc/self/fd/${directory}/${path.slice(slash + 1)}`, C.O_PATH | C.O_NOFOLLOW);
    } catch (error) {
      const { errno } = error as NodeJS.ErrnoException;
      throw errno === undefined ? error : new SyscallError("open(2)", `/${path}`, -errno);
    }
  }

  #open(directory: string, path: string): number {
    if (this.#directory?.path === directory) return this.#directory.fd;
    if (directory === "") return this.#root;
    let fd: number;
    try {
      fd = openat2(this.#root, directory, C.O_PATH | C.O_DIRECTORY, INSIDE);
    } catch (error) {
      if (isErrno(error, ELOOP, ENOTDIR))
        throw new RegError("ELOOP", `/${path}: a directory on its way is a symlink or a file`, { cause: error });
      throw error;
    }
    this.#drop();
    this.#directory = { path: directory, fd };
    return fd;
  }

  #drop(): void {
    if (this.#directory !== undefined) fs.closeSync(this.#directory.fd);
    this.#directory = undefined;
  }

  close(): void {
    this.#drop();
    fs.closeSync(this.#root);
  }
}

/** The entry for `path`. */
export function captureEntry(staging: Staging, source: Source, path: string): Entry {
  return using(source.open(path), (fd) => {
    const status = fs.fstatSync(fd);
    const { uid, gid } = staging.owners.inUnitFrom(status);
    const mode = status.mode & 0o7777;
    if (status.isSymbolicLink()) return { type: "symlink", path, target: readLink("", fd), uid, gid };
    if (status.isDirectory()) return { type: "directory", path, mode, uid, gid };
    if (status.isFile()) return captureFile(staging, fd, path);
    throw new RegError(
      "EINVAL",
      `/${path} is a device, socket or fifo: only files, directories and symlinks can be shared`,
      {
        hint: "leave it out with --exclude; devices are what config.json's linux.devices is for",
      },
    );
  });
}

/** As withFd, by Node's own close. */
function using<T>(fd: number, use: (fd: number) => T): T {
  try {
    return use(fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** `found`: the file, opened by O_PATH. */
function captureFile(staging: Staging, found: number, path: string): FileEntry {
  return using(fs.openSync(`/proc/self/fd/${found}`, "r"), (fd) => {
    const status = fs.fstatSync(fd);
    const { mode, mtimeMs } = status;
    const { uid, gid } = staging.owners.inUnitFrom(status);
    const xattrs = readXattrs(fd, path);
    const bytes = status.size < LARGE_BYTES ? readSmall(fd) : undefined;
    const { content, sizeBytes } = bytes === undefined ? hashFile(fd) : hashBytes(bytes);
    const header = {
      content,
      uid,
      gid,
      mode: mode & 0o7777,
      ...(keepsTime(path) ? { mtime: Math.floor(mtimeMs / 1000) } : {}),
      ...(xattrs === undefined ? {} : { xattrs }),
    };
    const entry: FileEntry = { type: "file", path, object: objectKey(header), sizeBytes, ...header };
    staging.addObject(entry, bytes ?? fd);
    return entry;
  });
}

function hashBytes(bytes: Uint8Array): { readonly content: string; readonly sizeBytes: number } {
  return { content: createHash("sha256").update(bytes).digest("hex"), sizeBytes: bytes.length };
}

/** A file of root with this content. */
export function stageContent(staging: Staging, path: string, content: Uint8Array, mode: number): FileEntry {
  const header = { content: hashBytes(content).content, uid: 0, gid: 0, mode };
  const entry: FileEntry = { type: "file", path, object: objectKey(header), sizeBytes: content.length, ...header };
  staging.addObject(entry, content);
  return entry;
}
