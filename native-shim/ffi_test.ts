/** Values of every type at the edges of their width, through the functions of ffi_test.c: the module that its engine runs. */
import type { CallsOf, Host } from "../runtime/host/host.ts";
import type { PROBES } from "./probes.ts";

/** What the shim puts on the global object. */
declare const reg: Pick<Host, "args" | "environ" | "held" | "errno" | "address" | "encode" | "decode"> & {
  readonly libc: CallsOf<typeof PROBES>;
};
const { libc } = reg;

function is(name: string, found: unknown, expected: unknown): void {
  if (!Object.is(found, expected)) libc.probe_fail(`${name}: ${String(found)} instead of ${String(expected)}`);
}

function throws(name: string, call: () => unknown): void {
  try {
    call();
  } catch (error) {
    is(name, error instanceof TypeError, true);
    return;
  }
  libc.probe_fail(`${name}: no error`);
}

for (const value of [0, 1, -1, 2147483647, -2147483648]) is("int", libc.probe_int(value), value);
is("int, more than 32 bits", libc.probe_int(2 ** 32 + 5), 5);
for (const value of [0, 1, 2147483648, 4294967295]) is("uint", libc.probe_uint(value), value);
is("uint, negative", libc.probe_uint(-1), 4294967295);
for (const value of [0, -1, 2 ** 32, -(2 ** 32), 2 ** 53 - 1, 1 - 2 ** 53]) is("long", libc.probe_long(value), value);
for (const value of [0, 2 ** 32, 2 ** 53 - 1]) is("ulong", libc.probe_ulong(value), value);
is("ulong, all bits", libc.probe_ulong(-1), 2 ** 64);
is("string", libc.probe_string("abc"), 3);
is("string, two bytes", libc.probe_string("\u00e9"), 2);
is("string, empty", libc.probe_string(""), 0);
is("string, null", libc.probe_string(null), -1);
throws("string with NUL", () => libc.probe_string("a\0b"));
throws("string from a number", () => libc.probe_string(7 as never));
is("pointer", libc.probe_first(new Uint8Array([7, 8])), 7);
is("pointer into the middle", libc.probe_first(new Uint8Array([7, 8]).subarray(1)), 8);
is("pointer, null", libc.probe_first(null), -1);
throws("pointer from a string", () => libc.probe_first("x" as never));
throws("pointer from an object", () => libc.probe_first({} as never));
throws("missing argument", () => (libc.probe_int as () => number)());
throws("int from a string", () => libc.probe_int("1" as never));
is("pointer as a number", libc.probe_pointer(140737488355327), 140737488355327);
const memory = new Uint8Array([42]);
is("address", libc.probe_pointer(memory), reg.address(memory));
is("address as an argument", libc.probe_first(reg.address(memory)), 42);
is("void", libc.probe_void(), undefined);
is("errno result", libc.probe_errno(13), -1);
is("errno", reg.errno(), 13);
reg.encode("x".repeat(1 << 20));
is("errno after other work", reg.errno(), 13);
is("six arguments", libc.probe_six(1, 2, 3, 4, "aaaaa", new Uint8Array([6])), 654321);
is("encode", Array.from(reg.encode("a\u00e9")).join(), "97,195,169");
is("decode", reg.decode(new Uint8Array([97, 195, 169])), "a\u00e9");
is("decode, empty", reg.decode(new Uint8Array(0)), "");
for (const bytes of [
  [255],
  [0xc3],
  [0xe2, 0x82],
  [0xed, 0xb2, 0x80],
  [0xc0, 0xaf],
  [65, 0xf4, 0x90, 0x80, 0x80, 195, 169],
])
  is("no UTF-8", String(reg.encode(reg.decode(new Uint8Array(bytes)))), String(bytes));
is("decode, a byte that is no UTF-8", reg.decode(new Uint8Array([97, 255])), "a\udcff");
is("string, a byte that is no UTF-8", libc.probe_first(reg.encode("\udc80")) + libc.probe_string("\udcffa"), 130);
is("encode, what looks alike", Array.from(reg.encode("\ud7ff")).join(), "237,159,191");
is("arguments", reg.args.join(), "one,two");
is("environment", reg.environ.join(), "A=1");
is("held descriptors", reg.held.join(), "500,501");
