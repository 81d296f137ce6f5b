import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parseTap } from "./tap.ts";

const tap = suite("TAP");

tap("counts checks, and nothing else", () => {
  const text = [
    "TAP version 13",
    "1..5",
    "ok 1 - has a root",
    "  ---",
    '  { "error": "not ok" }',
    "  ...",
    "not ok 2 - has a host name",
    "# not ok: a remark",
    "ok 3 # SKIP no uid map",
    "not ok 4 - has a terminal # TODO",
    "ok",
    "okay",
  ];
  assert.equal(parseTap(text.join("\n")), { passed: 2, failed: ["has a host name"], skipped: 2 });
});

tap("finds nothing in nothing", () => assert.equal(parseTap(""), { passed: 0, failed: [], skipped: 0 }));

tap.run();
