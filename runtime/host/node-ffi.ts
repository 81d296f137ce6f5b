/** The Node host: libc through ffi-napi and ref-napi. For development, tests and embedding. */
import { isUtf8 } from "node:buffer";
import { createRequire } from "node:module";
import type { CallsOf, Host, Pointer, Signature } from "./host.ts";
import { nativeBinary } from "./native-binary.ts";

interface Ffi {
  Library(file: string | null, table: Record<string, Signature>): Record<string, (...args: unknown[]) => unknown>;
  errno(): number;
}
interface Ref {
  address(buffer: Buffer): number;
  readPointer(buffer: Buffer, offset: number, length: number): Buffer;
}

const require = createRequire(import.meta.url);
const ffi: Ffi = require("ffi-napi");
const ref: Ref = require("ref-napi");

let savedErrno = 0;

/** ffi-napi takes a Buffer for a pointer; a number becomes one whose data pointer is that address. */
function toBuffer(pointer: Pointer): Buffer | null {
  if (pointer === null) return null;
  if (typeof pointer === "number") {
    const holder = Buffer.alloc(8);
    holder.writeBigUInt64LE(BigInt.asUintN(64, BigInt(pointer)));
    return ref.readPointer(holder, 0, 0);
  }
  return Buffer.from(pointer.buffer, pointer.byteOffset, pointer.byteLength);
}

function bindOne(name: string, signature: Signature): (...args: unknown[]) => unknown {
  const [result, parameters] = signature;
  const call = ffi.Library(null, { [name]: signature })[name];
  if (call === undefined) throw new Error(`libc has no ${name}`);
  const pointers = parameters.flatMap((type, index) => (type === "pointer" ? [index] : []));
  const strings = parameters.flatMap((type, index) => (type === "string" ? [index] : []));
  return (...args) => {
    for (const index of pointers) args[index] = toBuffer(args[index] as Pointer);
    for (const index of strings) {
      const text = args[index];
      if (typeof text !== "string") continue;
      if (text.includes("\0")) throw new TypeError(`${name}: string argument ${index} holds a NUL byte`);
      if (LONE_SURROGATE.test(text)) args[index] = encode(`${text}\0`);
    }
    const value = call(...args);
    if (result === "pointer") return ref.address(value as Buffer);
    // Beyond 2^53 ffi-napi gives a string; only (ulong) -1 gets there.
    const number = result === "void" ? undefined : Number(value);
    if (number === -1) savedErrno = ffi.errno();
    return number;
  };
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
  errno: () => savedErrno,
  address: (memory) => ref.address(Buffer.from(memory.buffer, memory.byteOffset, memory.byteLength)),
  encode: (text) => new Uint8Array(encode(text)),
  decode: (bytes) => decode(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)),
};
