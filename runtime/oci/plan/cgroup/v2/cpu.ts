/**
 * cpu controller, cgroup v2. Microseconds; 0 counts as not given. Realtime limits have no counterpart.
 * Source: runtime-spec config-linux.md "CPU"; kernel cgroup-v2.rst "CPU Interface Files".
 */
import type { FileWrite } from "../../../../linux/cgroup/types.ts";
import type { Cpu } from "../../../config.ts";
import { decimal } from "../number.ts";

const FIELD = "/linux/resources/cpu";

/**
 * cpu.weight (1 to 10000) for cpu.shares (2 to 262144): the curve through both ends of both ranges and through both
 * defaults, 1024 and 100. 0 for no shares.
 */
export function weightOfShares(shares: number): number {
  if (shares === 0) return 0;
  if (shares <= 2) return 1;
  if (shares >= 262144) return 10000;
  const log = Math.log2(shares);
  return Math.ceil(10 ** ((log * log + 125 * log) / 612 - 7 / 34));
}

export function planCpu(cpu: Cpu | undefined): FileWrite[] {
  if (cpu === undefined) return [];
  const controller = "cpu";
  const writes: FileWrite[] = [];
  if (cpu.idle !== undefined)
    writes.push({ controller, file: "cpu.idle", value: decimal(cpu.idle), field: `${FIELD}/idle` });
  if (cpu.shares)
    writes.push({
      controller,
      file: "cpu.weight",
      value: String(weightOfShares(cpu.shares)),
      field: `${FIELD}/shares`,
    });
  const limited = Boolean(cpu.quota || cpu.period);
  if (cpu.burst !== undefined)
    writes.push({
      controller,
      file: "cpu.max.burst",
      value: decimal(cpu.burst),
      field: `${FIELD}/burst`,
      otherwise: "skip", // Linux 5.14
      ...(limited ? { retry: true } : {}), // a burst above the old quota is refused
    });
  if (limited) {
    const quota = cpu.quota !== undefined && cpu.quota > 0 ? decimal(cpu.quota) : "max";
    writes.push({
      controller,
      file: "cpu.max",
      value: `${quota} ${decimal(cpu.period || 100_000)}`,
      field: cpu.quota ? `${FIELD}/quota` : `${FIELD}/period`,
    });
  }
  return writes;
}
