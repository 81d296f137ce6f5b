import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ConfigError } from "../../../../errors/errors.ts";
import { planUnified } from "./unified.ts";

const unified = suite("cgroup v2 unified");

unified("writes each file, line by line", () =>
  assert.equal(planUnified({ "memory.high": "100", "io.max": "8:0 rbps=1\n8:1 rbps=2\n" }), [
    { controller: "memory", file: "memory.high", value: "100", field: "/linux/resources/unified/memory.high" },
    { controller: "io", file: "io.max", value: "8:0 rbps=1", field: "/linux/resources/unified/io.max" },
    { controller: "io", file: "io.max", value: "8:1 rbps=2", field: "/linux/resources/unified/io.max" },
  ]),
);

unified("plans nothing for nothing", () => assert.equal(planUnified(undefined), []));

for (const file of ["../memory.max", "a/b", "/etc/passwd", "..", "memory"])
  unified(`refuses ${file}`, () =>
    assert.throws(
      () => planUnified({ [file]: "1" }),
      (error: unknown) => error instanceof ConfigError && error.message.includes("must be a file name (no slashes)"),
    ),
  );

unified("reports all bad names, with their pointers escaped", () => {
  try {
    planUnified({ "a/b": "1", "~": "2" });
    assert.unreachable();
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    assert.equal(
      error.faults.map(({ pointer }) => pointer),
      ["/linux/resources/unified/a~1b", "/linux/resources/unified/~0"],
    );
  }
});

unified.run();
