import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parseSignal } from "./signal.ts";

const signal = suite("signals");

const KNOWN: [text: string, number: number][] = [
  ["9", 9],
  ["0", 0],
  ["KILL", 9],
  ["SIGKILL", 9],
  ["kill", 9],
  ["sigterm", 15],
  ["WINCH", 28],
  ["CLD", 17],
  ["SYS", 31],
  ["RTMIN", 34],
  ["SIGRTMIN+3", 37],
  ["RTMAX-1", 63],
  ["64", 64],
];
for (const [text, number] of KNOWN) signal(`reads ${text}`, () => assert.is(parseSignal(text), number));

for (const text of ["FOO", "", "SIG", "65", "-9", "RTMAX+1", "RTMIN-1", "9x", "1.5"])
  signal(`refuses ${JSON.stringify(text)}`, () => assert.throws(() => parseSignal(text), `unknown signal "${text}"`));

signal.run();
