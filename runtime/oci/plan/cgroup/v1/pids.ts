/**
 * pids controller, cgroup v1. The file is the same as on v2.
 * Source: runtime-spec config-linux.md "PIDs"; kernel cgroup-v1/pids.rst.
 */
export { planPids } from "../v2/pids.ts";
