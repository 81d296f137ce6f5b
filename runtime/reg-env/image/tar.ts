/**
 * Tar archives, written so that the same entries give the same bytes, and read without a copy: a reader says where in the archive a file's
 * content is. Of our own, as packages for it take values of extended attributes for UTF-8, which file capabilities are not.
 * Source: POSIX.1-2024, pax; the SCHILY.xattr records of star(1).
 */
import * as fs from "node:fs";
import { RegError } from "../../errors/errors.ts";

export interface TarEntry {
  /** Without a leading slash. */
  readonly path: string;
  readonly type: "file" | "symlink" | "hardlink" | "directory" | "other";
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds. */
  readonly mtime: number;
  readonly sizeBytes: number;
  /** Of a symlink, or the path that a hard link is another name of. */
  readonly target?: string;
  /** By name. */
  readonly xattrs?: Readonly<Record<string, Uint8Array>>;
}

/** An entry, and where its content begins in the archive. */
export interface FoundEntry extends TarEntry {
  readonly offset: number;
}

export const BLOCK = 512;
const TYPES = { file: "0", hardlink: "1", symlink: "2", directory: "5" } as const;
const LARGEST_OCTAL_SIZE = 0o77777777777;
const LARGEST_OCTAL_ID = 0o7777777;
const LARGEST_PAX_BYTES = 4 * 1024 * 1024;

/** The blocks before an entry's content. */
export function headerOf(entry: TarEntry): Buffer {
  const { path, type, target = "", sizeBytes, uid, gid, xattrs = {} } = entry;
  if (type === "other") throw new TypeError(`${path} can not be archived`);
  const name = type === "directory" ? `${path}/` : path;
  const records: [string, Uint8Array | string][] = [];
  const text = (key: string, value: string, most: number) => {
    if (Buffer.byteLength(value) <= most && /^[\x20-\x7e]*$/.test(value)) return value;
    records.push([key, value]);
    return "";
  };
  const fields = {
    name: text("path", name, 100),
    target: text("linkpath", target, 100),
    uid: number("uid", uid, LARGEST_OCTAL_ID, records),
    gid: number("gid", gid, LARGEST_OCTAL_ID, records),
    size: number("size", type === "file" ? sizeBytes : 0, LARGEST_OCTAL_SIZE, records),
  };
  for (const key of Object.keys(xattrs).sort()) records.push([`SCHILY.xattr.${key}`, xattrs[key] ?? ""]);
  const own = block({ ...fields, name: fields.name || "pax", type: TYPES[type], mode: entry.mode, mtime: entry.mtime });
  if (records.length === 0) return own;
  const body = Buffer.concat(records.map(([key, value]) => record(key, value)));
  const pax = { name: "pax", target: "", uid: 0, gid: 0, size: body.length, type: "x", mode: 0o644, mtime: 0 };
  return Buffer.concat([block(pax), body, Buffer.alloc(paddingOf(body.length)), own]);
}

/** Zeros that follow content of that size. */
export function paddingOf(sizeBytes: number): number {
  return (BLOCK - (sizeBytes % BLOCK)) % BLOCK;
}

/** Two empty blocks end an archive. */
export const END = Buffer.alloc(2 * BLOCK);

function number(key: string, value: number, most: number, records: [string, Uint8Array | string][]): number {
  if (value <= most) return value;
  records.push([key, String(value)]);
  return 0;
}

interface Fields {
  readonly name: string;
  readonly target: string;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly type: string;
  readonly mode: number;
  readonly mtime: number;
}

function block({ name, target, uid, gid, size, type, mode, mtime }: Fields): Buffer {
  const bytes = Buffer.alloc(BLOCK);
  const octal = (value: number, start: number, length: number) =>
    bytes.write(`${value.toString(8).padStart(length - 1, "0")}\0`, start, "latin1");
  bytes.write(name, 0, "latin1");
  octal(mode, 100, 8);
  octal(uid, 108, 8);
  octal(gid, 116, 8);
  octal(size, 124, 12);
  octal(mtime, 136, 12);
  bytes.write(type, 156, "latin1");
  bytes.write(target, 157, "latin1");
  bytes.write("ustar\x0000", 257, "latin1");
  bytes.fill(" ", 148, 156);
  const sum = bytes.reduce((total, byte) => total + byte, 0);
  bytes.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  return bytes;
}

/** "LENGTH KEY=VALUE\n", where the length counts itself. */
function record(key: string, value: Uint8Array | string): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from("\n")]);
  let length = rest.length;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

/** The entries of an open archive that begins at `start`. Throws RegError for what is no archive. */
export function* readTar(fd: number, name: string, start = 0, end = fs.fstatSync(fd).size): Generator<FoundEntry> {
  let pax = new Map<string, Buffer>();
  let long: { path?: string; target?: string } = {};
  for (let position = start; position + BLOCK <= end; ) {
    const bytes = readAt(fd, position, BLOCK, name);
    if (bytes.every((byte) => byte === 0)) return;
    checkSum(bytes, name);
    const kind = String.fromCharCode(bytes[156] ?? 0);
    const size = sizeOf(pax.get("size")) ?? octalAt(bytes, 124, 12);
    const offset = position + BLOCK;
    if (size < 0 || offset + size > end) throw invalid(name, "it ends in the middle of an entry");
    position = offset + size + paddingOf(size);
    if (kind === "x" || kind === "g" || kind === "L" || kind === "K") {
      if (size > LARGEST_PAX_BYTES) throw invalid(name, `it has a header of ${size} bytes`);
      const content = readAt(fd, offset, size, name);
      if (kind === "x") pax = parsePax(content, name);
      else if (kind === "L") long = { ...long, path: untilZero(content) };
      else if (kind === "K") long = { ...long, target: untilZero(content) };
      continue;
    }
    const prefix = bytes.toString("latin1", 257, 262) === "ustar" ? untilZero(bytes.subarray(345, 500)) : "";
    const plain = untilZero(bytes.subarray(0, 100));
    const path = pax.get("path")?.toString() ?? long.path ?? (prefix === "" ? plain : `${prefix}/${plain}`);
    const target = pax.get("linkpath")?.toString() ?? long.target ?? untilZero(bytes.subarray(157, 257));
    const xattrs = [...pax].filter(([key]) => key.startsWith("SCHILY.xattr."));
    yield {
      path: path.replace(/^(\.?\/)+/, "").replace(/\/+$/, ""),
      type: typeOf(kind, path),
      mode: octalAt(bytes, 100, 8) & 0o7777,
      uid: sizeOf(pax.get("uid")) ?? octalAt(bytes, 108, 8),
      gid: sizeOf(pax.get("gid")) ?? octalAt(bytes, 116, 8),
      mtime: Math.max(0, Math.floor(Number(pax.get("mtime")?.toString() ?? octalAt(bytes, 136, 12)))),
      sizeBytes: size,
      ...(target === "" ? {} : { target }),
      ...(xattrs.length === 0
        ? {}
        : { xattrs: Object.fromEntries(xattrs.map(([key, value]) => [key.slice("SCHILY.xattr.".length), value])) }),
      offset,
    };
    pax = new Map();
    long = {};
  }
}

function typeOf(kind: string, path: string): FoundEntry["type"] {
  if (kind === "5" || (kind === "0" && path.endsWith("/"))) return "directory";
  if (kind === "0" || kind === "\0" || kind === "7") return "file";
  return kind === "1" ? "hardlink" : kind === "2" ? "symlink" : "other";
}

function parsePax(bytes: Buffer, name: string): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  for (let position = 0; position < bytes.length; ) {
    const space = bytes.indexOf(0x20, position);
    const length = Number(bytes.toString("latin1", position, space));
    const end = position + length;
    const equals = bytes.indexOf(0x3d, space);
    if (space === -1 || !(length > 0) || end > bytes.length || equals === -1 || equals >= end)
      throw invalid(name, "it has a damaged header");
    found.set(bytes.toString("utf8", space + 1, equals), bytes.subarray(equals + 1, end - 1));
    position = end;
  }
  return found;
}

/** Octal digits, or GNU's binary form for what they can not hold. */
function octalAt(bytes: Buffer, start: number, length: number): number {
  if (((bytes[start] ?? 0) & 0x80) !== 0) return bytes.readUIntBE(start + length - 6, 6);
  const text = untilZero(bytes.subarray(start, start + length)).trim();
  return text === "" ? 0 : Number.parseInt(text, 8);
}

function sizeOf(value: Buffer | undefined): number | undefined {
  const text = value?.toString("latin1");
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function untilZero(bytes: Buffer): string {
  const zero = bytes.indexOf(0);
  return bytes.toString("utf8", 0, zero === -1 ? bytes.length : zero);
}

function checkSum(bytes: Buffer, name: string): void {
  const expected = octalAt(bytes, 148, 8);
  const sum = bytes.reduce((total, byte, index) => total + (index >= 148 && index < 156 ? 0x20 : byte), 0);
  if (sum !== expected) throw invalid(name, "a checksum is wrong");
}

function readAt(fd: number, position: number, length: number, name: string): Buffer {
  const bytes = Buffer.alloc(length);
  for (let done = 0; done < length; ) {
    const count = fs.readSync(fd, bytes, done, length - done, position + done);
    if (count === 0) throw invalid(name, "it ends too early");
    done += count;
  }
  return bytes;
}

function invalid(name: string, fault: string): RegError {
  return new RegError("EINVAL", `${name} is no tar archive that can be read: ${fault}`);
}
