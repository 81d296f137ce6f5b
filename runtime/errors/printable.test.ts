import { suite } from "uvu";
import * as assert from "uvu/assert";
import { printable, printableJson, printableLines } from "./printable.ts";

const text = suite("printable text");

const CASES: [text: string, shown: string][] = [
  ["plain é 한 🙂", "plain é 한 🙂"],
  ["\x1b[31mred", "\\x1b[31mred"],
  ["a\nb\tc", "a\\nb\\tc"],
  ["\x9b2J", "\\x9b2J"],
  ["\x7f", "\\x7f"],
  ["\u202egnp.exe", "\\u202egnp.exe"],
  ["\u2028", "\\u2028"],
  ["\udcff", "\\xff"],
  ["\ud800", "\\ud800"],
];
for (const [given, shown] of CASES) text(`shows ${JSON.stringify(given)}`, () => assert.is(printable(given), shown));

text("keeps lines where there are to be lines", () => {
  assert.is(printableLines("a\n\tb\r\x1b"), "a\n\tb\\x0d\\x1b");
});

text("writes JSON that means the same", () => {
  const value = { a: "\x9b\u202e\udcff\n🙂", b: [1] };
  for (const indent of [undefined, 2]) {
    const json = printableJson(value, indent);
    assert.equal(JSON.parse(json), value);
    assert.not.match(json, /[\x7f-\x9f\u202e]/);
  }
});

text.run();
