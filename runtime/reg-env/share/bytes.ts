/**
 * Names in strangers' directories. A name is bytes, and a store has millions of them: here they are strings with a character for each
 * byte (latin1), which lose nothing, compare as bytes do, and take a byte each in memory.
 */
import { host } from "#host";

/** A file name or path with one character, 0 to 255, for each byte. */
export type Bytes = string;

/** For node:fs, which takes a string for UTF-8. */
export function toBuffer(path: Bytes): Buffer {
  return Buffer.from(path, "latin1");
}

/** For libc's functions, and for people: see Host.decode. */
export function toText(path: Bytes): string {
  return host.decode(Buffer.from(path, "latin1"));
}
