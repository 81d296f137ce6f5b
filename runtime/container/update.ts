/** `reg update`: changes the limits of a container's cgroup while it runs. */
import { notRunning } from "../errors/messages.ts";
import { writeSchemata } from "../linux/resctrl.ts";
import type { LinuxResources } from "../oci/config.ts";
import { planUpdate } from "../oci/plan/cgroup/plan.ts";
import * as systemd from "../oci/plan/cgroup/systemd.ts";
import { requireCgroup, withLocked } from "./pause.ts";

/** Sets the limits that `resources` names, and schemata of resctrl; others, and the devices, stay. Throws RegError with the field that was refused. */
export function update(root: string, id: string, resources: LinuxResources, schemata: readonly string[] = []): void {
  withLocked(root, id, (container, status) => {
    if (status === "stopped" || status === "creating") throw notRunning();
    requireCgroup(container);
    for (const lines of schemata) if (lines !== "") writeSchemata(container.state.resctrl, lines);
    container.cgroup.apply(planUpdate(resources, container.state.cgroup, systemd));
  });
}
