import { suite } from "uvu";
import * as assert from "uvu/assert";
import { planPids } from "./pids.ts";

const pids = suite("cgroup v2 pids");

const cases: readonly (readonly [name: string, limit: number, written: string])[] = [
  ["writes a limit as it is", 100, "100"],
  ["turns 0 into 1, as systemd needs", 0, "1"],
  ["turns -1 into max", -1, "max"],
  ["turns any negative number into max", -7, "max"],
  ["writes large numbers without an exponent", 2 ** 62, "4611686018427387904"],
];
for (const [name, limit, written] of cases)
  pids(name, () =>
    assert.equal(planPids({ limit }), [
      { controller: "pids", file: "pids.max", value: written, field: "/linux/resources/pids/limit" },
    ]),
  );

pids("plans nothing when the spec is silent", () => {
  assert.equal(planPids(undefined), []);
  assert.equal(planPids({}), []);
});

pids.run();
