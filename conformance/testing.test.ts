/** The test convention itself: an unmet need skips, a met one registers. */
import { suite, type Test } from "uvu";
import * as assert from "uvu/assert";
import { need, needs, program } from "./testing.ts";

const conventions = suite("testing");

/** Stands in for a uvu suite and notes what was asked of it. */
function recorder(): { tests: Test; calls: string[] } {
  const calls: string[] = [];
  const register = (name: string) => calls.push(`test ${name}`);
  return { tests: Object.assign(register, { skip: () => calls.push("skip") }) as unknown as Test, calls };
}

conventions("a met need registers the test", () => {
  const { tests, calls } = recorder();
  needs(tests, need("nothing", true))("starts", () => undefined);
  assert.equal(calls, ["test starts"]);
});

conventions("an unmet need skips the test and prints every reason", () => {
  const { tests, calls } = recorder();
  const printed: string[] = [];
  const log = console.log;
  console.log = (line: string) => printed.push(line);
  try {
    needs(tests, need("swap", false), need("nothing", true), need("luck", false))("starts", () => undefined);
  } finally {
    console.log = log;
  }
  assert.equal(calls, ["skip"]);
  assert.equal(printed, ["# skip needs swap, needs luck: starts"]);
});

conventions("a program is found in PATH", () => {
  assert.ok(program("sh").met);
  assert.not(program("no-such-program-at-all").met);
  assert.is(program("no-such-program-at-all").reason, "needs no-such-program-at-all");
});

conventions.run();
