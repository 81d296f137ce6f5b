/** Files of a root filesystem as entries of a unit, their content staged for the store. */
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { ENOTDIR } from "../../errors/errno.ts";
import { RegError } from "../../errors/errors.ts";
import * as C from "../../libc/constants.ts";
import { isErrno, openat2, readLink, withFd } from "../../libc/file.ts";
import type { Entry, FileEntry } from "../../reg/manifest.ts";
import { hashFile } from "./hash.ts";
import { keepsTime, objectKey } from "./header.ts";
import type { Staging } from "./staging.ts";
import { readXattrs } from "./xattr.ts";

const ELOOP = 40;
/** A path is where the file really is: what lies behind a symlink might be outside the root. */
const INSIDE = C.RESOLVE_BENEATH | C.RESOLVE_NO_SYMLINKS | C.RESOLVE_NO_MAGICLINKS;

/** The entry for `path` (without a leading slash) below the open directory `root`. */
export function captureEntry(staging: Staging, root: number, path: string): Entry {
  return withFd(openInside(root, path, C.O_PATH | C.O_NOFOLLOW), (fd) => {
    const status = fs.fstatSync(fd);
    const { uid, gid } = status;
    const mode = status.mode & 0o7777;
    if (status.isSymbolicLink()) return { type: "symlink", path, target: readLink("", fd), uid, gid };
    if (status.isDirectory()) return { type: "directory", path, mode, uid, gid };
    if (status.isFile()) return captureFile(staging, root, path);
    throw new RegError(
      "EINVAL",
      `/${path} is a device, socket or fifo: only files, directories and symlinks can be shared`,
      {
        hint: "leave it out with --exclude; devices are what config.json's linux.devices is for",
      },
    );
  });
}

function captureFile(staging: Staging, root: number, path: string): FileEntry {
  return withFd(openInside(root, path, C.O_RDONLY | C.O_NOFOLLOW), (fd) => {
    const { uid, gid, mode, mtimeMs } = fs.fstatSync(fd);
    const xattrs = readXattrs(fd, path);
    const { content, sizeBytes } = hashFile(fd);
    const header = {
      content,
      uid,
      gid,
      mode: mode & 0o7777,
      ...(keepsTime(path) ? { mtime: Math.floor(mtimeMs / 1000) } : {}),
      ...(xattrs === undefined ? {} : { xattrs }),
    };
    const entry: FileEntry = { type: "file", path, object: objectKey(header), sizeBytes, ...header };
    staging.addObject(entry, fd);
    return entry;
  });
}

/** A file of root with this content. */
export function stageContent(staging: Staging, path: string, content: Uint8Array, mode: number): FileEntry {
  const header = { content: createHash("sha256").update(content).digest("hex"), uid: 0, gid: 0, mode };
  const entry: FileEntry = { type: "file", path, object: objectKey(header), sizeBytes: content.length, ...header };
  const temporary = `${staging.directory}/content`;
  fs.writeFileSync(temporary, content, { flag: "wx", mode: 0o600 });
  const fd = fs.openSync(temporary, "r");
  try {
    staging.addObject(entry, fd);
  } finally {
    fs.closeSync(fd);
    fs.rmSync(temporary);
  }
  return entry;
}

function openInside(root: number, path: string, flags: number): number {
  try {
    return openat2(root, path, flags, INSIDE);
  } catch (error) {
    if (isErrno(error, ELOOP, ENOTDIR))
      throw new RegError("ELOOP", `/${path}: a directory on its way is a symlink or a file`, { cause: error });
    throw error;
  }
}
