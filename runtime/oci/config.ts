/**
 * The documents of the runtime specification as types, all of them readonly. The types and the comments on their fields
 * are generated from oci-schemas/; what a field means for the container is said there, and in the specification.
 */
export type {
  BlockIo,
  BlockIoThrottle,
  BlockIoWeight,
  Capabilities,
  Config,
  ConsoleSize,
  Cpu,
  Device,
  DeviceRule,
  DeviceType,
  ExecCpuAffinity,
  Features,
  Hook,
  Hooks,
  HugepageLimit,
  IdMapping,
  IoPriority,
  IoPriorityClass,
  Linux,
  LinuxIntelRdt,
  LinuxResources,
  LinuxSeccomp,
  Memory,
  MemoryPolicy,
  MemoryPolicyFlag,
  MemoryPolicyMode,
  Mount,
  Namespace,
  NamespaceType,
  NetDevice,
  NetworkPriority,
  NetworkResources,
  Personality,
  Pids,
  Process,
  Rdma,
  Reg,
  RegWorkdir,
  RegWritable,
  Rlimit,
  RlimitType,
  Root,
  Scheduler,
  SchedulerFlag,
  SchedulerPolicy,
  SeccompAction,
  SeccompArg,
  SeccompOperator,
  SeccompSyscall,
  State,
  TimeOffset,
  User,
} from "./generated/types.generated.ts";

/** The exact integer of a Uint64 field, and 2^64-1 for the double that JSON.parse makes of it (RLIM_INFINITY). */
export function uint64(value: number): bigint {
  const exact = BigInt(value);
  return exact > 0xffff_ffff_ffff_ffffn ? 0xffff_ffff_ffff_ffffn : exact;
}
