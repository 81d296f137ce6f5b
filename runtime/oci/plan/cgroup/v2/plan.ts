/** All controllers of cgroup v2, in the order in which they are written. */
import type { CgroupLimits, FileWrite } from "../../../../linux/cgroup/types.ts";
import type { LinuxResources } from "../../../config.ts";
import { planCpu } from "./cpu.ts";
import { planCpuset } from "./cpuset.ts";
import { planDevices } from "./devices.ts";
import { planHugetlb } from "./hugetlb.ts";
import { planIo } from "./io.ts";
import { planMemory } from "./memory.ts";
import { planPids } from "./pids.ts";
import { planRdma } from "./rdma.ts";
import { planUnified } from "./unified.ts";

export function planResources(
  resources: LinuxResources,
  devices: "no" | "optional" | "yes",
): CgroupLimits & { readonly early: readonly FileWrite[] } {
  const deviceProgram = devices === "no" ? undefined : planDevices(resources.devices);
  return {
    early: [],
    writes: [
      ...planPids(resources.pids),
      ...planMemory(resources.memory),
      ...planIo(resources.blockIO),
      ...planCpu(resources.cpu),
      ...planCpuset(resources.cpu),
      ...planHugetlb(resources.hugepageLimits),
      ...planRdma(resources.rdma),
      ...planUnified(resources.unified),
    ],
    ...(deviceProgram === undefined ? {} : { deviceProgram }),
    ...(deviceProgram === undefined || devices === "yes" ? {} : { devicesOptional: true }),
  };
}
