/** All controllers of cgroup v1, in the order in which they are written. */
import { ConfigError } from "../../../../errors/errors.ts";
import type { FileWrite } from "../../../../linux/cgroup/types.ts";
import type { LinuxResources } from "../../../config.ts";
import { planBlockIo } from "./block-io.ts";
import { planCpu, planRealtime } from "./cpu.ts";
import { planCpuset } from "./cpuset.ts";
import { planDevices } from "./devices.ts";
import { planHugetlb } from "./hugetlb.ts";
import { planMemory } from "./memory.ts";
import { planNetwork } from "./network.ts";
import { planPids } from "./pids.ts";
import { planRdma } from "./rdma.ts";

/** `devices`: whether to plan them, and whether it matters that they can not be set. */
export function planResources(
  resources: LinuxResources,
  devices: "no" | "optional" | "yes",
): { early: readonly FileWrite[]; writes: readonly FileWrite[] } {
  if (resources.unified !== undefined && Object.keys(resources.unified).length > 0)
    throw new ConfigError("invalid configuration: cannot use unified on cgroup v1", [
      { pointer: "/linux/resources/unified", expected: "nothing on a cgroup v1 host", found: "unified" },
    ]);
  return {
    early: [...planCpuset(resources.cpu), ...planRealtime(resources.cpu)],
    writes: [
      ...(devices === "no" ? [] : planDevices(resources.devices, devices === "optional")),
      ...planMemory(resources.memory),
      ...planCpu(resources.cpu),
      ...planPids(resources.pids),
      ...planBlockIo(resources.blockIO),
      ...planHugetlb(resources.hugepageLimits),
      ...planNetwork(resources.network),
      ...planRdma(resources.rdma),
    ],
  };
}
