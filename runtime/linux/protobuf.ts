/**
 * Protocol Buffers, the part that ttRPC's and CRIU's messages need: a message is a table of its fields, as libc's functions are, and
 * its TypeScript type follows from the table. Generated code would do the same in thirty times the bytecode, and need a
 * compiler to build. Unknown fields are skipped, absent ones have their default (proto3).
 * Source: https://protobuf.dev/programming-guides/encoding/
 */
import { host } from "#host";
import { RegError } from "../errors/errors.ts";

/** "uint" is every varint without a sign (uint32, uint64, enums); "int" is int32 and int64. */
export type Scalar = "string" | "bytes" | "bool" | "uint" | "int" | "double";

/**
 * Its number on the wire, its type, and whether there may be many; "map" is map<string, string>. "explicit": written also when
 * it has its default, which proto2 tells from a field that is absent.
 */
export type Field =
  | readonly [number: number, type: Scalar | MessageTable]
  | readonly [number: number, type: Scalar, label: "explicit"]
  | readonly [number: number, type: Scalar | MessageTable, label: "repeated"]
  | readonly [number: number, type: "string", label: "map"];

/** A message: its fields by their names. */
export interface MessageTable {
  readonly [name: string]: Field;
}

type ScalarOf<T> = T extends "string" ? string : T extends "bytes" ? Uint8Array : T extends "bool" ? boolean : number;
type ValueOf<T> = T extends MessageTable ? Message<T> : ScalarOf<T>;
type FieldOf<F> = F extends readonly [number, "string", "map"]
  ? Readonly<Record<string, string>>
  : F extends readonly [number, infer T, "repeated"]
    ? readonly ValueOf<T>[]
    : F extends readonly [number, infer T, "explicit"]
      ? ScalarOf<T>
      : F extends readonly [number, infer T]
        ? T extends MessageTable
          ? Message<T> | undefined
          : ScalarOf<T>
        : never;

/** What `decode` gives: every field; integers exact to 2^53. */
export type Message<T extends MessageTable> = { readonly [Name in keyof T]: FieldOf<T[Name]> };

type GivenScalar<T> = T extends "uint" | "int" ? number | bigint : ScalarOf<T>;
type GivenValue<T> = T extends MessageTable ? GivenMessage<T> : GivenScalar<T>;
type GivenField<F> = F extends readonly [number, "string", "map"]
  ? Readonly<Record<string, string>>
  : F extends readonly [number, infer T, "repeated"]
    ? readonly GivenValue<T>[]
    : F extends readonly [number, infer T, "explicit"]
      ? GivenScalar<T>
      : F extends readonly [number, infer T]
        ? GivenValue<T>
        : never;

/** What `encode` takes: any of the fields; numbers beyond 2^53 as bigint. */
export type GivenMessage<T extends MessageTable> = { readonly [Name in keyof T]?: GivenField<T[Name]> | undefined };

const VARINT = 0;
const FIXED64 = 1;
const LENGTH = 2;
const FIXED32 = 5;
/** Messages in messages; ours have five levels at most. */
const DEEPEST = 16;

function malformed(): RegError {
  return new RegError("EBADMSG", "malformed protocol buffer message");
}

class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get more(): boolean {
    return this.#at < this.#bytes.length;
  }

  /** A varint as a number; beyond 2^53 the nearest. `signed`: ten bytes of a negative number. */
  varint(signed = false): number {
    const first = this.#bytes[this.#at];
    if (first !== undefined && first < 0x80) {
      this.#at++;
      return first;
    }
    let low = 0;
    let high = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#bytes[this.#at++];
      if (byte === undefined) throw malformed();
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else if (shift < 63) high |= bits << (shift - 32);
      else high |= (bits & 1) << 31;
      if (byte < 0x80) return (signed ? high | 0 : high >>> 0) * 0x1_0000_0000 + (low >>> 0);
    }
    throw malformed();
  }

  double(): number {
    const bytes = this.take(8);
    return new DataView(bytes.buffer, bytes.byteOffset, 8).getFloat64(0, true);
  }

  take(length: number): Uint8Array {
    const end = this.#at + length;
    if (end > this.#bytes.length) throw malformed();
    const taken = this.#bytes.subarray(this.#at, end);
    this.#at = end;
    return taken;
  }

  skip(wire: number): void {
    if (wire === VARINT) this.varint();
    else if (wire === FIXED64) this.take(8);
    else if (wire === LENGTH) this.take(this.varint());
    else if (wire === FIXED32) this.take(4);
    else throw malformed(); // groups are of the past
  }
}

/** What a repeated field and a map are until something comes: an own one is made then. */
const NO_VALUES: readonly unknown[] = Object.freeze([]);
const NO_ENTRIES: Readonly<Record<string, string>> = Object.freeze({});
const NO_BYTES = new Uint8Array(0);

function defaultOf(type: Scalar | MessageTable, label: Field[2]): unknown {
  if (label === "repeated") return NO_VALUES;
  if (label === "map") return NO_ENTRIES;
  if (typeof type !== "string") return undefined;
  return type === "string" ? "" : type === "bytes" ? NO_BYTES : type === "bool" ? false : 0;
}

/** A table as it is read and written by: what an engine without a compiler would else find out again for every message. */
interface Prepared {
  readonly names: readonly string[];
  readonly fields: readonly Field[];
  readonly defaults: readonly unknown[];
}

const PREPARED = new Map<MessageTable, Prepared>();

function prepare(table: MessageTable): Prepared {
  let prepared = PREPARED.get(table);
  if (prepared === undefined) {
    const names = Object.keys(table);
    const fields = Object.values(table);
    prepared = { names, fields, defaults: fields.map((field) => defaultOf(field[1], field[2])) };
    PREPARED.set(table, prepared);
  }
  return prepared;
}

const MAP_ENTRY = { key: [1, "string"], value: [2, "string"] } as const satisfies MessageTable;

function readValue(reader: Reader, type: Scalar | MessageTable, wire: number, depth: number): unknown {
  const expected = type === "double" ? FIXED64 : type === "uint" || type === "int" || type === "bool" ? VARINT : LENGTH;
  if (wire !== expected) throw malformed();
  switch (type) {
    case "uint":
      return reader.varint();
    case "int":
      return reader.varint(true);
    case "bool":
      return reader.varint() !== 0;
    case "double":
      return reader.double();
    case "string":
      return host.decode(reader.take(reader.varint()));
    case "bytes":
      return reader.take(reader.varint()).slice();
    default:
      return read(type, reader.take(reader.varint()), depth + 1);
  }
}

function read(table: MessageTable, bytes: Uint8Array, depth: number): Record<string, unknown> {
  if (depth > DEEPEST) throw malformed();
  const { names, fields, defaults } = prepare(table);
  const message: Record<string, unknown> = {};
  for (let index = 0; index < names.length; index++) message[names[index] as string] = defaults[index];
  const reader = new Reader(bytes);
  while (reader.more) {
    const tag = reader.varint();
    const number = Math.floor(tag / 8);
    const wire = tag & 7;
    const index = indexOf(fields, number);
    const field = fields[index];
    if (field === undefined) {
      if (number === 0) throw malformed();
      reader.skip(wire);
      continue;
    }
    const name = names[index] as string;
    if (field[2] === "map") {
      const { key, value } = readValue(reader, MAP_ENTRY, wire, depth) as Message<typeof MAP_ENTRY>;
      if (message[name] === NO_ENTRIES) message[name] = {};
      (message[name] as Record<string, string>)[key] = value;
    } else if (field[2] === "repeated") {
      if (message[name] === NO_VALUES) message[name] = [];
      (message[name] as unknown[]).push(readValue(reader, field[1], wire, depth));
    } else message[name] = readValue(reader, field[1], wire, depth);
  }
  return message;
}

/** Where the field with this number is; mostly they are numbered as they stand. -1 when it is not known. */
function indexOf(fields: readonly Field[], number: number): number {
  if (fields[number - 1]?.[0] === number) return number - 1;
  for (let index = 0; index < fields.length; index++) if (fields[index]?.[0] === number) return index;
  return -1;
}

/** Reads a message. Throws RegError EBADMSG for what is none. Strings that are not UTF-8 are read with U+FFFD. */
export function decode<T extends MessageTable>(table: T, bytes: Uint8Array): Message<T> {
  return read(table, bytes, 0) as Message<T>;
}

/** Bytes that grow. */
class Writer {
  #bytes = new Uint8Array(128);
  #length = 0;

  #room(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + count));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }

  /** Negative numbers take ten bytes, as protobuf wants it. */
  varint(value: number | bigint): void {
    this.#room(10);
    const bytes = this.#bytes;
    if (typeof value === "bigint" || value < 0) {
      let rest = BigInt.asUintN(64, BigInt(value));
      for (; rest > 0x7fn; rest >>= 7n) bytes[this.#length++] = Number(rest & 0x7fn) | 0x80;
      bytes[this.#length++] = Number(rest);
      return;
    }
    let rest = value;
    for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes[this.#length++] = (rest % 128) | 0x80;
    bytes[this.#length++] = rest;
  }

  double(value: number): void {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setFloat64(0, value, true);
    this.raw(bytes);
  }

  raw(bytes: Uint8Array): void {
    this.#room(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  lengthAndRaw(bytes: Uint8Array): void {
    this.varint(bytes.length);
    this.raw(bytes);
  }

  /** What `write` writes, behind its length, for which a byte is enough in most messages. */
  lengthAnd(write: () => void): void {
    this.#room(1);
    this.#length++;
    const start = this.#length;
    write();
    const length = this.#length - start;
    if (length < 0x80) {
      this.#bytes[start - 1] = length;
      return;
    }
    const content = this.#bytes.slice(start, this.#length);
    this.#length = start - 1;
    this.lengthAndRaw(content);
  }

  get result(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }
}

function writeValue(writer: Writer, number: number, type: Scalar | MessageTable, value: unknown): void {
  const tag = number * 8;
  switch (type) {
    case "uint":
    case "int":
      writer.varint(tag + VARINT);
      writer.varint(value as number | bigint);
      break;
    case "bool":
      writer.varint(tag + VARINT);
      writer.varint(value === true ? 1 : 0);
      break;
    case "double":
      writer.varint(tag + FIXED64);
      writer.double(value as number);
      break;
    case "string":
      writer.varint(tag + LENGTH);
      writer.lengthAndRaw(host.encode(value as string));
      break;
    case "bytes":
      writer.varint(tag + LENGTH);
      writer.lengthAndRaw(value as Uint8Array);
      break;
    default:
      writer.varint(tag + LENGTH);
      writer.lengthAnd(() => write(writer, type, value as Record<string, unknown>));
  }
}

function isDefault(type: Scalar | MessageTable, value: unknown): boolean {
  if (typeof type !== "string") return false;
  return type === "bytes" ? (value as Uint8Array).length === 0 : !value;
}

function write(writer: Writer, table: MessageTable, message: Readonly<Record<string, unknown>>): void {
  const { names, fields } = prepare(table);
  for (let index = 0; index < names.length; index++) {
    const value = message[names[index] as string];
    if (value === undefined) continue;
    const field = fields[index] as Field;
    const number = field[0];
    const type = field[1];
    const label = field[2];
    if (label === "repeated") for (const each of value as unknown[]) writeValue(writer, number, type, each);
    else if (label === "map")
      for (const key in value as Record<string, string>)
        writeValue(writer, number, MAP_ENTRY, { key, value: (value as Record<string, string>)[key] });
    else if (label === "explicit" || !isDefault(type, value)) writeValue(writer, number, type, value);
  }
}

/** Writes a message; fields with their default are left out. */
export function encode<T extends MessageTable>(table: T, message: GivenMessage<T>): Uint8Array {
  const writer = new Writer();
  write(writer, table, message);
  return writer.result;
}
