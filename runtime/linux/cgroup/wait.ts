/** Waiting for the kernel: changes of a control file, exits of processes, and short naps where it tells nobody. */
import { host } from "#host";
import { EINTR, ENODEV, ENOENT } from "../../errors/errno.ts";
import { SyscallError } from "../../errors/errors.ts";
import * as C from "../../libc/constants.ts";
import { close, isErrno, open, read } from "../../libc/file.ts";
import { libc } from "../../libc/libc.ts";
import { Struct } from "../../libc/memory.ts";

const CLOCK_MONOTONIC = 1;
const POLLPRI = 2;

export function nowMs(): number {
  const time = new Struct(16);
  libc.clock_gettime(CLOCK_MONOTONIC, time.bytes);
  return time.u64(0) * 1000 + time.u64(8) / 1_000_000;
}

export function napUs(us: number): void {
  const time = new Struct(16);
  time.setU64(0, Math.floor(us / 1_000_000)).setU64(8, (us % 1_000_000) * 1000);
  libc.nanosleep(time.bytes, null);
}

/** poll(2). Returns the indexes of the descriptors that are ready; none after the time. */
function poll(fds: readonly number[], events: number, timeoutMs: number): number[] {
  const table = new Struct(fds.length * 8);
  fds.forEach((fd, index) => {
    table.setI32(index * 8, fd).setU16(index * 8 + 4, events);
  });
  const count = libc.poll(table.bytes, fds.length, Math.max(0, Math.ceil(timeoutMs)));
  if (count === -1 && host.errno() !== EINTR) throw new SyscallError("poll(2)", "cgroup", host.errno());
  return fds.flatMap((_, index) => (count > 0 && table.u16(index * 8 + 6) !== 0 ? [index] : []));
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
      poll([fd], POLLPRI, rest);
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
      const exited = poll(waiting, C.POLLIN, rest);
      waiting = waiting.filter((_, index) => !exited.includes(index));
    }
  } finally {
    for (const fd of fds) close(fd);
  }
}
