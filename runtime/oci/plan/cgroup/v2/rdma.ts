/**
 * rdma controller, cgroup v2: handles and objects, by device.
 * Source: runtime-spec config-linux.md "RDMA"; kernel cgroup-v2.rst "RDMA Interface Files".
 */
import type { FileWrite } from "../../../../linux/cgroup/types.ts";
import type { Rdma } from "../../../config.ts";
import { pointerToken } from "../pointer.ts";

export function planRdma(devices: Readonly<Record<string, Rdma>> | undefined): FileWrite[] {
  return Object.entries(devices ?? {}).flatMap(([device, { hcaHandles, hcaObjects }]) => {
    const handles = hcaHandles === undefined ? "" : ` hca_handle=${hcaHandles}`;
    const objects = hcaObjects === undefined ? "" : ` hca_object=${hcaObjects}`;
    if (handles === "" && objects === "") return [];
    const field = `/linux/resources/rdma/${pointerToken(device)}`;
    return [{ controller: "rdma", file: "rdma.max", value: `${device}${handles}${objects}`, field }];
  });
}
