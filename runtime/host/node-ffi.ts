/** The Node host: libc through ffi-napi and ref-napi. For development, tests and embedding. */
import { isUtf8 } from "node:buffer";
import { createRequire } from "node:module";
import type { CallsOf, CType, Host, Pointer, Signature } from "./host.ts";
import { nativeBinary } from "./native-binary.ts";

interface Ffi {
  DynamicLibrary(file: string | null): { get(symbol: string): Buffer };
  /** Types by ffi-napi's names. */
  CIF(result: string, parameters: readonly string[]): Buffer;
}
interface Bindings {
  /** `parameters`: addresses of their values. */
  ffi_call(cif: Buffer, symbol: Buffer, result: Buffer, parameters: Buffer): void;
}
interface Ref {
  address(memory: Uint8Array): number;
  readPointer(buffer: Buffer, offset: number, length: number): Buffer;
}

const require = createRequire(import.meta.url);
const ffi: Ffi = require("ffi-napi");
const bindings: Bindings = require("ffi-napi/lib/bindings");
const ref: Ref = require("ref-napi");

const library = ffi.DynamicLibrary(null);
const WORD = 8;
/** As long as any path; others get memory of their own. */
const LONGEST_TEXT = 4096;

/**
 * A call of libc. ffi-napi's own functions allocate memory for every value and take twenty times as long; here all of it is allocated once, and
 * what is a pointer for C is a number.
 */
function bindOne(name: string, [result, parameters]: Signature): (...args: unknown[]) => unknown {
  const symbol = library.get(name);
  const cif = ffi.CIF(typeOf(result), parameters.map(typeOf));
  const values = allocate(WORD * Math.max(parameters.length, 1));
  const addresses = allocate(WORD * Math.max(parameters.length, 1));
  const results = allocate(WORD);
  for (const index of parameters.keys()) writeWord(addresses.view, index, values.address + WORD * index);
  const texts = parameters.map((type) => (type === "string" ? allocate(LONGEST_TEXT + 1) : undefined));
  const write = (index: number, type: CType, value: unknown): void => {
    if (type === "int") values.view.setInt32(WORD * index, value as number, true);
    else if (type === "uint") values.view.setUint32(WORD * index, value as number, true);
    else if (type === "pointer") writeWord(values.view, index, addressOf(value as Pointer));
    else if (type === "string") writeWord(values.view, index, addressOfText(name, index, value, texts[index]));
    else writeWord(values.view, index, value as number);
  };
  return (...args) => {
    if (args.length !== parameters.length)
      throw new TypeError(`${name} takes ${parameters.length} arguments, not ${args.length}`);
    for (const [index, type] of parameters.entries()) write(index, type, args[index]);
    held.push(args); // nothing of it may be collected before the call is over
    bindings.ffi_call(cif, symbol, results.bytes, addresses.bytes);
    const value = resultOf(result, results.view);
    if (value === -1) savedErrno = errno.readInt32LE(0);
    held.length = 0;
    return value;
  };
}

let savedErrno = 0;
const held: unknown[] = [];

interface Memory {
  readonly bytes: Buffer;
  readonly view: DataView;
  readonly address: number;
}

function allocate(size: number): Memory {
  const bytes = Buffer.alloc(size);
  return { bytes, view: new DataView(bytes.buffer, bytes.byteOffset, size), address: ref.address(bytes) };
}

/** In C terms; 64 bits and an integer is what a pointer is to the calling conventions of x64 and arm64. */
function typeOf(type: CType): string {
  return type === "string" || type === "pointer" ? "ulong" : type;
}

/** Numbers to 2^53, negative ones in two's complement. */
function writeWord(view: DataView, index: number, value: number): void {
  view.setUint32(WORD * index, value, true); // modulo 2^32
  view.setUint32(WORD * index + 4, Math.floor(value / 0x1_0000_0000), true);
}

function addressOf(pointer: Pointer): number {
  if (pointer === null) return 0;
  return typeof pointer === "number" ? pointer : ref.address(asBuffer(pointer));
}

function asBuffer(memory: Uint8Array): Buffer {
  return Buffer.isBuffer(memory) ? memory : Buffer.from(memory.buffer, memory.byteOffset, memory.byteLength);
}

function addressOfText(name: string, index: number, text: unknown, own: Memory | undefined): number {
  if (text === null) return 0;
  if (typeof text !== "string") throw new TypeError(`${name}: argument ${index} is no string`);
  if (text.includes("\0")) throw new TypeError(`${name}: string argument ${index} holds a NUL byte`);
  if (own !== undefined && text.length * 3 <= LONGEST_TEXT && !LONE_SURROGATE.test(text)) {
    own.bytes[own.bytes.write(text, 0, "utf8")] = 0;
    return own.address;
  }
  const bytes = encode(`${text}\0`);
  held.push(bytes);
  return ref.address(bytes);
}

function resultOf(type: CType, view: DataView): number | undefined {
  if (type === "void") return undefined;
  if (type === "int") return view.getInt32(0, true);
  if (type === "uint") return view.getUint32(0, true);
  return Number(type === "long" ? view.getBigInt64(0, true) : view.getBigUint64(0, true));
}

/** Where libc keeps this thread's errno. */
const errno = ref.readPointer(errnoPointer(), 0, 4);

function errnoPointer(): Buffer {
  const holder = Buffer.alloc(WORD);
  bindings.ffi_call(ffi.CIF("ulong", []), library.get("__errno_location"), holder, Buffer.alloc(WORD));
  return holder;
}

const LONE_SURROGATE = /\p{Surrogate}/u;

function encode(text: string): Buffer {
  if (!LONE_SURROGATE.test(text)) return Buffer.from(text, "utf8");
  const bytes: number[] = [];
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    if (code >= 0xdc80 && code <= 0xdcff) bytes.push(code - 0xdc00);
    else bytes.push(...Buffer.from(char, "utf8"));
  }
  return Buffer.from(bytes);
}

function decode(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString("utf8");
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const length = [1, 2, 3, 4].find(
      (length) => at + length <= bytes.length && isUtf8(bytes.subarray(at, at + length)),
    );
    text +=
      length === undefined ? String.fromCharCode(0xdc00 + (bytes[at] ?? 0)) : bytes.toString("utf8", at, at + length);
    at += length ?? 1;
  }
  return text;
}

export const host: Host = {
  kind: "node",
  arch: process.arch === "arm64" ? "arm64" : "x64",
  initBinary: nativeBinary(),
  program: process.argv[1] ?? "",
  args: process.argv.slice(2),
  environ: Object.entries(process.env).map(([name, value]) => `${name}=${value}`),
  held: [],
  bind<T extends Record<string, Signature>>(table: T): CallsOf<T> {
    // A libffi call interface is costly to make: each function gets its own when it is first called.
    const calls: Record<string, unknown> = {};
    for (const [name, signature] of Object.entries(table))
      Object.defineProperty(calls, name, {
        configurable: true,
        get() {
          const value = bindOne(name, signature);
          Object.defineProperty(calls, name, { value });
          return value;
        },
      });
    return calls as CallsOf<T>;
  },
  start: (program) => program(),
  runJobs() {
    throw new Error("Node runs its jobs itself");
  },
  collect() {
    throw new Error("Node collects by itself");
  },
  forked() {
    throw new Error("Node does not fork");
  },
  errno: () => savedErrno,
  address: (memory) => ref.address(asBuffer(memory)),
  encode: (text) => new Uint8Array(encode(text)),
  decode: (bytes) => decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)),
};
