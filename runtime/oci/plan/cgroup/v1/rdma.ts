/**
 * rdma controller, cgroup v1. The file is the same as on v2.
 * Source: runtime-spec config-linux.md "RDMA"; kernel cgroup-v1/rdma.rst.
 */
export { planRdma } from "../v2/rdma.ts";
