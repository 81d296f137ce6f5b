/** Pipes between a process and the shim. */
import { checked } from "../../libc/call.ts";
import * as C from "../../libc/constants.ts";
import { close } from "../../libc/file.ts";
import { libc } from "../../libc/libc.ts";
import { Struct } from "../../libc/memory.ts";

/** pipe2(2), close-on-exec: [reading end, writing end]. */
export function pipe(): readonly [number, number] {
  const ends = new Struct(8);
  checked(libc.pipe2(ends.bytes, C.O_CLOEXEC), "pipe2(2)", "a standard stream");
  return [ends.i32(0), ends.i32(4)];
}

/** So many pipes; nothing is open when one of them can not be made. */
export function pipes(count: number): (readonly [number, number])[] {
  const made: (readonly [number, number])[] = [];
  try {
    while (made.length < count) made.push(pipe());
  } catch (error) {
    for (const end of made.flat()) close(end);
    throw error;
  }
  return made;
}

/** Sets O_NONBLOCK. Returns the descriptor. */
export function unblock(fd: number): number {
  checked(libc.fcntl(fd, C.F_SETFL, libc.fcntl(fd, C.F_GETFL, 0) | C.O_NONBLOCK), "fcntl(2)", "O_NONBLOCK");
  return fd;
}
