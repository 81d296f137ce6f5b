/**
 * cpuset controller, cgroup v2. Lists such as "0-3,7"; an empty one counts as not given. The files are the same on v1.
 * Source: runtime-spec config-linux.md "CPU"; kernel cgroup-v2.rst "Cpuset Interface Files".
 */
import type { FileWrite } from "../../../../linux/cgroup/types.ts";
import type { Cpu } from "../../../config.ts";

const FIELD = "/linux/resources/cpu";

export function planCpuset(cpu: Cpu | undefined): FileWrite[] {
  const writes: FileWrite[] = [];
  if (cpu?.cpus) writes.push({ controller: "cpuset", file: "cpuset.cpus", value: cpu.cpus, field: `${FIELD}/cpus` });
  if (cpu?.mems) writes.push({ controller: "cpuset", file: "cpuset.mems", value: cpu.mems, field: `${FIELD}/mems` });
  return writes;
}
