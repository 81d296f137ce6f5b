/** The systemd cgroup driver, for the containers that use it. */
import type { SystemdDriver } from "../linux/cgroup/cgroup.ts";
import { openSystemd } from "../linux/cgroup/systemd.ts";
import type { CgroupState } from "../linux/cgroup/types.ts";

/** The driver of a cgroup; undefined when systemd has no part in it. It connects when it is used. */
export function systemdDriver({ driver }: Pick<CgroupState, "driver">): SystemdDriver | undefined {
  return driver === "systemd" ? openSystemd() : undefined;
}
