/** The systemd cgroup driver, for containers that use it. */
import type { SystemdDriver } from "../linux/cgroup/cgroup.ts";
import type { CgroupState } from "../linux/cgroup/types.ts";

export function systemdDriver(_state: Pick<CgroupState, "driver">): SystemdDriver | undefined {
  return undefined;
}
