/** All controllers of cgroup v1, in the order in which they are written. */
import { ConfigError } from "../../../../errors/errors.ts";
import type { FileWrite } from "../../../../linux/cgroup/types.ts";
import type { LinuxResources } from "../../../config.ts";
import { planCpu, planRealtime } from "./cpu.ts";
import { planMemory } from "./memory.ts";
import { planPids } from "./pids.ts";

export function planResources(
  resources: LinuxResources,
  _devices: boolean,
): { early: readonly FileWrite[]; writes: readonly FileWrite[] } {
  if (resources.unified !== undefined && Object.keys(resources.unified).length > 0)
    throw new ConfigError("invalid configuration: cannot use unified on cgroup v1", [
      { pointer: "/linux/resources/unified", expected: "nothing on a cgroup v1 host", found: "unified" },
    ]);
  return {
    early: planRealtime(resources.cpu),
    writes: [...planMemory(resources.memory), ...planCpu(resources.cpu), ...planPids(resources.pids)],
  };
}
