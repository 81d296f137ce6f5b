/** What Stats gives, one message for cgroup v1 and one for v2. Source: containerd/cgroups cgroup1/stats and cgroup2/stats metrics.proto. */
import type { MessageTable } from "../../linux/protobuf.ts";

const PIDS = { current: [1, "uint"], limit: [2, "uint"] } as const satisfies MessageTable;

const CPU_USAGE_V1 = {
  total: [1, "uint"],
  kernel: [2, "uint"],
  user: [3, "uint"],
  perCpu: [4, "uint", "repeated"],
} as const satisfies MessageTable;
const THROTTLE_V1 = {
  periods: [1, "uint"],
  throttledPeriods: [2, "uint"],
  throttledTime: [3, "uint"],
} as const satisfies MessageTable;
const CPU_V1 = { usage: [1, CPU_USAGE_V1], throttling: [2, THROTTLE_V1] } as const satisfies MessageTable;
const MEMORY_ENTRY = {
  limit: [1, "uint"],
  usage: [2, "uint"],
  max: [3, "uint"],
  failcnt: [4, "uint"],
} as const satisfies MessageTable;
/** The fields up to 32 have the names that they have in memory.stat. */
export const MEMORY_V1 = {
  cache: [1, "uint"],
  rss: [2, "uint"],
  rss_huge: [3, "uint"],
  mapped_file: [4, "uint"],
  dirty: [5, "uint"],
  writeback: [6, "uint"],
  pgpgin: [7, "uint"],
  pgpgout: [8, "uint"],
  pgfault: [9, "uint"],
  pgmajfault: [10, "uint"],
  inactive_anon: [11, "uint"],
  active_anon: [12, "uint"],
  inactive_file: [13, "uint"],
  active_file: [14, "uint"],
  unevictable: [15, "uint"],
  hierarchical_memory_limit: [16, "uint"],
  hierarchical_memsw_limit: [17, "uint"],
  total_cache: [18, "uint"],
  total_rss: [19, "uint"],
  total_rss_huge: [20, "uint"],
  total_mapped_file: [21, "uint"],
  total_dirty: [22, "uint"],
  total_writeback: [23, "uint"],
  total_pgpgin: [24, "uint"],
  total_pgpgout: [25, "uint"],
  total_pgfault: [26, "uint"],
  total_pgmajfault: [27, "uint"],
  total_inactive_anon: [28, "uint"],
  total_active_anon: [29, "uint"],
  total_inactive_file: [30, "uint"],
  total_active_file: [31, "uint"],
  total_unevictable: [32, "uint"],
  usage: [33, MEMORY_ENTRY],
  swap: [34, MEMORY_ENTRY],
  kernel: [35, MEMORY_ENTRY],
  kernelTcp: [36, MEMORY_ENTRY],
} as const satisfies MessageTable;
const BLKIO_ENTRY = {
  op: [1, "string"],
  device: [2, "string"],
  major: [3, "uint"],
  minor: [4, "uint"],
  value: [5, "uint"],
} as const satisfies MessageTable;
const BLKIO = {
  serviceBytes: [1, BLKIO_ENTRY, "repeated"],
  serviced: [2, BLKIO_ENTRY, "repeated"],
  queued: [3, BLKIO_ENTRY, "repeated"],
  serviceTime: [4, BLKIO_ENTRY, "repeated"],
  waitTime: [5, BLKIO_ENTRY, "repeated"],
  merged: [6, BLKIO_ENTRY, "repeated"],
  time: [7, BLKIO_ENTRY, "repeated"],
  sectors: [8, BLKIO_ENTRY, "repeated"],
} as const satisfies MessageTable;
const HUGETLB_V1 = {
  usage: [1, "uint"],
  max: [2, "uint"],
  failcnt: [3, "uint"],
  pagesize: [4, "string"],
} as const satisfies MessageTable;
const OOM_CONTROL = {
  oomKillDisable: [1, "uint"],
  underOom: [2, "uint"],
  oomKill: [3, "uint"],
} as const satisfies MessageTable;
export const METRICS_V1 = {
  hugetlb: [1, HUGETLB_V1, "repeated"],
  pids: [2, PIDS],
  cpu: [3, CPU_V1],
  memory: [4, MEMORY_V1],
  blkio: [5, BLKIO],
  memoryOomControl: [9, OOM_CONTROL],
} as const satisfies MessageTable;

const PSI_DATA = {
  avg10: [1, "double"],
  avg60: [2, "double"],
  avg300: [3, "double"],
  total: [4, "uint"],
} as const satisfies MessageTable;
const PSI = { some: [1, PSI_DATA], full: [2, PSI_DATA] } as const satisfies MessageTable;
/** The fields that are numbers have the names that they have in cpu.stat. */
export const CPU_V2 = {
  usage_usec: [1, "uint"],
  user_usec: [2, "uint"],
  system_usec: [3, "uint"],
  nr_periods: [4, "uint"],
  nr_throttled: [5, "uint"],
  throttled_usec: [6, "uint"],
  psi: [7, PSI],
  nr_bursts: [8, "uint"],
  burst_usec: [9, "uint"],
} as const satisfies MessageTable;
/** Those up to 31, and 39 to 42, have the names that they have in memory.stat. */
export const MEMORY_V2 = {
  anon: [1, "uint"],
  file: [2, "uint"],
  kernel_stack: [3, "uint"],
  slab: [4, "uint"],
  sock: [5, "uint"],
  shmem: [6, "uint"],
  file_mapped: [7, "uint"],
  file_dirty: [8, "uint"],
  file_writeback: [9, "uint"],
  anon_thp: [10, "uint"],
  inactive_anon: [11, "uint"],
  active_anon: [12, "uint"],
  inactive_file: [13, "uint"],
  active_file: [14, "uint"],
  unevictable: [15, "uint"],
  slab_reclaimable: [16, "uint"],
  slab_unreclaimable: [17, "uint"],
  pgfault: [18, "uint"],
  pgmajfault: [19, "uint"],
  workingset_refault: [20, "uint"],
  workingset_activate: [21, "uint"],
  workingset_nodereclaim: [22, "uint"],
  pgrefill: [23, "uint"],
  pgscan: [24, "uint"],
  pgsteal: [25, "uint"],
  pgactivate: [26, "uint"],
  pgdeactivate: [27, "uint"],
  pglazyfree: [28, "uint"],
  pglazyfreed: [29, "uint"],
  thp_fault_alloc: [30, "uint"],
  thp_collapse_alloc: [31, "uint"],
  usage: [32, "uint"],
  usageLimit: [33, "uint"],
  swapUsage: [34, "uint"],
  swapLimit: [35, "uint"],
  maxUsage: [36, "uint"],
  swapMaxUsage: [37, "uint"],
  psi: [38, PSI],
  workingset_refault_anon: [39, "uint"],
  workingset_refault_file: [40, "uint"],
  workingset_activate_anon: [41, "uint"],
  workingset_activate_file: [42, "uint"],
} as const satisfies MessageTable;
const RDMA_ENTRY = {
  device: [1, "string"],
  hcaHandles: [2, "uint"],
  hcaObjects: [3, "uint"],
} as const satisfies MessageTable;
const RDMA = {
  current: [1, RDMA_ENTRY, "repeated"],
  limit: [2, RDMA_ENTRY, "repeated"],
} as const satisfies MessageTable;
const IO_ENTRY = {
  major: [1, "uint"],
  minor: [2, "uint"],
  rbytes: [3, "uint"],
  wbytes: [4, "uint"],
  rios: [5, "uint"],
  wios: [6, "uint"],
} as const satisfies MessageTable;
const IO = { usage: [1, IO_ENTRY, "repeated"], psi: [2, PSI] } as const satisfies MessageTable;
const HUGETLB_V2 = {
  current: [1, "uint"],
  max: [2, "uint"],
  pagesize: [3, "string"],
  failcnt: [4, "uint"],
} as const satisfies MessageTable;
/** By their names in memory.events. */
export const MEMORY_EVENTS = {
  low: [1, "uint"],
  high: [2, "uint"],
  max: [3, "uint"],
  oom: [4, "uint"],
  oom_kill: [5, "uint"],
  oom_group_kill: [6, "uint"],
} as const satisfies MessageTable;
export const METRICS_V2 = {
  pids: [1, PIDS],
  cpu: [2, CPU_V2],
  memory: [4, MEMORY_V2],
  rdma: [5, RDMA],
  io: [6, IO],
  hugetlb: [7, HUGETLB_V2, "repeated"],
  memoryEvents: [8, MEMORY_EVENTS],
} as const satisfies MessageTable;
