/** `reg kill`: a signal to the container's init, or to all of its processes. */
import { RegError } from "../errors/errors.ts";
import { notRunning } from "../errors/messages.ts";
import { withFd } from "../libc/file.ts";
import { openPidfd, signalPidfd } from "../libc/process.ts";
import { Container } from "./container.ts";
import { hasCgroup, requireCgroup } from "./pause.ts";

export interface KillOptions {
  readonly root: string;
  readonly id: string;
  readonly signal: number;
  /** Every process in the cgroup; a container without processes is then no error. */
  readonly all: boolean;
}

const SIGKILL = 9;

/** Throws RegError "container not running" when init has ended, "does not exist" without a container. */
export function kill({ root, id, signal, all }: KillOptions): void {
  const container = Container.open(root, id);
  try {
    if (all) {
      requireCgroup(container);
      container.cgroup.killAll(signal);
    } else killContainer(container, signal);
  } finally {
    container.directory.close();
  }
}

/**
 * Signals init, through a pidfd whose process is known to be the right one: pids are used again. SIGKILL ends the whole container: where
 * init's end does not end the others, because it is not the first of its pid namespace, they are killed too, also when it has gone.
 */
export function killContainer(container: Container, signal: number): void {
  const { sharesPids, cgroup } = container.state;
  if (signal === SIGKILL && sharesPids === true && hasCgroup(container)) {
    if (container.cgroup.pids().length === 0) throw notRunning();
    container.cgroup.killAll(SIGKILL);
    return;
  }
  signalInit(container, isCreated(container) && ends(signal) ? SIGKILL : signal, cgroup.version);
}

/**
 * Whether init waits for `start`, and goes on waiting: with the lock, which `start` takes. Without it, somebody is at work on the
 * container, and the signal is just passed on.
 */
function isCreated({ directory }: Container): boolean {
  if (!directory.hasExecFifo() || !directory.tryLock()) return false;
  return directory.hasExecFifo();
}

/** Whether the signal ends a process by default, signal(7). As the first of its pid namespace, init would ignore it, but for SIGKILL. */
function ends(signal: number): boolean {
  return signal > 0 && !HARMLESS.includes(signal);
}

/** SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGWINCH */
const HARMLESS: readonly number[] = [17, 18, 19, 20, 21, 22, 23, 28];

function signalInit(container: Container, signal: number, cgroupVersion: 1 | 2): void {
  const { pid } = container.state;
  const pidfd = pid === undefined ? undefined : openPidfd(pid);
  if (pidfd === undefined) throw notRunning();
  withFd(pidfd, () => {
    if (!container.isAlive() || !signalPidfd(pidfd, signal)) throw notRunning();
    // A frozen process takes SIGKILL only when it thaws, on cgroup v1.
    if (signal === SIGKILL && cgroupVersion === 1) thawIfFrozen(container);
  });
}

function thawIfFrozen(container: Container): void {
  try {
    if (container.cgroup.isFrozen()) container.cgroup.thaw();
  } catch (error) {
    if (!(error instanceof RegError)) throw error; // without a freezer nothing is frozen
  }
}
