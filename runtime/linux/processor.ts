/** Which processor a process runs on. Source: sched_setaffinity(2), getcpu(2), proc_loadavg(5). */
import * as C from "../libc/constants.ts";
import { readText } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import { Struct } from "../libc/memory.ts";

/** cpu_set_t of 8192 processors, the most that Linux has. */
export const CPU_SET_SIZE = 1024;

/** Whether this process is the only one that wants a processor, so that every other processor is idle. */
export function runsAlone(): boolean {
  return readText("/proc/loadavg").includes(" 1/"); // "0.20 0.18 0.12 1/80 11206": 1 of 80 threads
}

/**
 * Moves a process of ours off the processor that this one runs on, until its affinity is set anew. For a clone that has
 * work to do at the same time: some kernels start it on its parent's processor, to wait there while others are idle. Nothing
 * happens where there is no other.
 */
export function moveAside(pid: number): void {
  const set = new Uint8Array(CPU_SET_SIZE);
  const own = new Struct(4);
  const size = libc.sched_getaffinity(0, set.length, set);
  if (size === -1 || libc.syscall(C.SYS_getcpu, own.bytes, null, 0, 0, 0) === -1) return;
  const processor = own.u32(0);
  set[processor >> 3] = (set[processor >> 3] ?? 0) & ~(1 << (processor & 7));
  libc.sched_setaffinity(pid, set.length, set);
}
