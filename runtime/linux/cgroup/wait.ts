/** Waiting for the kernel: changes of a control file, exits of processes, and short naps where it tells nobody. */
import { host } from "#host";
import { ENODEV, ENOENT } from "../../errors/errno.ts";
import * as C from "../../libc/constants.ts";
import { close, isErrno, open, read } from "../../libc/file.ts";
import { libc } from "../../libc/libc.ts";
import { Struct } from "../../libc/memory.ts";
import { poll } from "../../libc/poll.ts";

const CLOCK_MONOTONIC = 1;
const POLLPRI = 2;

/** One for all: the shim's loop asks all the time. */
const clock = new Struct(16);

/** Milliseconds on a clock that is never set. */
export function nowMs(): number {
  libc.clock_gettime(CLOCK_MONOTONIC, clock.bytes); // fails for a clock that is not there only
  return clock.u64(0) * 1000 + clock.u64(8) / 1_000_000;
}

export function napUs(us: number): void {
  const time = new Struct(16);
  time.setU64(0, Math.floor(us / 1_000_000)).setU64(8, (us % 1_000_000) * 1000);
  libc.nanosleep(time.bytes, null);
}

/**
 * Reads a file of kernfs that wakes pollers, such as cgroup.events, until `done` accepts its text or the time is over.
 * Returns whether it did; true as well when the cgroup is gone.
 */
export function waitForControl(path: string, done: (text: string) => boolean, deadlineMs: number): boolean {
  let fd = -1;
  try {
    fd = open(path, C.O_RDONLY);
    const buffer = new Uint8Array(4096);
    for (;;) {
      libc.lseek(fd, 0, C.SEEK_SET);
      if (done(host.decode(buffer.subarray(0, read(fd, buffer))))) return true;
      const rest = deadlineMs - nowMs();
      if (rest <= 0) return false;
      poll([[fd, POLLPRI]], Math.ceil(rest));
    }
  } catch (error) {
    if (isErrno(error, ENOENT, ENODEV)) return true;
    throw error;
  } finally {
    if (fd >= 0) close(fd);
  }
}

/** Waits until every one of these processes has exited, or the time is over. Linux 5.3. */
export function waitForExits(pids: readonly number[], deadlineMs: number): void {
  const fds: number[] = [];
  try {
    for (const pid of pids.slice(0, 256)) {
      const fd = libc.syscall(C.SYS_pidfd_open, pid, 0, 0, 0, 0);
      if (fd >= 0) fds.push(fd);
    }
    let waiting = fds.slice();
    while (waiting.length > 0) {
      const rest = deadlineMs - nowMs();
      if (rest <= 0) return;
      const exited = poll(
        waiting.map((fd) => [fd, C.POLLIN]),
        Math.ceil(rest),
      );
      waiting = waiting.filter((_, index) => !exited[index]);
    }
  } finally {
    for (const fd of fds) close(fd);
  }
}
