/**
 * How the kernel schedules the process: CPU, I/O, memory nodes, execution domain.
 * Source: sched(7), ioprio_set(2), set_mempolicy(2), personality(2).
 */
import { host } from "#host";
import { at, RegError, SyscallError } from "../../errors/errors.ts";
import { checked } from "../../libc/call.ts";
import * as C from "../../libc/constants.ts";
import { libc } from "../../libc/libc.ts";
import { Struct } from "../../libc/memory.ts";
import { SCHED_ATTR } from "../../libc/structs.ts";
import { CPU_SET_SIZE } from "../../linux/processor.ts";
import type { IoPriorityClass, MemoryPolicy, SchedulerFlag, SchedulerPolicy } from "../../oci/config.ts";
import { MEMORY_POLICY_FLAGS, MEMORY_POLICY_MODES } from "../../oci/plan/memory-policy.ts";
import type { ProcessPlan } from "../../oci/plan/process.ts";

// biome-ignore format: a table
const POLICIES: Readonly<Record<SchedulerPolicy, number>> = {
  SCHED_OTHER: 0, SCHED_FIFO: 1, SCHED_RR: 2, SCHED_BATCH: 3, SCHED_ISO: 4, SCHED_IDLE: 5, SCHED_DEADLINE: 6,
};
// biome-ignore format: a table
const FLAGS: Readonly<Record<SchedulerFlag, number>> = {
  SCHED_FLAG_RESET_ON_FORK: 0x01, SCHED_FLAG_RECLAIM: 0x02, SCHED_FLAG_DL_OVERRUN: 0x04, SCHED_FLAG_KEEP_POLICY: 0x08,
  SCHED_FLAG_KEEP_PARAMS: 0x10, SCHED_FLAG_UTIL_CLAMP_MIN: 0x20, SCHED_FLAG_UTIL_CLAMP_MAX: 0x40,
};
const IO_CLASSES: Readonly<Record<IoPriorityClass, number>> = {
  IOPRIO_CLASS_RT: 1,
  IOPRIO_CLASS_BE: 2,
  IOPRIO_CLASS_IDLE: 3,
};
const IOPRIO_WHO_PROCESS = 1;
const IOPRIO_CLASS_SHIFT = 13;

/** Whether a clone does not have this scheduling: sched(7), SCHED_DEADLINE (which may not clone at all) and the reset-on-fork flag. */
export function isLostByClone(scheduler: ProcessPlan["scheduler"]): boolean {
  if (scheduler === undefined) return false;
  return scheduler.policy === "SCHED_DEADLINE" || (scheduler.flags ?? []).includes("SCHED_FLAG_RESET_ON_FORK");
}

/** Applies process.scheduler and process.ioPriority; needs CAP_SYS_NICE for most of it, so it comes before the user changes. */
export function setScheduling({ scheduler, ioPriority }: ProcessPlan): void {
  if (scheduler !== undefined) {
    const attributes = new Struct(SCHED_ATTR.size)
      .setU32(SCHED_ATTR.size_field, SCHED_ATTR.size)
      .setU32(SCHED_ATTR.sched_policy, POLICIES[scheduler.policy])
      .setU64(
        8,
        (scheduler.flags ?? []).reduce((set, flag) => set | FLAGS[flag], 0),
      )
      .setI32(SCHED_ATTR.sched_nice, scheduler.nice ?? 0)
      .setU32(SCHED_ATTR.sched_priority, scheduler.priority ?? 0)
      .setU64(SCHED_ATTR.sched_runtime, scheduler.runtime ?? 0)
      .setU64(SCHED_ATTR.sched_deadline, scheduler.deadline ?? 0)
      .setU64(SCHED_ATTR.sched_period, scheduler.period ?? 0);
    at("/process/scheduler", () =>
      checked(libc.syscall(C.SYS_sched_setattr, 0, attributes.bytes, 0, 0, 0), "sched_setattr(2)", scheduler.policy),
    );
  }
  if (ioPriority !== undefined) {
    const value = (IO_CLASSES[ioPriority.class] << IOPRIO_CLASS_SHIFT) | (ioPriority.priority ?? 0);
    at("/process/ioPriority", () =>
      checked(libc.syscall(C.SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, value, 0, 0), "ioprio_set(2)", ioPriority.class),
    );
  }
}

const PER_LINUX = 0x0000;
const PER_LINUX32 = 0x0008;

/** linux.personality; set before seccomp, whose profiles often forbid personality(2). */
export function setPersonality(personality: { readonly domain: string } | undefined): void {
  if (personality === undefined) return;
  if (libc.personality(personality.domain === "LINUX32" ? PER_LINUX32 : PER_LINUX) === -1)
    throw new SyscallError("personality(2)", personality.domain, host.errno(), { field: "/linux/personality/domain" });
}

/** The set of a list such as "0-3,7", one bit for each number. Empty elements are nothing, as runc has it. */
function bitSet(list: string, sizeBytes: number, field: string, what: string): Uint8Array {
  const set = new Uint8Array(sizeBytes);
  for (const part of list.split(",")) {
    if (part.trim() === "") continue;
    const range = /^\s*(\d{1,4})(?:-(\d{1,4}))?\s*$/.exec(part);
    const first = Number(range?.[1]);
    const last = Number(range?.[2] ?? first);
    if (range === null || first > last || last >= sizeBytes * 8)
      throw new RegError("EINVAL", `${JSON.stringify(list)} is not a list of ${what}`, {
        field,
        hint: `a list such as 0-3,7, of numbers below ${sizeBytes * 8}`,
      });
    for (let bit = first; bit <= last; bit++) set[bit >> 3] = (set[bit >> 3] ?? 0) | (1 << (bit & 7));
  }
  return set;
}

/** Confines this process to the processors of a list such as "0-3,7". Source: sched_setaffinity(2). */
export function setAffinity(list: string, field: string): void {
  const set = bitSet(list, CPU_SET_SIZE, field, "processors");
  at(field, () => checked(libc.sched_setaffinity(0, CPU_SET_SIZE, set), "sched_setaffinity(2)", list));
}

/** Lets this process run on all processors that its cgroup allows; where that is not permitted, it stays as it is. */
export function resetAffinity(): void {
  libc.sched_setaffinity(0, CPU_SET_SIZE, new Uint8Array(CPU_SET_SIZE).fill(0xff));
}

/** nodemask_t of 1024 memory nodes, the most that Linux has. */
const NODE_SET_SIZE = 128;

/** Where the memory of this process, and of those it starts, is taken from. Source: set_mempolicy(2). */
export function setMemoryPolicy(policy: MemoryPolicy | undefined): void {
  if (policy === undefined) return;
  const { mode, nodes = "", flags = [] } = policy;
  const set = nodes === "" ? null : bitSet(nodes, NODE_SET_SIZE, "/linux/memoryPolicy/nodes", "memory nodes");
  const value = flags.reduce((bits, flag) => bits | MEMORY_POLICY_FLAGS[flag], MEMORY_POLICY_MODES[mode]);
  const size = set === null ? 0 : NODE_SET_SIZE * 8 + 1; // the kernel takes one off
  at("/linux/memoryPolicy", () =>
    checked(libc.syscall(C.SYS_set_mempolicy, value, set, size, 0, 0), "set_mempolicy(2)", `${mode} ${nodes}`.trim()),
  );
}
