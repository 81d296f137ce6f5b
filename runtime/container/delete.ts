/** `reg delete`: removes what `create` made (runtime-spec runtime.md, "Lifecycle" 11 to 13). */
import { RegError, SyscallError } from "../errors/errors.ts";
import { deleteRunning } from "../errors/messages.ts";
import * as C from "../libc/constants.ts";
import { withFd } from "../libc/file.ts";
import { poll } from "../libc/poll.ts";
import { openPidfd, signalPidfd } from "../libc/process.ts";
import { removeResctrl } from "../linux/resctrl.ts";
import { runHooksToTheEnd } from "../oci/hooks.ts";
import type { Plan } from "../oci/plan/plan.ts";
import { Container } from "./container.ts";
import { StateDirectory, type StateFile } from "./store.ts";

export interface DeleteOptions {
  readonly root: string;
  readonly id: string;
  /** Kills what runs, and is content when there is no such container. */
  readonly force: boolean;
  readonly warn?: (message: string) => void;
}

const SIGKILL = 9;

/** Deletes a stopped container, one that was created and never started, or with `force` any. */
export function deleteContainer({ root, id, force, warn }: DeleteOptions): void {
  let directory: StateDirectory;
  try {
    directory = StateDirectory.open(root, id);
    directory.lock(); // a create that is under way comes to its end first
  } catch (error) {
    if (force && error instanceof RegError && error.code === "ENOENT") return;
    throw error;
  }
  try {
    const state = force ? readOrWarn(directory, warn) : directory.read();
    if (state !== undefined) destroy(new Container(directory, state), force, warn);
    directory.remove();
  } finally {
    directory.close();
  }
}

/** What there is to know of a container whose state.json is damaged: what was known before it was made. */
function readOrWarn(directory: StateDirectory, warn: DeleteOptions["warn"]): StateFile | undefined {
  try {
    return directory.read();
  } catch (error) {
    if (!(error instanceof RegError)) throw error;
    warn?.(error.message);
    return directory.readFirst();
  }
}

/** Ends what is left of a container, and removes all but its directory. Throws for one that runs, unless `force`. */
export function destroy(container: Container, force: boolean, warn: DeleteOptions["warn"]): void {
  const status = container.status();
  if (!force && status !== "stopped" && status !== "created" && status !== "creating")
    throw deleteRunning(container.state.id, status);
  const { cgroup } = container;
  const { resctrl } = container.state;
  killInit(container);
  // Processes that init left behind, when it had no pid namespace; and those of a create that was killed.
  cgroup.killAll(SIGKILL);
  cgroup.destroy();
  if (resctrl !== undefined) removeResctrl(resctrl);
  runPoststop(container, warn);
}

/** Removes a container whose init has just ended, unless somebody else did: the end of `run`. */
export function removeStopped(container: Container, plan: Plan, warn: DeleteOptions["warn"]): void {
  const { cgroup, directory } = container;
  if (!directory.lockIfThere()) return;
  const { resctrl } = container.state;
  // With its own pid namespace, init took all other processes with it.
  if ((plan.namespaces.create & C.CLONE_NEWPID) === 0) cgroup.killAll(SIGKILL);
  cgroup.destroy();
  if (resctrl !== undefined) removeResctrl(resctrl);
  runPoststop(container, warn);
  directory.remove();
}

/** poststop hooks. Their failures are warnings: the container is gone whatever they say. */
export function runPoststop(container: Container, warn: DeleteOptions["warn"]): void {
  for (const failure of runHooksToTheEnd("poststop", container.state.hooks, container.describe("stopped")))
    warn?.(String(failure instanceof Error ? failure.message : failure));
}

/** Kills init and waits until the kernel says that it has ended, and with it its pid namespace. */
function killInit(container: Container): void {
  const { pid } = container.state;
  if (pid === undefined || !container.isAlive()) return;
  const pidfd = openPidfd(pid);
  if (pidfd === undefined) return;
  withFd(pidfd, () => {
    if (!container.isAlive()) return;
    signalPidfd(pidfd, SIGKILL);
    try {
      if (container.cgroup.isFrozen()) container.cgroup.thaw();
    } catch (error) {
      if (!(error instanceof SyscallError)) throw error;
    }
    poll([[pidfd, C.POLLIN]], 10_000);
  });
}
