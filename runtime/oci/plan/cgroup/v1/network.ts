/**
 * net_cls and net_prio controllers, cgroup v1; v2 has no counterpart.
 * Source: runtime-spec config-linux.md "Network"; kernel cgroup-v1/net_cls.rst, net_prio.rst.
 */
import type { FileWrite } from "../../../../linux/cgroup/types.ts";
import type { NetworkResources } from "../../../config.ts";

const FIELD = "/linux/resources/network";

export function planNetwork(network: NetworkResources | undefined): FileWrite[] {
  const writes: FileWrite[] = [];
  if (network?.classID)
    writes.push({
      controller: "net_cls",
      file: "net_cls.classid",
      value: String(network.classID),
      field: `${FIELD}/classID`,
    });
  (network?.priorities ?? []).forEach(({ name, priority }, index) => {
    writes.push({
      controller: "net_prio",
      file: "net_prio.ifpriomap",
      value: `${name} ${priority}`,
      field: `${FIELD}/priorities/${index}`,
    });
  });
  return writes;
}
