/** Values in D-Bus's wire format. Source: D-Bus specification, "Type System" and "Marshaling (Wire Format)". */
import { host } from "#host";
import { RegError } from "../errors/errors.ts";

/**
 * A value by its signature: numbers (bigint for 64 bits where they are exact), strings, booleans; arrays and structs are
 * arrays, dictionary entries pairs, byte arrays also Uint8Array, and a variant names its signature.
 */
export type DbusValue = number | bigint | string | boolean | Uint8Array | Variant | readonly DbusValue[];
export interface Variant {
  readonly signature: string;
  readonly value: DbusValue;
}

const ALIGNMENT: Readonly<Record<string, number>> = {
  y: 1,
  g: 1,
  v: 1,
  n: 2,
  q: 2,
  b: 4,
  i: 4,
  u: 4,
  s: 4,
  o: 4,
  a: 4,
  h: 4,
  x: 8,
  t: 8,
  d: 8,
  "(": 8,
  "{": 8,
};

/** How deep containers may lie in each other (D-Bus specification, "Valid Signatures"): arrays and structures, 32 each. */
export const DEEPEST = 64;

/** Where the single complete type that begins at `start` ends. Throws RegError for a signature that is none. */
export function typeEnd(signature: string, start: number, depth = 0): number {
  const first = signature[start];
  if (first === undefined || depth > DEEPEST || !Object.hasOwn(ALIGNMENT, first))
    throw new RegError("EINVAL", `D-Bus signature ${JSON.stringify(signature.slice(0, 256))}: no type at ${start}`);
  if (first === "a") return typeEnd(signature, start + 1, depth + 1);
  if (first !== "(" && first !== "{") return start + 1;
  const closing = first === "(" ? ")" : "}";
  let at = start + 1;
  while (signature[at] !== closing) at = typeEnd(signature, at, depth + 1);
  return at + 1;
}

/** The complete types of a signature: "sa(sv)" is "s" and "a(sv)". */
export function splitTypes(signature: string): string[] {
  const types: string[] = [];
  for (let at = 0; at < signature.length; ) {
    const end = typeEnd(signature, at);
    types.push(signature.slice(at, end));
    at = end;
  }
  return types;
}

/** Writes values in D-Bus's format, little-endian. */
export class DbusWriter {
  #bytes = new Uint8Array(512);
  #view = new DataView(this.#bytes.buffer);
  length = 0;

  /** Makes room for `size` bytes at a multiple of `alignment`, and gives their place. */
  #reserve(size: number, alignment: number): number {
    const at = Math.ceil(this.length / alignment) * alignment;
    this.length = at + size;
    if (this.length > this.#bytes.length) {
      const larger = new Uint8Array(this.length * 2);
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }

  align(alignment: number): this {
    this.#reserve(0, alignment);
    return this;
  }
  byte(value: number): this {
    const at = this.#reserve(1, 1); // before #bytes is read: it may be replaced
    this.#bytes[at] = value;
    return this;
  }
  uint32(value: number): this {
    const at = this.#reserve(4, 4); // before #view is read: it may be replaced
    this.#view.setUint32(at, value, true);
    return this;
  }
  setUint32(at: number, value: number): void {
    this.#view.setUint32(at, value, true);
  }
  #text(bytes: Uint8Array): this {
    if (bytes.includes(0)) throw new RegError("EINVAL", "a D-Bus string holds a NUL byte");
    const at = this.#reserve(bytes.length + 1, 1); // the memory is zeroed: a NUL byte ends it
    this.#bytes.set(bytes, at);
    return this;
  }

  /** One value of one complete type. */
  write(type: string, value: DbusValue): this {
    const mismatch = () => new TypeError(`D-Bus type ${type} does not take ${typeof value}`);
    switch (type[0]) {
      case "y":
        return this.byte(Number(value));
      case "b":
        return this.uint32(value === true ? 1 : 0);
      case "n":
      case "q": {
        const at = this.#reserve(2, 2);
        this.#view.setUint16(at, Number(value), true);
        return this;
      }
      case "i":
      case "u":
      case "h":
        return this.uint32(Number(value));
      case "x":
      case "t": {
        if (typeof value !== "number" && typeof value !== "bigint") throw mismatch();
        const at = this.#reserve(8, 8);
        this.#view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true);
        return this;
      }
      case "d": {
        const at = this.#reserve(8, 8);
        this.#view.setFloat64(at, Number(value), true);
        return this;
      }
      case "s":
      case "o":
      case "g": {
        if (typeof value !== "string") throw mismatch();
        const bytes = host.encode(value);
        return (type === "g" ? this.byte(bytes.length) : this.uint32(bytes.length)).#text(bytes);
      }
      case "v": {
        if (typeof value !== "object" || !("signature" in value)) throw mismatch();
        return this.write("g", value.signature).write(value.signature, value.value);
      }
      case "a":
        return this.#array(type.slice(1), value);
      case "(":
      case "{": {
        if (!Array.isArray(value)) throw mismatch();
        this.align(8);
        return this.writeAll(type.slice(1, -1), value);
      }
      default:
        throw mismatch();
    }
  }

  #array(element: string, value: DbusValue): this {
    if (!Array.isArray(value) && !(value instanceof Uint8Array)) throw new TypeError(`D-Bus array of ${element}`);
    this.uint32(0);
    const lengthAt = this.length - 4;
    this.align(ALIGNMENT[element[0] ?? ""] ?? 1);
    const start = this.length;
    for (const one of value) this.write(element, one);
    this.setUint32(lengthAt, this.length - start);
    return this;
  }

  /** Values of all types of a signature. */
  writeAll(signature: string, values: readonly DbusValue[]): this {
    splitTypes(signature).forEach((type, index) => {
      const value = values[index];
      if (value === undefined) throw new TypeError(`D-Bus signature ${signature} needs more than ${index} values`);
      this.write(type, value);
    });
    return this;
  }
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }
}

/** Reads values in D-Bus's format. Throws RegError EBADMSG for what does not fit. */
export class DbusReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = at;
  }

  #take(size: number, alignment: number): number {
    const at = Math.ceil(this.at / alignment) * alignment;
    this.at = at + size;
    if (this.at > this.#bytes.length) throw new RegError("EBADMSG", "a D-Bus message ends too early");
    return at;
  }
  byte(): number {
    return this.#view.getUint8(this.#take(1, 1));
  }
  uint32(): number {
    return this.#view.getUint32(this.#take(4, 4), true);
  }
  #text(length: number): string {
    const at = this.#take(length + 1, 1);
    return host.decode(this.#bytes.subarray(at, at + length));
  }

  read(type: string): DbusValue {
    switch (type[0]) {
      case "y":
        return this.byte();
      case "b":
        return this.uint32() !== 0;
      case "n":
        return this.#view.getInt16(this.#take(2, 2), true);
      case "q":
        return this.#view.getUint16(this.#take(2, 2), true);
      case "i":
        return this.#view.getInt32(this.#take(4, 4), true);
      case "u":
      case "h":
        return this.uint32();
      case "x":
        return this.#view.getBigInt64(this.#take(8, 8), true);
      case "t":
        return this.#view.getBigUint64(this.#take(8, 8), true);
      case "d":
        return this.#view.getFloat64(this.#take(8, 8), true);
      case "s":
      case "o":
        return this.#text(this.uint32());
      case "g":
        return this.#text(this.byte());
      case "v": {
        const signature = this.#text(this.byte());
        return { signature, value: this.read(signature) };
      }
      case "a": {
        const length = this.uint32();
        const element = type.slice(1);
        this.#take(0, ALIGNMENT[element[0] ?? ""] ?? 1);
        const end = this.at + length;
        const values: DbusValue[] = [];
        while (this.at < end) values.push(this.read(element));
        return values;
      }
      default:
        this.#take(0, 8);
        return this.readAll(type.slice(1, -1));
    }
  }
  readAll(signature: string): DbusValue[] {
    return splitTypes(signature).map((type) => this.read(type));
  }
}
