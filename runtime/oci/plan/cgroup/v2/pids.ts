/**
 * pids controller, cgroup v2. Pure: returns the writes, relative to the container's cgroup.
 * limit: tasks; negative is unlimited. 0 becomes 1, because systemd rejects TasksMax=0 and both drivers must agree.
 * Source: runtime-spec config-linux.md "PIDs"; kernel cgroup-v2.rst "PID Interface Files".
 */
import type { FileWrite } from "../../../../linux/cgroup/types.ts";
import type { Pids } from "../../../config.ts";
import { decimalOrMax } from "../number.ts";

export function planPids(pids: Pids | undefined): FileWrite[] {
  if (pids?.limit === undefined) return [];
  const value = decimalOrMax(pids.limit === 0 ? 1 : pids.limit);
  return [{ controller: "pids", file: "pids.max", value, field: "/linux/resources/pids/limit" }];
}
