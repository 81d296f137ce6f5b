/**
 * Reads a bolt database, in which containerd keeps its records: a tree of pages with keys and values, and trees as values ("buckets"). There
 * is no library for Node. Everything is checked against the bounds of the file, every page is visited once, and nothing is written.
 *
 *   page      id u64, flags u16, count u16, overflow u32; then `count` elements
 *   meta      magic u32, version u32, page size u32, flags u32, root of the tree u64, sequence u64, freelist u64, next page u64,
 *             transaction u64, FNV-1a of all before it u64: in pages 0 and 1, the valid one with the newer transaction counts
 *   branch    position u32 (from the element on), size of key u32, page u64
 *   leaf      flags u32 (1: a bucket), position u32, size of key u32, size of value u32
 *   bucket    root u64, sequence u64; with root 0 its only page follows
 *
 * Source: the format as bbolt's documentation and files show it.
 */
import * as fs from "node:fs";
import { RegError } from "../../../errors/errors.ts";

const MAGIC = 0xed0cdaed;
const VERSION = 2;
const BRANCH = 1;
const LEAF = 2;
const PAGE_HEADER = 16;
const META_BYTES = 64;
const LARGEST_BYTES = 1024 * 1024 * 1024;
const FNV_OFFSET = 0xcbf29ce484222325n;
const FNV_PRIME = 0x100000001b3n;

/** A value, or a bucket with more. */
export type BoltEntry = { readonly key: Buffer } & ({ readonly value: Buffer } | { readonly bucket: BoltBucket });

export interface BoltBucket {
  /** In the order of their keys. */
  readonly entries: () => BoltEntry[];
}

/**
 * The database at `path`, as it was at one moment, though somebody else has it open: pages that are in use are never changed, so what was read is
 * whole if no transaction ended meanwhile. Throws RegError for what is damaged, or changes all the time.
 */
export function readBolt(path: string): BoltBucket {
  for (let attempt = 0; attempt < 10; attempt++) {
    const before = readFile(path);
    const meta = newestMeta(before, path);
    if (newestMeta(readFile(path, 2 * meta.pageSize), path).transaction === meta.transaction)
      return new Reader(before, meta.pageSize, path).bucketAt(meta.root);
  }
  throw new RegError("EBUSY", `read ${path}: it changes all the time`);
}

/** The bucket at the end of a path of keys; undefined when there is none. */
export function findBucket(bucket: BoltBucket | undefined, ...keys: readonly string[]): BoltBucket | undefined {
  let at = bucket;
  for (const key of keys) {
    const found = at?.entries().find((entry) => entry.key.toString("utf8") === key);
    at = found !== undefined && "bucket" in found ? found.bucket : undefined;
  }
  return at;
}

function readFile(path: string, bytes = LARGEST_BYTES): Buffer {
  const fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
  try {
    const { size } = fs.fstatSync(fd);
    if (size > LARGEST_BYTES) throw new RegError("EFBIG", `read ${path}: ${size} bytes are more than expected`);
    const buffer = Buffer.alloc(Math.min(size, bytes));
    let at = 0;
    while (at < buffer.length) {
      const count = fs.readSync(fd, buffer, at, buffer.length - at, at);
      if (count === 0) break;
      at += count;
    }
    return buffer.subarray(0, at);
  } finally {
    fs.closeSync(fd);
  }
}

interface Meta {
  readonly pageSize: number;
  readonly root: number;
  readonly transaction: bigint;
}

function newestMeta(file: Buffer, path: string): Meta {
  // The second page is as far from the first as pages are large; where the first is damaged, all sizes have to be tried.
  const places = [0, ...[1024, 2048, 4096, 8192, 16384, 32768, 65536]];
  const metas = places.flatMap((at) => {
    const meta = metaAt(file, at);
    return meta === undefined || (at !== 0 && meta.pageSize !== at) ? [] : [meta];
  });
  const [newest] = metas.sort((left, right) => (left.transaction > right.transaction ? -1 : 1));
  if (newest === undefined) throw damaged(path, "it has no valid page of meta data");
  return newest;
}

function metaAt(file: Buffer, page: number): Meta | undefined {
  const at = page + PAGE_HEADER;
  if (file.length < at + META_BYTES) return undefined;
  if (file.readUInt32LE(at) !== MAGIC || file.readUInt32LE(at + 4) !== VERSION) return undefined;
  const pageSize = file.readUInt32LE(at + 8);
  if (checksum(file.subarray(at, at + META_BYTES - 8)) !== file.readBigUInt64LE(at + META_BYTES - 8)) return undefined;
  if (pageSize < 1024 || pageSize > 65536) return undefined;
  return { pageSize, root: Number(file.readBigUInt64LE(at + 16)), transaction: file.readBigUInt64LE(at + 48) };
}

/** FNV-1a of 64 bits. */
function checksum(bytes: Buffer): bigint {
  let hash = FNV_OFFSET;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * FNV_PRIME);
  return hash;
}

class Reader {
  readonly #file: Buffer;
  readonly #pageSize: number;
  readonly #path: string;
  /** Pages that a bucket's tree has: none can be in two places. */
  readonly #seen = new Set<number>();

  constructor(file: Buffer, pageSize: number, path: string) {
    this.#file = file;
    this.#pageSize = pageSize;
    this.#path = path;
  }

  bucketAt(root: number): BoltBucket {
    let entries: BoltEntry[] | undefined;
    return {
      entries: () => {
        entries ??= this.#tree(root);
        return entries;
      },
    };
  }

  /** All leaves below a page, in order, without recursion. */
  #tree(root: number): BoltEntry[] {
    const entries: BoltEntry[] = [];
    const pages = [root];
    for (let id = pages.pop(); id !== undefined; id = pages.pop()) {
      if (this.#seen.has(id)) throw damaged(this.#path, `page ${id} is in two places`);
      this.#seen.add(id);
      const page = this.#page(id);
      const flags = page.readUInt16LE(8);
      if (flags === LEAF) for (const entry of this.#leaf(page)) entries.push(entry);
      else if (flags === BRANCH) pages.push(...this.#branch(page).reverse());
      else throw damaged(this.#path, `page ${id} is neither a branch nor a leaf`);
    }
    return entries;
  }

  /** A page with those that it flows over into. */
  #page(id: number): Buffer {
    const at = id * this.#pageSize;
    if (!(at + this.#pageSize <= this.#file.length)) throw damaged(this.#path, `page ${id} is beyond its end`);
    const overflow = this.#file.readUInt32LE(at + 12);
    const end = at + (overflow + 1) * this.#pageSize;
    if (end > this.#file.length) throw damaged(this.#path, `page ${id} is beyond its end`);
    return this.#file.subarray(at, end);
  }

  #branch(page: Buffer): number[] {
    const count = page.readUInt16LE(10);
    this.#check(page, PAGE_HEADER + count * 16);
    return Array.from({ length: count }, (_, index) => Number(page.readBigUInt64LE(PAGE_HEADER + index * 16 + 8)));
  }

  #leaf(page: Buffer): BoltEntry[] {
    const count = page.readUInt16LE(10);
    this.#check(page, PAGE_HEADER + count * 16);
    return Array.from({ length: count }, (_, index) => {
      const at = PAGE_HEADER + index * 16;
      const start = at + page.readUInt32LE(at + 4);
      const middle = start + page.readUInt32LE(at + 8);
      const end = middle + page.readUInt32LE(at + 12);
      this.#check(page, end);
      const key = page.subarray(start, middle);
      const value = page.subarray(middle, end);
      return page.readUInt32LE(at) === 1 ? { key, bucket: this.#bucket(value) } : { key, value };
    });
  }

  #bucket(value: Buffer): BoltBucket {
    this.#check(value, 16);
    const root = Number(value.readBigUInt64LE(0));
    if (root !== 0) return this.bucketAt(root);
    const page = value.subarray(16);
    this.#check(page, PAGE_HEADER);
    return { entries: () => this.#leaf(page) };
  }

  #check(buffer: Buffer, end: number): void {
    if (end > buffer.length) throw damaged(this.#path, "something goes beyond its page");
  }
}

function damaged(path: string, fault: string): RegError {
  return new RegError("EINVAL", `read ${path}: ${fault}`, { hint: "it is no bolt database, or it is damaged" });
}
