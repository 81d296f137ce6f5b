/** `reg kill`: a signal to the container's init, or to all of its processes. */
import { RegError } from "../errors/errors.ts";
import { notRunning } from "../errors/messages.ts";
import { withFd } from "../libc/file.ts";
import { openPidfd, signalPidfd } from "../libc/process.ts";
import { Container } from "./container.ts";

export interface KillOptions {
  readonly root: string;
  readonly id: string;
  readonly signal: number;
  /** Every process in the cgroup; a container without processes is then no error. */
  readonly all: boolean;
}

/** Throws RegError "container not running" when init has ended, "does not exist" without a container. */
export function kill({ root, id, signal, all }: KillOptions): void {
  const container = Container.open(root, id);
  try {
    if (all) container.cgroup.killAll(signal);
    else killContainer(container, signal);
  } finally {
    container.directory.close();
  }
}

/** Signals init, through a pidfd whose process is known to be the right one: pids are used again. */
export function killContainer(container: Container, signal: number): void {
  const { pid } = container.state;
  const pidfd = pid === undefined ? undefined : openPidfd(pid);
  if (pidfd === undefined) throw notRunning();
  withFd(pidfd, () => {
    if (!container.isAlive() || !signalPidfd(pidfd, signal)) throw notRunning();
    // A frozen process takes SIGKILL only when it thaws, on cgroup v1.
    if (signal === 9 && container.state.cgroup.version === 1) thawIfFrozen(container);
  });
}

function thawIfFrozen(container: Container): void {
  try {
    if (container.cgroup.isFrozen()) container.cgroup.thaw();
  } catch (error) {
    if (!(error instanceof RegError)) throw error; // without a freezer nothing is frozen
  }
}
