/**
 * /etc/ld.so.cache in the format `glibc-ld.so.cache1.1`, behind an old-format part or not, with the extension that names glibc-hwcaps
 * folders. Written anew for an environment that has libraries outside of the default folders.
 * Source: glibc's sysdeps/generic/dl-cache.h.
 */
import { type Bytes, readerOf } from "../elf/reader.ts";

export interface CacheEntry {
  readonly name: string;
  readonly path: string;
  /** Kind of library: machine and ABI. */
  readonly flags: number;
  /** The folder below glibc-hwcaps that it is for, such as x86-64-v3. */
  readonly hwcaps?: string;
  /** It is for a legacy platform or feature bit, which only glibc before 2.37 looks at. */
  readonly legacy: boolean;
}

const OLD_MAGIC = "ld.so-1.7.0";
const NEW_MAGIC = "glibc-ld.so.cache1.1";
const HEADER_SIZE = 48;
const ENTRY_SIZE = 24;
const OLD_ENTRY_SIZE = 12;
const EXTENSION_MAGIC = 0xeaa42174;
const TAG_HWCAPS = 1;
/** Bit 62 of the hwcap field: its low half is an index into the extension. */
const HWCAPS_EXTENSION = 0x40000000;

/** The entries in the file's order, which is the order of preference among equal names. Empty for anything that is not such a cache. */
export function parseCache(file: Uint8Array): CacheEntry[] {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  const start = newFormatStart(bytes);
  if (start === undefined || bytes.length < start + HEADER_SIZE) return [];
  const bigEndian = (bytes[start + 28] ?? 0) === 3;
  const table = bytes.subarray(start);
  const at = readerOf(table, 64, bigEndian);
  const count = at.u32(20);
  if (HEADER_SIZE + count * ENTRY_SIZE > table.length) return [];
  const hwcaps = readHwcaps(table, at);
  return Array.from({ length: count }, (_, index) => {
    const entry = HEADER_SIZE + index * ENTRY_SIZE;
    const [low, high] = bigEndian ? [20, 16] : [16, 20];
    const feature = at.u32(entry + high);
    const isExtension = (feature & HWCAPS_EXTENSION) !== 0;
    const folder = isExtension ? hwcaps[at.u32(entry + low)] : undefined;
    return {
      flags: at.u32(entry),
      name: text(table, at.u32(entry + 4)),
      path: text(table, at.u32(entry + 8)),
      ...(folder === undefined ? {} : { hwcaps: folder }),
      legacy: !isExtension && (feature !== 0 || at.u32(entry + low) !== 0),
    };
  });
}

function newFormatStart(bytes: Buffer): number | undefined {
  if (bytes.toString("latin1", 0, NEW_MAGIC.length) === NEW_MAGIC) return 0;
  if (bytes.toString("latin1", 0, OLD_MAGIC.length) !== OLD_MAGIC || bytes.length < 16) return undefined;
  // The new format follows the old one's entries, aligned to 8.
  const found = bytes.indexOf(NEW_MAGIC, Math.ceil((16 + bytes.readUInt32LE(12) * OLD_ENTRY_SIZE) / 8) * 8, "latin1");
  return found === -1 ? undefined : found;
}

function readHwcaps(table: Buffer, at: Bytes): string[] {
  const extension = at.u32(32);
  if (extension === 0 || extension + 8 > table.length || at.u32(extension) !== EXTENSION_MAGIC) return [];
  for (let index = 0; index < at.u32(extension + 4); index += 1) {
    const section = extension + 8 + index * 16;
    if (at.u32(section) !== TAG_HWCAPS) continue;
    const start = at.u32(section + 8);
    return Array.from({ length: at.u32(section + 12) / 4 }, (_, position) => text(table, at.u32(start + position * 4)));
  }
  return [];
}

function text(bytes: Buffer, offset: number): string {
  const end = bytes.indexOf(0, offset);
  return bytes.toString("utf8", offset, end === -1 ? bytes.length : end);
}

/** A cache with these entries and nothing else, the same bytes for the same entries. Without hwcaps folders: the loader looks there itself. */
export function formatCache(entries: readonly CacheEntry[], bigEndian = false): Buffer {
  const sorted = [...entries].sort(
    (left, right) => compareNames(right.name, left.name) || (left.path < right.path ? -1 : 1),
  );
  const strings: Buffer[] = [];
  let end = HEADER_SIZE + sorted.length * ENTRY_SIZE;
  const place = (value: string) => {
    const bytes = Buffer.from(`${value}\0`);
    const offset = end;
    strings.push(bytes);
    end += bytes.length;
    return offset;
  };
  const head = Buffer.alloc(end);
  const u32 = (value: number, offset: number) =>
    bigEndian ? head.writeUInt32BE(value, offset) : head.writeUInt32LE(value, offset);
  head.write(NEW_MAGIC, "latin1");
  u32(sorted.length, 20);
  head[28] = bigEndian ? 3 : 2;
  for (const [index, { flags, name, path }] of sorted.entries()) {
    const start = HEADER_SIZE + index * ENTRY_SIZE;
    u32(flags, start);
    u32(place(name), start + 4);
    u32(place(path), start + 8);
  }
  u32(end - head.length, 24);
  return Buffer.concat([head, ...strings]);
}

/** The order of the loader's binary search: runs of digits compare as numbers, and are greater than other characters. */
export function compareNames(left: string, right: string): number {
  let i = 0;
  let j = 0;
  while (i < left.length) {
    const a = left.charCodeAt(i);
    const b = j < right.length ? right.charCodeAt(j) : 0;
    const aDigit = isDigit(a);
    const bDigit = isDigit(b);
    if (aDigit !== bDigit) return aDigit ? 1 : -1;
    if (aDigit) {
      const [first] = /^\d+/.exec(left.slice(i)) ?? [""];
      const [second] = /^\d+/.exec(right.slice(j)) ?? [""];
      if (Number(first) !== Number(second)) return Number(first) - Number(second);
      i += first.length;
      j += second.length;
    } else if (a !== b) return a - b;
    else {
      i += 1;
      j += 1;
    }
  }
  return j < right.length ? -1 : 0;
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}
