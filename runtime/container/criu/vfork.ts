/**
 * Stops a container's processes for CRIU in a moment when none of them waits in vfork(2). Such a process, as busybox, dash, Go and
 * posix_spawn(3) make them, waits in the kernel until its child has begun another program, and CRIU has stopped that child: it would wait
 * for it in vain, and refuse after ten seconds ("Unseizable non-zombie"). Source: kernel/fork.c, wait_for_vfork_done.
 */
import { EACCES, ENOENT, EPERM } from "../../errors/errno.ts";
import * as C from "../../libc/constants.ts";
import { isErrno, open, readDirectory, readTextIfExists, withFd } from "../../libc/file.ts";
import type { Cgroup } from "../../linux/cgroup/cgroup.ts";
import { napUs, nowMs } from "../../linux/cgroup/wait.ts";

/** A child that takes longer until it begins its program waits for something else; CRIU says then which process it is. */
const PATIENCE_MS = 5000;
const FIRST_NAP_US = 200;
const LONGEST_NAP_US = 20_000;

/** The system calls in whose midst a process may wait for its child. x86-64 alone has one of that name. */
const MAY_BE_VFORK: readonly number[] = [
  C.SYS_clone,
  C.SYS_clone3,
  ...(C.SYS_vfork === undefined ? [] : [C.SYS_vfork]),
];

/**
 * Freezes the cgroup, calls `action`, and thaws it again, unless it was frozen before; then it is thawed for moments, as long as a process
 * waits. Throws RegError ETIMEDOUT, without a call, when the processes can not be frozen.
 */
export function withoutVfork<T>(cgroup: Cgroup, action: () => T): T {
  const paused = cgroup.isFrozen();
  try {
    cgroup.freeze();
    const deadlineMs = nowMs() + PATIENCE_MS;
    for (let napping = FIRST_NAP_US; cgroup.pids().some(waits) && nowMs() < deadlineMs; napping = longer(napping)) {
      cgroup.thaw();
      napUs(napping);
      cgroup.freeze();
    }
    return action();
  } finally {
    if (!paused) cgroup.thaw();
  }
}

/** Of no even length, or one that makes the same all the time is met at the same place all the time. */
function longer(us: number): number {
  return Math.min(us * 1.5, LONGEST_NAP_US) * (0.7 + 0.3 * Math.random());
}

/** Whether a thread of a frozen process may wait in vfork. One that has just made a thread looks the same. */
function waits(pid: number): boolean {
  try {
    const threads = withFd(open(`/proc/${pid}/task`, C.O_RDONLY | C.O_DIRECTORY), readDirectory);
    return threads.some(({ name }) => {
      const call = Number.parseInt(readTextIfExists(`/proc/${pid}/task/${name}/syscall`) ?? "", 10);
      return MAY_BE_VFORK.includes(call);
    });
  } catch (error) {
    // It has ended, or it is not for us to see; then CRIU has to say.
    if (isErrno(error, ENOENT, EACCES, EPERM)) return false;
    throw error;
  }
}
