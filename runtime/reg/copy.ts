/** A copy of an object, with its owner, mode and extended attributes: where the filesystem allows no more hard links to it. */
import { checked } from "../libc/call.ts";
import * as C from "../libc/constants.ts";
import { open, read, stat, withFd, writeAll } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import type { FileEntry } from "./manifest.ts";

const BLOCK_BYTES = 1024 * 1024;

/** Makes `entry` below `root` from the object. */
export function copyObject(store: number, object: string, root: number, entry: FileEntry): void {
  withFd(open(object, C.O_RDONLY | C.O_NOFOLLOW, 0, store), (from) =>
    withFd(open(entry.path, C.O_WRONLY | C.O_CREAT | C.O_EXCL, 0o600, root), (to) => {
      const block = new Uint8Array(BLOCK_BYTES);
      for (let count = read(from, block); count > 0; count = read(from, block)) writeAll(to, block.subarray(0, count));
      const { uid, gid, mode } = stat("", from);
      checked(libc.fchown(to, uid, gid), "fchown(2)", `/${entry.path}`);
      for (const [name, value] of Object.entries(entry.xattrs ?? {})) {
        const bytes = fromHex(value);
        checked(libc.fsetxattr(to, name, bytes, bytes.length, 0), "fsetxattr(2)", `${name} of /${entry.path}`);
      }
      checked(libc.fchmod(to, mode), "fchmod(2)", `/${entry.path}`); // last: chown clears the setuid bit
    }),
  );
}

/** The bytes that a text of hexadecimal digits stands for. */
export function fromHex(text: string): Uint8Array {
  return Uint8Array.from({ length: text.length / 2 }, (_, index) =>
    Number.parseInt(text.slice(index * 2, index * 2 + 2), 16),
  );
}
