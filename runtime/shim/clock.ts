/** The time of day as containerd's messages have it. */
import { libc } from "../libc/libc.ts";
import { Struct } from "../libc/memory.ts";
import { TIMESPEC } from "../libc/structs.ts";

const CLOCK_REALTIME = 0;

/** A google.protobuf.Timestamp. */
export interface Time {
  readonly seconds: number;
  readonly nanos: number;
}

/** clock_gettime(2). */
export function now(): Time {
  const time = new Struct(TIMESPEC.size);
  libc.clock_gettime(CLOCK_REALTIME, time.bytes); // fails for a clock that is not there only
  return { seconds: time.u64(TIMESPEC.tv_sec), nanos: time.u64(TIMESPEC.tv_nsec) };
}
