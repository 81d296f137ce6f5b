/** What /proc says of another process. Source: proc(5), "/proc/pid/stat". */
import { readTextIfExists } from "../libc/file.ts";

export interface ProcessStatus {
  /** "R", "S", "Z" ... */
  readonly state: string;
  /** Ticks since boot: with the pid, it names a process for good. */
  readonly startTime: number;
}

/** undefined when there is no process of this id. */
export function processStatus(pid: number): ProcessStatus | undefined {
  const text = readTextIfExists(`/proc/${pid}/stat`);
  if (text === undefined || text === "") return undefined;
  // The name in parentheses may hold spaces and parentheses itself.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ", 20);
  return { state: fields[0] ?? "", startTime: Number(fields[19]) };
}

/** True while the process that had this pid at this start time runs; a zombie has ended. */
export function isAlive(pid: number, startTime: number): boolean {
  const status = processStatus(pid);
  return status !== undefined && status.startTime === startTime && status.state !== "Z" && status.state !== "X";
}
