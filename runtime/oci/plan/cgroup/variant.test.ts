import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { DbusValue } from "../../../linux/dbus-marshalling.ts";
import { parseVariant } from "./variant.ts";

const variant = suite("property values");

const cases: readonly (readonly [text: string, signature: string, value: DbusValue])[] = [
  ["'text'", "s", "text"],
  ['"with \\"quotes\\" and \\n"', "s", 'with "quotes" and \n'],
  ["true", "b", true],
  ["5", "i", 5],
  ["-0x10", "i", -16],
  ["2.5", "d", 2.5],
  ["uint32 5", "u", 5],
  ["uint64 18446744073709551615", "t", 2n ** 64n - 1n],
  ["@t 5", "t", 5n],
  ["@d 5", "d", 5],
  ["byte 0xff", "y", 255],
  ["objectpath '/a'", "o", "/a"],
  ["['a', 'b']", "as", ["a", "b"]],
  ["@as []", "as", []],
  ["@au [1, 2]", "au", [1, 2]],
  ["[uint64 1, 2]", "at", [1n, 2n]],
  ["[('a', 'rwm')]", "a(ss)", [["a", "rwm"]]],
  ["('a', true, 5)", "(sbi)", ["a", true, 5]],
  ["<5>", "v", { signature: "i", value: 5 }],
  ["  7 ", "i", 7],
];
for (const [text, signature, value] of cases)
  variant(`reads ${text}`, () => assert.equal(parseVariant(text), { signature, value }));

for (const text of [
  "",
  "text",
  "'open",
  "5 6",
  "[1, 'a']",
  "[]",
  "uint32 -1",
  "byte 256",
  "@s 5",
  "2147483648",
  "(1",
  "@z 1",
  "5e",
])
  variant(`refuses ${JSON.stringify(text)}`, () => assert.throws(() => parseVariant(text)));

variant.run();
