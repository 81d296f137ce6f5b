import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parseDurationMs } from "./duration.ts";

const durations = suite("durations");

const cases: [text: string, ms: number][] = [
  ["5s", 5000],
  ["100ms", 100],
  ["1m30s", 90_000],
  ["1.5h", 5_400_000],
  [".5s", 500],
  ["250us", 0.25],
];
for (const [text, ms] of cases) durations(`reads ${text}`, () => assert.is(parseDurationMs("--interval", text), ms));

for (const text of ["", "5", "s", "5x", "5s ", "-5s", "5 s", "0s", "0ms"])
  durations(`refuses ${JSON.stringify(text)}`, () =>
    assert.throws(() => parseDurationMs("--interval", text), /--interval .*: expected/),
  );

durations.run();
