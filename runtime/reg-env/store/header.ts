/**
 * What an object is named by. Hard links share owner, mode and attributes, so two files are one object only if they agree
 * in all of these. Times are left out, because the same file of two installations differs in them, with one exception: Python
 * takes a compiled module only if it names the time of its source.
 */
import { canonicalJson, digestOf } from "../../reg/digest.ts";
import type { FileEntry } from "../../reg/manifest.ts";

export type Header = Pick<FileEntry, "content" | "uid" | "gid" | "mode" | "mtime" | "xattrs">;

/** The time of all other files: 1980, as the oldest that a ZIP archive can hold. Seconds. */
export const FIXED_MTIME = 315_619_200;

export function keepsTime(path: string): boolean {
  return path.endsWith(".py");
}

/** The key of the object with this header. */
export function objectKey({ content, uid, gid, mode, mtime, xattrs }: Header): string {
  return digestOf(
    canonicalJson({
      content,
      uid,
      gid,
      mode,
      ...(mtime === undefined ? {} : { mtime }),
      ...(xattrs === undefined ? {} : { xattrs }),
    }),
  );
}
