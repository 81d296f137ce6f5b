/**
 * cpu controller, cgroup v1. Microseconds; 0 counts as not given.
 * Source: runtime-spec config-linux.md "CPU"; kernel scheduler/sched-bwc.rst, scheduler/sched-rt-group.rst.
 */
import { ConfigError } from "../../../../errors/errors.ts";
import type { FileWrite } from "../../../../linux/cgroup/types.ts";
import type { Cpu } from "../../../config.ts";
import { decimal } from "../number.ts";

const FIELD = "/linux/resources/cpu";

/** The kernel silently takes the nearest limit for other values. */
function checkShares(shares: number): void {
  if (shares >= 2 && shares <= 262144) return;
  const bound = shares < 2 ? "the minimum allowed cpu-shares is 2" : "the maximum allowed cpu-shares is 262144";
  throw new ConfigError(bound, [{ pointer: `${FIELD}/shares`, expected: "2 to 262144", found: decimal(shares) }]);
}

/** Realtime time, which a realtime process needs before it can join. Returned apart for that reason. */
export function planRealtime(cpu: Cpu | undefined): FileWrite[] {
  const writes: FileWrite[] = [];
  const add = (file: string, value: number | undefined, field: string) => {
    // A new runtime may be too much for the old period: the period is first, and the runtime helps it on a second try.
    if (value) writes.push({ controller: "cpu", file, value: decimal(value), field: `${FIELD}/${field}`, retry: true });
  };
  add("cpu.rt_period_us", cpu?.realtimePeriod, "realtimePeriod");
  add("cpu.rt_runtime_us", cpu?.realtimeRuntime, "realtimeRuntime");
  return writes;
}

export function planCpu(cpu: Cpu | undefined): FileWrite[] {
  if (cpu === undefined) return [];
  const controller = "cpu";
  const writes: FileWrite[] = [];
  if (cpu.shares) {
    checkShares(cpu.shares);
    writes.push({ controller, file: "cpu.shares", value: decimal(cpu.shares), field: `${FIELD}/shares` });
  }
  // Old quota and new period, or old quota and new burst, may be more than a parent allows: again after the quota.
  const retry = cpu.quota ? ({ retry: true } as const) : {};
  if (cpu.period)
    writes.push({
      controller,
      file: "cpu.cfs_period_us",
      value: decimal(cpu.period),
      field: `${FIELD}/period`,
      ...retry,
    });
  if (cpu.burst !== undefined)
    writes.push({
      controller,
      file: "cpu.cfs_burst_us",
      value: decimal(cpu.burst),
      field: `${FIELD}/burst`,
      otherwise: "skip", // Linux 5.14
      ...retry,
    });
  if (cpu.quota)
    writes.push({ controller, file: "cpu.cfs_quota_us", value: decimal(cpu.quota), field: `${FIELD}/quota` });
  if (cpu.idle !== undefined)
    writes.push({ controller, file: "cpu.idle", value: decimal(cpu.idle), field: `${FIELD}/idle` });
  return writes;
}
