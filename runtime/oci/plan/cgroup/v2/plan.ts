/** All controllers of cgroup v2, in the order in which they are written. */
import type { CgroupLimits, FileWrite } from "../../../../linux/cgroup/types.ts";
import type { LinuxResources } from "../../../config.ts";
import { planCpu } from "./cpu.ts";
import { planMemory } from "./memory.ts";
import { planPids } from "./pids.ts";

export function planResources(
  resources: LinuxResources,
  _devices: boolean,
): CgroupLimits & { early: readonly FileWrite[] } {
  return {
    early: [],
    writes: [...planPids(resources.pids), ...planMemory(resources.memory), ...planCpu(resources.cpu)],
  };
}
