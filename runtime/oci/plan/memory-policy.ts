/** The words of linux.memoryPolicy in the kernel's terms. Source: set_mempolicy(2), linux/mempolicy.h. */
import type { MemoryPolicyFlag, MemoryPolicyMode } from "../config.ts";

export const MEMORY_POLICY_MODES: Readonly<Record<MemoryPolicyMode, number>> = {
  MPOL_DEFAULT: 0,
  MPOL_PREFERRED: 1,
  MPOL_BIND: 2,
  MPOL_INTERLEAVE: 3,
  MPOL_LOCAL: 4,
  MPOL_PREFERRED_MANY: 5, // Linux 5.15
  MPOL_WEIGHTED_INTERLEAVE: 6, // Linux 6.9
};

export const MEMORY_POLICY_FLAGS: Readonly<Record<MemoryPolicyFlag, number>> = {
  MPOL_F_NUMA_BALANCING: 1 << 13, // Linux 5.12
  MPOL_F_RELATIVE_NODES: 1 << 14,
  MPOL_F_STATIC_NODES: 1 << 15,
};
