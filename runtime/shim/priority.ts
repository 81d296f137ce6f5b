/**
 * The shim goes first: it has little to do and is waited for, by whoever wants to know a container's state while its containers keep the
 * processors busy. What it forks does not inherit that. Source: sched(7), sched_setattr(2).
 */
import * as C from "../libc/constants.ts";
import { readText, readTextIfExists, writeText } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import { Struct } from "../libc/memory.ts";
import { SCHED_ATTR } from "../libc/structs.ts";

const NICE = -10;
const SCHED_FLAG_RESET_ON_FORK = 1;

/** Where somebody chose a nice value for containerd, it stays; and where the shim may not. */
export function goFirst(): void {
  const [, rest = ""] = /.*\) (.*)/.exec(readText("/proc/self/stat")) ?? [];
  if (rest.split(" ")[16] !== "0") return; // field 19 of proc_pid_stat(5)
  const attributes = new Struct(SCHED_ATTR.size)
    .setU32(SCHED_ATTR.size_field, SCHED_ATTR.size)
    .setU64(SCHED_ATTR.sched_flags, SCHED_FLAG_RESET_ON_FORK)
    .setI32(SCHED_ATTR.sched_nice, NICE);
  if (libc.syscall(C.SYS_sched_setattr, 0, attributes.bytes, 0, 0, 0) === -1) return; // a user may not
  // In a session of its own it has, outside of cgroups, a share of its own, too.
  if (readTextIfExists("/proc/self/autogroup") !== undefined) writeText("/proc/self/autogroup", String(NICE));
}
