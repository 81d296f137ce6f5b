import { suite } from "uvu";
import * as assert from "uvu/assert";
import { difference } from "./compare.ts";
import type { Outcome } from "./place.ts";

const compare = suite("trial: compare");

const ran = (outcome: Partial<Outcome>): Outcome => ({
  status: 0,
  stdout: "",
  stderr: "",
  files: [],
  late: false,
  ...outcome,
});
const file = (name: string, content: string) => `${content.repeat(64)}  .${name}`;

const FULL = ran({ stdout: "process 12 says hello\n", files: [file("/tmp/a", "1"), file("/tmp/b", "2")] });

/** name, the run in the environment, more in the full root, what differs. */
const cases: readonly (readonly [
  name: string,
  own: Outcome,
  again: readonly Outcome[],
  expected: string | undefined,
])[] = [
  ["numbers", ran({ ...FULL, stdout: "process 345 says hello\n" }), [], undefined],
  [
    "status",
    ran({ ...FULL, status: 127, stderr: "sh: x: not found\n" }),
    [FULL],
    'its status was 127 instead of 0, and it said "sh: x: not found"',
  ],
  ["output", ran({ ...FULL, stdout: "no\n" }), [FULL], 'its stdout was "no" instead of "process 12 says hello"'],
  ["output that is never the same", ran({ ...FULL, stdout: "no\n" }), [ran({ ...FULL, stdout: "yes\n" })], undefined],
  ["a file that is lacking", ran({ ...FULL, files: [file("/tmp/a", "1")] }), [FULL], "it did not write /tmp/b"],
  [
    "a file that is not always there",
    ran({ ...FULL, files: [file("/tmp/a", "1")] }),
    [FULL, ran({ ...FULL, files: [file("/tmp/a", "1")] })],
    undefined,
  ],
  [
    "content",
    ran({ ...FULL, files: [file("/tmp/a", "1"), file("/tmp/b", "3")] }),
    [FULL, FULL],
    "it wrote /tmp/b otherwise",
  ],
  [
    "content that was the same twice by chance",
    ran({ ...FULL, files: [file("/tmp/a", "1"), file("/tmp/b", "3")] }),
    [FULL, ran({ ...FULL, files: [file("/tmp/a", "1"), file("/tmp/b", "4")] })],
    undefined,
  ],
];

for (const [name, own, again, expected] of cases)
  compare(name, () => {
    const found = difference(FULL, own, again);
    assert.is(found?.text, expected);
    if (found !== undefined) assert.is(found.isContent, name === "content");
  });

compare.run();
