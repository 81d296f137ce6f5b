/** The digest of a file's content. */
import { createHash } from "node:crypto";
import * as fs from "node:fs";

/** One for all files: a fresh one for each is most of what a store makes for the collector. */
export const block = Buffer.alloc(1024 * 1024);

/** Files below this are read once, hashed and written; larger ones are read twice. */
export const LARGE_BYTES = 8 * 1024 * 1024;
const whole = Buffer.alloc(LARGE_BYTES);

/** All of an open file, good until the next call; undefined when it is large. */
export function readSmall(fd: number): Buffer | undefined {
  for (let length = 0; length < whole.length; ) {
    const count = fs.readSync(fd, whole, length, whole.length - length, length);
    if (count === 0) return whole.subarray(0, length);
    length += count;
  }
  return undefined;
}

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
