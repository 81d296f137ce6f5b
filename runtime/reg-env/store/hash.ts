/** The digest of a file's content. */
import { createHash } from "node:crypto";
import * as fs from "node:fs";

/** One for all files: a fresh one for each is most of what a store makes for the collector. */
export const block = Buffer.alloc(1024 * 1024);

/** SHA-256 of an open file's content. */
export function hashFile(fd: number): { readonly content: string; readonly sizeBytes: number } {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  for (;;) {
    const count = fs.readSync(fd, block, 0, block.length, sizeBytes);
    if (count === 0) return { content: hash.digest("hex"), sizeBytes };
    hash.update(block.subarray(0, count));
    sizeBytes += count;
  }
}
