/** C memory: structs as byte arrays with a view, C strings, arrays of pointers. Layouts are checked against the C compiler in the tests. */
import { host } from "#host";

/** A zeroed block of memory with typed access, for structs. Little-endian, as every machine that reg runs on. */
export class Struct {
  readonly bytes: Uint8Array;
  readonly #view: DataView;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
    this.#view = new DataView(this.bytes.buffer);
  }

  u8(offset: number): number {
    return this.#view.getUint8(offset);
  }
  u16(offset: number): number {
    return this.#view.getUint16(offset, true);
  }
  i16(offset: number): number {
    return this.#view.getInt16(offset, true);
  }
  u32(offset: number): number {
    return this.#view.getUint32(offset, true);
  }
  i32(offset: number): number {
    return this.#view.getInt32(offset, true);
  }
  /** Exact to 2^53. */
  u64(offset: number): number {
    return this.u32(offset) + this.u32(offset + 4) * 0x1_0000_0000;
  }
  setU8(offset: number, value: number): this {
    this.#view.setUint8(offset, value);
    return this;
  }
  setU16(offset: number, value: number): this {
    this.#view.setUint16(offset, value, true);
    return this;
  }
  setU32(offset: number, value: number): this {
    this.#view.setUint32(offset, value, true);
    return this;
  }
  setI32(offset: number, value: number): this {
    this.#view.setInt32(offset, value, true);
    return this;
  }
  /** Numbers to 2^53, negative ones in two's complement; -1 is all bits set. */
  setU64(offset: number, value: number): this {
    this.#view.setUint32(offset, value, true); // modulo 2^32
    this.#view.setUint32(offset + 4, Math.floor(value / 0x1_0000_0000), true);
    return this;
  }
  /** Stores the address of other memory; the caller keeps that memory referenced. */
  setPointer(offset: number, memory: Uint8Array): this {
    return this.setU64(offset, host.address(memory));
  }
}

/** The text as a NUL-terminated C string. Throws RangeError when it holds a NUL byte itself. */
export function cString(text: string): Uint8Array {
  if (text.includes("\0")) throw new RangeError("a C string cannot hold a NUL byte");
  return host.encode(`${text}\0`);
}

/** A NULL-terminated `char *[]`, such as argv; `keep` must stay referenced until the call that uses it is over. */
export function cStringArray(texts: readonly string[]): { readonly pointers: Uint8Array; readonly keep: Uint8Array } {
  for (const text of texts) if (text.includes("\0")) throw new RangeError("a C string cannot hold a NUL byte");
  // All in one block: a program may have millions of arguments.
  const keep = host.encode(`${texts.join("\0")}\0`);
  const address = host.address(keep);
  const table = new Struct((texts.length + 1) * 8);
  for (let index = 0, offset = 0; index < texts.length; index++) {
    table.setU64(index * 8, address + offset);
    offset = keep.indexOf(0, offset) + 1;
  }
  return { pointers: table.bytes, keep };
}

/** The text up to the first NUL byte, or to the end. */
export function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return host.decode(end < 0 ? bytes : bytes.subarray(0, end));
}
