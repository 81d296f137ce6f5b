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

function defaultOf([, type, label]: Field): unknown {
  if (label === "repeated") return [];
  if (label === "map") return {};
  if (typeof type !== "string") return undefined;
  return type === "string" ? "" : type === "bytes" ? new Uint8Array(0) : type === "bool" ? false : 0;
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
  const message: Record<string, unknown> = {};
  for (const name in table) message[name] = defaultOf(table[name] as Field);
  const reader = new Reader(bytes);
  while (reader.more) {
    const tag = reader.varint();
    const [number, wire] = [Math.floor(tag / 8), tag & 7];
    const name = nameOf(table, number);
    if (name === undefined) {
      if (number === 0) throw malformed();
      reader.skip(wire);
      continue;
    }
    const [, type, label] = table[name] as Field;
    if (label === "map") {
      const { key, value } = readValue(reader, MAP_ENTRY, wire, depth) as Message<typeof MAP_ENTRY>;
      (message[name] as Record<string, string>)[key] = value;
    } else if (label === "repeated") (message[name] as unknown[]).push(readValue(reader, type, wire, depth));
    else message[name] = readValue(reader, type, wire, depth);
  }
  return message;
}

function nameOf(table: MessageTable, number: number): string | undefined {
  for (const name in table) if (table[name]?.[0] === number) return name;
  return undefined;
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
    if (typeof value === "bigint" || value < 0) {
      let rest = BigInt.asUintN(64, BigInt(value));
      for (; rest > 0x7fn; rest >>= 7n) this.#bytes[this.#length++] = Number(rest & 0x7fn) | 0x80;
      this.#bytes[this.#length++] = Number(rest);
      return;
    }
    let rest = value;
    for (; rest > 0x7f; rest = Math.floor(rest / 128)) this.#bytes[this.#length++] = (rest % 128) | 0x80;
    this.#bytes[this.#length++] = rest;
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

  get result(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }
}

function writeValue(writer: Writer, number: number, type: Scalar | MessageTable, value: unknown): void {
  const tag = (wire: number) => writer.varint(number * 8 + wire);
  switch (type) {
    case "uint":
    case "int":
      tag(VARINT);
      writer.varint(value as number | bigint);
      break;
    case "bool":
      tag(VARINT);
      writer.varint(value === true ? 1 : 0);
      break;
    case "double":
      tag(FIXED64);
      writer.double(value as number);
      break;
    case "string":
      tag(LENGTH);
      writer.lengthAndRaw(host.encode(value as string));
      break;
    case "bytes":
      tag(LENGTH);
      writer.lengthAndRaw(value as Uint8Array);
      break;
    default:
      tag(LENGTH);
      writer.lengthAndRaw(write(type, value as Record<string, unknown>));
  }
}

function isDefault(type: Scalar | MessageTable, value: unknown): boolean {
  if (typeof type !== "string") return false;
  return type === "bytes" ? (value as Uint8Array).length === 0 : !value;
}

function write(table: MessageTable, message: Readonly<Record<string, unknown>>): Uint8Array {
  const writer = new Writer();
  for (const name in message) {
    const value = message[name];
    const field = table[name];
    if (value === undefined || field === undefined) continue;
    const [number, type, label] = field;
    if (label === "repeated") for (const each of value as unknown[]) writeValue(writer, number, type, each);
    else if (label === "map")
      for (const key in value as Record<string, string>)
        writeValue(writer, number, MAP_ENTRY, { key, value: (value as Record<string, string>)[key] });
    else if (label === "explicit" || !isDefault(type, value)) writeValue(writer, number, type, value);
  }
  return writer.result;
}

/** Writes a message; fields with their default are left out. */
export function encode<T extends MessageTable>(table: T, message: GivenMessage<T>): Uint8Array {
  return write(table, message);
}
