/** The network of a container that is being created: its namespace, and the devices that move into it. */

import type { NewTask } from "../init/spawn.ts";
import type { RuntimeChannel } from "../init/spawned.ts";
import * as C from "../libc/constants.ts";
import { open, withFd } from "../libc/file.ts";
import { type MovedDevice, moveDevices, type NetDevicePlan } from "../linux/net-device.ts";
import { makeNetworkNamespace } from "../linux/network.ts";
import type { Plan } from "../oci/plan/plan.ts";

/** Makes the namespace for init, if that is for the runtime to do, and moves devices. Returns those, for init to set up. */
export function giveNetwork(
  { plan, networkByRuntime }: NewTask,
  pid: number,
  channel: RuntimeChannel,
): readonly MovedDevice[] | undefined {
  const { netDevices } = plan;
  if (!networkByRuntime) return netDevices === undefined ? undefined : moveInto(netDevices, plan, pid);
  return withFd(makeNetworkNamespace(), (network) => {
    const moved = netDevices === undefined ? undefined : moveDevices(netDevices, network);
    channel.tell({ type: "network" }, [network]);
    return moved;
  });
}

/** Moves devices into the network namespace that init was born in or joins. */
export function moveInto(devices: readonly NetDevicePlan[], plan: Plan, pid: number): MovedDevice[] {
  const joined = plan.namespaces.join.find(({ type }) => type === "network")?.path;
  return withFd(open(joined ?? `/proc/${pid}/ns/net`, C.O_RDONLY), (namespace) => moveDevices(devices, namespace));
}
