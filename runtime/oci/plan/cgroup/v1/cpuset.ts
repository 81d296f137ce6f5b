/**
 * cpuset controller, cgroup v1. Lists such as "0-3,7"; an empty one counts as not given. A process can not join a cpuset
 * that lacks either, so these are written before it does.
 * Source: runtime-spec config-linux.md "CPU"; kernel cgroup-v1/cpusets.rst.
 */
export { planCpuset } from "../v2/cpuset.ts";
