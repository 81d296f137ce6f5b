/**
 * What the kernel and the dynamic loader read of an ELF file, found by program headers: sections may be stripped.
 * Source: elf(5), the gABI's chapter 5, glibc's elf.h.
 */
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { RegError } from "../../../errors/errors.ts";
import { type Bytes, readerOf } from "./reader.ts";

export interface Elf {
  readonly bits: 32 | 64;
  readonly bigEndian: boolean;
  /** e_machine, such as 62 for x86-64. */
  readonly machine: number;
  /** e_flags: tells apart ABIs of one machine, such as ARM's hard-float one. */
  readonly flags: number;
  /** ET_EXEC, ET_DYN, or another kind that is never loaded. */
  readonly kind: "executable" | "shared" | "other";
  /** PT_INTERP: absent in static programs and most libraries. */
  readonly interpreter?: string;
  readonly dynamic: boolean;
  readonly needed: readonly string[];
  readonly soname?: string;
  readonly rpath?: string;
  readonly runpath?: string;
  /** DT_AUXILIARY and DT_FILTER, in order. */
  readonly filters: readonly { readonly name: string; readonly required: boolean }[];
  /** DF_1_NODEFLIB: neither the default folders nor what the cache has of them. */
  readonly noDefaultLibraries: boolean;
  /** Names of undefined dynamic symbols: what the file asks of others. */
  readonly imports: ReadonlySet<string>;
  /** The descriptions of notes of UAPI.12, as text. */
  readonly dlopenNotes: readonly string[];
}

const MACHINE_NAMES: ReadonlyMap<number, string> = new Map([
  [3, "i386"],
  [8, "mips"],
  [21, "powerpc64"],
  [22, "s390x"],
  [40, "arm"],
  [62, "x86-64"],
  [183, "aarch64"],
  [243, "riscv"],
  [258, "loongarch"],
]);

/** "x86-64, 64-bit", for messages. */
export function describeElf(elf: Pick<Elf, "machine" | "bits">): string {
  return `${MACHINE_NAMES.get(elf.machine) ?? `machine ${elf.machine}`}, ${elf.bits}-bit`;
}

const ET_EXEC = 2;
const ET_DYN = 3;
const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const PT_INTERP = 3;
const PT_NOTE = 4;
const DT_NEEDED = 1;
const DT_HASH = 4;
const DT_STRTAB = 5;
const DT_SYMTAB = 6;
const DT_STRSZ = 10;
const DT_SONAME = 14;
const DT_RPATH = 15;
const DT_RUNPATH = 29;
const DT_GNU_HASH = 0x6ffffef5;
const DT_FLAGS_1 = 0x6ffffffb;
const DT_AUXILIARY = 0x7ffffffd;
const DT_FILTER = 0x7fffffff;
const DF_1_NODEFLIB = 0x800;
const DLOPEN_NOTE = 0x407c0c0a;
/** No table of a sane file is larger; a damaged one must not make us read gigabytes. */
const MOST_BYTES = 256 << 20;

interface Segment {
  readonly type: number;
  readonly offset: number;
  readonly address: number;
  readonly size: number;
  readonly align: number;
}

/** undefined when the file is not ELF. Throws RegError when it is, but a damaged one. */
export function readElf(path: string): Elf | undefined {
  const fd = openSync(path, "r");
  try {
    const ident = new Uint8Array(64);
    const length = readSync(fd, ident, 0, 64, 0);
    if (length < 52 || ident[0] !== 0x7f || ident[1] !== 0x45 || ident[2] !== 0x4c || ident[3] !== 0x46)
      return undefined;
    return parseElf(ident, fstatSync(fd).size, (offset, size) => {
      const bytes = new Uint8Array(size);
      if (readSync(fd, bytes, 0, size, offset) !== size) throw new RangeError("ends too early");
      return bytes;
    });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new RegError("ENOEXEC", `${path}: damaged ELF file: ${error.message}`, {
      hint: "reinstall the package it came with",
    });
  } finally {
    closeSync(fd);
  }
}

type Read = (offset: number, size: number) => Uint8Array;

function parseElf(ident: Uint8Array, fileSize: number, readUnchecked: Read): Elf {
  const bits = ident[4] === 1 ? 32 : 64;
  const bigEndian = ident[5] === 2;
  const read: Read = (offset, size) => {
    if (size > MOST_BYTES || offset + size > fileSize)
      throw new RangeError(`${size} bytes at ${offset} are outside of it`);
    return readUnchecked(offset, size);
  };
  const at = (bytes: Uint8Array) => readerOf(bytes, bits, bigEndian);
  const header = at(ident);
  const type = header.u16(16);
  const wide = bits === 64;
  const segments = readSegments(header, read, at);
  const base = {
    bits,
    bigEndian,
    machine: header.u16(18),
    flags: header.u32(wide ? 48 : 36),
    kind: type === ET_EXEC ? "executable" : type === ET_DYN ? "shared" : "other",
    ...interpreterOf(segments, read),
    dlopenNotes: readDlopenNotes(segments, read, at),
  } as const;
  const dynamic = segments.find((segment) => segment.type === PT_DYNAMIC);
  if (dynamic === undefined)
    return { ...base, dynamic: false, needed: [], filters: [], noDefaultLibraries: false, imports: new Set() };
  return { ...base, dynamic: true, ...readDynamic(at(read(dynamic.offset, dynamic.size)), segments, read, at) };
}

type At = (bytes: Uint8Array) => Bytes;

function readSegments(header: Bytes, read: Read, at: At): Segment[] {
  const wide = header.wordSize === 8;
  const offset = header.word(wide ? 32 : 28);
  const entry = header.u16(wide ? 54 : 42);
  const count = header.u16(wide ? 56 : 44);
  if (count === 0) return [];
  if (entry < (wide ? 56 : 32)) throw new RangeError(`program headers of ${entry} bytes`);
  const table = at(read(offset, entry * count));
  return Array.from({ length: count }, (_, index) => {
    const start = index * entry;
    return wide
      ? {
          type: table.u32(start),
          offset: table.word(start + 8),
          address: table.word(start + 16),
          size: table.word(start + 32),
          align: table.word(start + 48),
        }
      : {
          type: table.u32(start),
          offset: table.word(start + 4),
          address: table.word(start + 8),
          size: table.word(start + 16),
          align: table.word(start + 28),
        };
  });
}

function interpreterOf(segments: readonly Segment[], read: Read): { interpreter?: string } {
  const segment = segments.find(({ type }) => type === PT_INTERP);
  if (segment === undefined) return {};
  return { interpreter: Buffer.from(read(segment.offset, segment.size)).toString("latin1").replace(/\0.*$/s, "") };
}

/** Where in the file the loader finds what it maps at that address. */
function offsetOf(address: number, segments: readonly Segment[]): { offset: number; rest: number } {
  for (const { type, address: start, size, offset } of segments)
    if (type === PT_LOAD && address >= start && address < start + size)
      return { offset: offset + address - start, rest: size - (address - start) };
  throw new RangeError(`address 0x${address.toString(16)} is in no segment`);
}

function readDynamic(table: Bytes, segments: readonly Segment[], read: Read, at: At) {
  const word = table.wordSize;
  const entries: [tag: number, value: number][] = [];
  for (let start = 0; start + 2 * word <= table.length; start += 2 * word) {
    const tag = table.word(start);
    if (tag === 0) break;
    entries.push([tag, table.word(start + word)]);
  }
  const value = (tag: number) => entries.findLast(([key]) => key === tag)?.[1];
  const stringTable = value(DT_STRTAB);
  const strings =
    stringTable === undefined
      ? Buffer.alloc(0)
      : Buffer.from(read(offsetOf(stringTable, segments).offset, value(DT_STRSZ) ?? 0));
  const text = (offset: number) => {
    const end = strings.indexOf(0, offset);
    if (offset >= strings.length || end === -1) throw new RangeError(`no string at ${offset}`);
    return strings.toString("utf8", offset, end);
  };
  const named = (key: string, tag: number) => {
    const offset = value(tag);
    return offset === undefined ? {} : { [key]: text(offset) };
  };
  const filters = entries
    .filter(([tag]) => tag === DT_AUXILIARY || tag === DT_FILTER)
    .map(([tag, offset]) => ({ name: text(offset), required: tag === DT_FILTER }));
  return {
    needed: entries.filter(([tag]) => tag === DT_NEEDED).map(([, offset]) => text(offset)),
    ...named("soname", DT_SONAME),
    ...named("rpath", DT_RPATH),
    ...named("runpath", DT_RUNPATH),
    filters,
    noDefaultLibraries: ((value(DT_FLAGS_1) ?? 0) & DF_1_NODEFLIB) !== 0,
    imports: readImports(value, text, segments, read, at, word),
  };
}

/** The undefined symbols. Where there is a GNU hash table they stand before the first hashed one, else all are looked at. */
function readImports(
  value: (tag: number) => number | undefined,
  text: (offset: number) => string,
  segments: readonly Segment[],
  read: Read,
  at: At,
  word: number,
): ReadonlySet<string> {
  const imports = new Set<string>();
  const symbols = value(DT_SYMTAB);
  if (symbols === undefined) return imports;
  const hash = value(DT_HASH);
  const gnuHash = value(DT_GNU_HASH);
  const headOf = (address: number) => at(read(offsetOf(address, segments).offset, 8));
  const count = gnuHash !== undefined ? headOf(gnuHash).u32(4) : hash !== undefined ? headOf(hash).u32(4) : 0;
  const size = word === 8 ? 24 : 16;
  const place = offsetOf(symbols, segments);
  const table = at(read(place.offset, Math.min(count * size, place.rest - (place.rest % size))));
  for (let start = size; start + size <= table.length; start += size) {
    const section = table.u16(start + (word === 8 ? 6 : 14));
    if (section === 0) imports.add(text(table.u32(start)));
  }
  return imports;
}

function readDlopenNotes(segments: readonly Segment[], read: Read, at: At): string[] {
  const found: string[] = [];
  for (const { type, offset, size, align } of segments) {
    if (type !== PT_NOTE || size < 12) continue;
    const bytes = read(offset, size);
    const notes = at(bytes);
    const unit = align === 8 ? 8 : 4;
    const round = (length: number) => Math.ceil(length / unit) * unit;
    for (let start = 0; start + 12 <= notes.length; ) {
      const nameSize = notes.u32(start);
      const textSize = notes.u32(start + 4);
      const textStart = start + 12 + (unit === 8 ? round(12 + nameSize) - 12 : round(nameSize));
      if (notes.u32(start + 8) === DLOPEN_NOTE && textStart + textSize <= notes.length)
        found.push(
          Buffer.from(bytes.subarray(textStart, textStart + textSize))
            .toString("utf8")
            .replace(/\0+$/, ""),
        );
      start = textStart + round(textSize);
    }
  }
  return found;
}
