/** Whether an object is what its name says. */
import * as fs from "node:fs";
import { isErrno } from "../../libc/file.ts";
import { hashFile } from "./hash.ts";
import { FIXED_MTIME, objectKey } from "./header.ts";
import { storedMode } from "./protection.ts";
import type { Store } from "./store.ts";
import { readXattrs } from "./xattr.ts";

/** undefined for an object that has the name it should have. The bits that protection took away are tried both ways. */
export function faultOfObject(
  key: string,
  path: string,
  { protection, owners }: Pick<Store, "protection" | "owners">,
): string | undefined {
  const fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
  try {
    const status = fs.fstatSync(fd);
    const { mode, mtimeMs } = status;
    const { uid, gid } = owners.inUnit(status);
    const xattrs = readXattrs(fd, path);
    const header = { content: hashFile(fd).content, uid, gid, ...(xattrs === undefined ? {} : { xattrs }) };
    const seconds = Math.floor(mtimeMs / 1000);
    const times = seconds === FIXED_MTIME ? [{}, { mtime: seconds }] : [{ mtime: seconds }];
    const stored = mode & 0o7777;
    const modes = [stored, stored | 0o200].filter((each) => storedMode(protection, each, uid) === stored);
    const fits = modes.some((mode) => times.some((time) => objectKey({ ...header, mode, ...time }) === key));
    return fits ? undefined : `content, owner, mode, time or attributes are not what its name says`;
  } catch (error) {
    return readFault(error);
  } finally {
    fs.closeSync(fd);
  }
}

/** With fs-verity, a changed block can not be read. */
export function readFault(error: unknown): string {
  if (isErrno(error) || (error instanceof Error && "code" in error))
    return `it can not be read: ${(error as Error).message}`;
  throw error;
}
