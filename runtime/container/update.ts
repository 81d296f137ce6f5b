/** `reg update`: changes the limits of a container's cgroup while it runs. */
import { notRunning } from "../errors/messages.ts";
import type { LinuxResources } from "../oci/config.ts";
import { planUpdate } from "../oci/plan/cgroup/plan.ts";
import * as systemd from "../oci/plan/cgroup/systemd.ts";
import { requireCgroup, withLocked } from "./pause.ts";

/** Sets the limits that `resources` names; others, and the devices, stay. Throws RegError with the field that was refused. */
export function update(root: string, id: string, resources: LinuxResources): void {
  withLocked(root, id, (container, status) => {
    if (status === "stopped" || status === "creating") throw notRunning();
    requireCgroup(container);
    container.cgroup.apply(planUpdate(resources, container.state.cgroup, systemd));
  });
}
