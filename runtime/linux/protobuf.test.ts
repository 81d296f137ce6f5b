/** Messages, byte by byte: what the encoding guide says, and what is not a message. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { decode, encode, type MessageTable } from "./protobuf.ts";

const protobuf = suite("protobuf");

const INNER = { name: [1, "string"] } as const satisfies MessageTable;
const ALL = {
  text: [1, "string"],
  bytes: [2, "bytes"],
  flag: [3, "bool"],
  count: [4, "uint"],
  number: [5, "int"],
  ratio: [6, "double"],
  inner: [7, INNER],
  many: [8, INNER, "repeated"],
  map: [9, "string", "map"],
  far: [1000, "uint"],
} as const satisfies MessageTable;

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

protobuf("encodes as the guide has it", () => {
  assert.is(hex(encode(ALL, { count: 150 })), "209601");
  assert.is(hex(encode(ALL, { text: "testing" })), "0a0774657374696e67");
  assert.is(hex(encode(ALL, { number: -2 })), "28feffffffffffffffff01");
  assert.is(hex(encode(ALL, { far: 1 })), "c03e01");
});

protobuf("leaves defaults out, and gives them back", () => {
  assert.is(encode(ALL, { text: "", flag: false, count: 0, bytes: new Uint8Array(0) }).length, 0);
  const { inner, ...rest } = decode(ALL, new Uint8Array(0));
  assert.is(inner, undefined);
  assert.equal(rest, {
    text: "",
    bytes: new Uint8Array(0),
    flag: false,
    count: 0,
    number: 0,
    ratio: 0,
    many: [],
    map: {},
    far: 0,
  });
});

protobuf("writes a default where its absence means something else", () => {
  const table = { fd: [2, "int", "explicit"], name: [1, "string", "explicit"] } as const satisfies MessageTable;
  assert.is(hex(encode(table, { fd: 0, name: "" })), "10000a00");
  assert.is(hex(encode(table, {})), "");
  assert.equal(decode(table, encode(table, { fd: -1, name: "a" })), { fd: -1, name: "a" });
});

protobuf("gives back what it was given", () => {
  const message = {
    text: "ä€",
    bytes: new Uint8Array([0, 255]),
    flag: true,
    count: 2 ** 53 - 1,
    number: -(2 ** 31),
    ratio: 0.1,
    inner: { name: "a" },
    many: [{ name: "b" }, { name: "" }],
    map: { key: "value", "": "empty" },
    far: 2 ** 32,
  };
  assert.equal(decode(ALL, encode(ALL, message)), message);
});

protobuf("writes 64 bits exactly from bigints", () => {
  assert.is(hex(encode(ALL, { count: 2n ** 64n - 1n })), "20ffffffffffffffffff01");
  assert.is(hex(encode(ALL, { count: 2n ** 53n + 1n })), "2081808080808080" + "10");
});

protobuf("skips fields that it does not know, of every kind", () => {
  const unknown = "d00f05" + "d10f0000000000000000" + "d20f020102" + "d50f00000000";
  assert.is(decode(ALL, Buffer.from(`${unknown}2001`, "hex")).count, 1);
});

for (const [what, bytes] of [
  ["a varint without an end", "20ff"],
  ["a varint of eleven bytes", "20ffffffffffffffffffffff01"],
  ["a text beyond the end", "0a05"],
  ["a number in the place of a text", "0801"],
  ["a field with the number 0", "0001"],
  ["a group", "0b"],
  ["a message in a message that is none", "3a0108"],
] as const)
  protobuf(`refuses ${what}`, () => assert.throws(() => decode(ALL, Buffer.from(bytes, "hex")), /malformed/));

protobuf.run();
