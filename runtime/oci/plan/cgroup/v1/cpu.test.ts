import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ConfigError } from "../../../../errors/errors.ts";
import type { Cpu } from "../../../config.ts";
import { planCpu, planRealtime } from "./cpu.ts";

const cpu = suite("cgroup v1 cpu");

const cases: readonly (readonly [name: string, given: Cpu, written: readonly string[]])[] = [
  ["plans nothing for nothing", {}, []],
  ["takes 0 for not given", { shares: 0, quota: 0, period: 0 }, []],
  ["writes shares as they are", { shares: 512 }, ["cpu.shares=512"]],
  ["writes the period before the quota", { quota: 5, period: 10 }, ["cpu.cfs_period_us=10", "cpu.cfs_quota_us=5"]],
  ["writes an unlimited quota", { quota: -1 }, ["cpu.cfs_quota_us=-1"]],
  ["writes burst and idle", { burst: 0, idle: 1 }, ["cpu.cfs_burst_us=0", "cpu.idle=1"]],
];
for (const [name, given, written] of cases)
  cpu(name, () =>
    assert.equal(
      planCpu(given).map(({ file, value }) => `${file}=${value}`),
      written,
    ),
  );

cpu("tries the period again after the quota, if there is one", () => {
  assert.is(planCpu({ quota: 5, period: 10 })[0]?.retry, true);
  assert.is(planCpu({ period: 10 })[0]?.retry, undefined);
});

cpu("writes realtime limits apart, the period first", () =>
  assert.equal(
    planRealtime({ realtimeRuntime: 5, realtimePeriod: 10 }).map(({ file, value }) => `${file}=${value}`),
    ["cpu.rt_period_us=10", "cpu.rt_runtime_us=5"],
  ),
);

for (const [shares, message] of [
  [1, "the minimum allowed cpu-shares is 2"],
  [262145, "the maximum allowed cpu-shares is 262144"],
] as const)
  cpu(`refuses ${shares} shares`, () =>
    assert.throws(
      () => planCpu({ shares }),
      (error: unknown) => error instanceof ConfigError && error.message === message,
    ),
  );

cpu.run();
