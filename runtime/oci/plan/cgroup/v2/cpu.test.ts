import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Cpu } from "../../../config.ts";
import { planCpu, weightOfShares } from "./cpu.ts";

const cpu = suite("cgroup v2 cpu");

const weights: readonly (readonly [shares: number, weight: number])[] = [
  [0, 0],
  [1, 1],
  [2, 1],
  [512, 59],
  [1024, 100],
  [2048, 174],
  [262144, 10000],
  [500000, 10000],
];
for (const [shares, weight] of weights)
  cpu(`${shares} shares weigh ${weight}`, () => assert.is(weightOfShares(shares), weight));

cpu("more shares never weigh less, and the weight stays in its range", () => {
  let last = 1;
  for (let shares = 2; shares <= 262144; shares += 97) {
    const weight = weightOfShares(shares);
    assert.ok(weight >= last && weight <= 10000, `${shares} shares`);
    last = weight;
  }
});

const cases: readonly (readonly [name: string, given: Cpu, written: readonly string[]])[] = [
  ["plans nothing for nothing", {}, []],
  ["writes a quota with the default period", { quota: 50000 }, ["cpu.max=50000 100000"]],
  ["writes quota and period together", { quota: 5000, period: 10000 }, ["cpu.max=5000 10000"]],
  ["makes a negative quota max", { quota: -1, period: 10000 }, ["cpu.max=max 10000"]],
  ["writes a period without quota", { period: 50000 }, ["cpu.max=max 50000"]],
  ["writes the burst too", { quota: 5000, burst: 100 }, ["cpu.max.burst=100", "cpu.max=5000 100000"]],
  ["sets idle before the weight", { idle: 0, shares: 1024 }, ["cpu.idle=0", "cpu.weight=100"]],
  ["ignores realtime limits", { realtimePeriod: 5, realtimeRuntime: 3 }, []],
];
for (const [name, given, written] of cases)
  cpu(name, () =>
    assert.equal(
      planCpu(given).map(({ file, value }) => `${file}=${value}`),
      written,
    ),
  );

cpu("tries the burst again after the quota", () => {
  assert.is(planCpu({ quota: 1, burst: 1 })[0]?.retry, true);
  assert.is(planCpu({ burst: 1 })[0]?.retry, undefined);
});

cpu("names the field of each write", () =>
  assert.equal(
    planCpu({ quota: 1, burst: 1, shares: 2, idle: 1 }).map(({ field }) => field),
    ["idle", "shares", "burst", "quota"].map((key) => `/linux/resources/cpu/${key}`),
  ),
);

cpu.run();
