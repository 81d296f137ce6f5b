/** `reg pause` and `reg resume`: the freezer of the container's cgroup. */
import { RegError } from "../errors/errors.ts";
import { notPaused, pauseNotRunning } from "../errors/messages.ts";
import { Container, type Status } from "./container.ts";

/** Stops all processes of a container where they are. Throws RegError "container not running" in any other state. */
export function pause(root: string, id: string): void {
  withLocked(root, id, (container, status) => {
    if (status !== "running" && status !== "created") throw pauseNotRunning(status);
    requireCgroup(container);
    container.cgroup.freeze();
  });
}

/** Lets the processes of a paused container go on. Throws RegError "container not paused". */
export function resume(root: string, id: string): void {
  withLocked(root, id, (container, status) => {
    // A container that was created and then paused still shows as created.
    if (status !== "paused" && !(status === "created" && container.cgroup.isFrozen())) throw notPaused();
    container.cgroup.thaw();
  });
}

/** Runs `action` on a container that nobody else changes meanwhile. */
export function withLocked<T>(root: string, id: string, action: (container: Container, status: Status) => T): T {
  const container = Container.openLocked(root, id);
  try {
    return action(container, container.status());
  } finally {
    container.directory.close();
  }
}

export function hasCgroup({ state }: Container): boolean {
  return Object.keys(state.cgroup.paths).length > 0;
}

/** What works by cgroups alone can not be done to a container that has none. */
export function requireCgroup(container: Container): void {
  if (!hasCgroup(container))
    throw new RegError("ENOENT", `container ${container.state.id} was created without a cgroup`, {
      hint: "by it its processes are limited, and told from others",
    });
}
