/** `reg events`: what a container uses, and when memory ran out. The form is that of runc's events. */
import { RegError } from "../errors/errors.ts";
import { notRunning } from "../errors/messages.ts";
import * as C from "../libc/constants.ts";
import { withFd } from "../libc/file.ts";
import { poll } from "../libc/poll.ts";
import { openPidfd } from "../libc/process.ts";
import { type OomWatch, watchOom } from "../linux/cgroup/oom.ts";
import { type CgroupStats, readStats } from "../linux/cgroup/stats.ts";
import { nowMs } from "../linux/cgroup/wait.ts";
import { Container } from "./container.ts";

/** The statistics, and what runc's readers look for beside them. */
export interface EventStats extends CgroupStats {
  readonly intel_rdt: object;
  readonly network_interfaces: null;
}

export type Event =
  | { readonly type: "stats"; readonly id: string; readonly data: EventStats }
  | { readonly type: "oom"; readonly id: string };

/** What a container uses now. Throws RegError when it does not run. */
export function stats(root: string, id: string): Event {
  const container = Container.open(root, id);
  try {
    if (!container.isAlive()) throw notRunning();
    return statsOf(container);
  } finally {
    container.directory.close();
  }
}

function statsOf({ state }: Container): Event {
  return { type: "stats", id: state.id, data: { ...readStats(state.cgroup), intel_rdt: {}, network_interfaces: null } };
}

/** Reports statistics at every interval, and each time that memory ran out, until the container stops. */
export function watch(root: string, id: string, intervalMs: number, report: (event: Event) => void): void {
  const container = Container.open(root, id);
  try {
    const pidfd = openPidfd(container.state.pid ?? 0);
    if (pidfd === undefined) throw notRunning();
    withFd(pidfd, () => {
      if (!container.isAlive()) throw notRunning();
      const oom = tryWatchOom(container);
      try {
        serve(container, pidfd, oom, intervalMs, report);
      } finally {
        oom?.close();
      }
    });
  } finally {
    container.directory.close();
  }
}

/** A container without a memory cgroup has its other statistics all the same. */
function tryWatchOom(container: Container): OomWatch | undefined {
  try {
    return watchOom(container.state.cgroup);
  } catch (error) {
    if (error instanceof RegError && error.code === "ENOENT") return undefined;
    throw error;
  }
}

function serve(
  container: Container,
  pidfd: number,
  oom: OomWatch | undefined,
  intervalMs: number,
  report: (event: Event) => void,
): void {
  let gone = false;
  let nextMs = nowMs() + intervalMs;
  for (;;) {
    const waitMs = Math.min(Math.max(0, Math.ceil(nextMs - nowMs())), 0x7fff_ffff);
    const [ended = 0, signalled = 0] = poll(
      [
        [pidfd, C.POLLIN],
        [gone ? undefined : oom?.fd, C.POLLIN],
      ],
      waitMs,
    );
    if (signalled !== 0 && oom !== undefined) {
      const what = oom.next();
      if (what === "oom") report({ type: "oom", id: container.state.id });
      if (what === "gone") gone = true;
    }
    if (ended !== 0) return; // after the notice, which may tell why it ended
    if (nowMs() < nextMs) continue;
    report(statsOf(container));
    nextMs += intervalMs;
  }
}
