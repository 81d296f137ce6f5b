/** The config.json of the process that holds a pod's namespaces, from what CRI says of the pod. Source: containerd internal/cri/server/podsandbox/sandbox_run_linux.go. */
import { readText } from "../../libc/file.ts";
import { capabilityNumber, hasCapability, permittedCapabilities } from "../../linux/capability.ts";
import type { Message } from "../../linux/protobuf.ts";
import { type ID_MAPPING, NAMESPACE_MODE, type POD_CONFIG } from "../proto/sandbox.ts";
import { invalidArgument } from "../ttrpc/status.ts";
import { PAUSE } from "./pause.ts";

type PodConfig = Message<typeof POD_CONFIG>;
type IdMapping = Message<typeof ID_MAPPING>;

const PROC = { destination: "/proc", type: "proc", source: "proc", options: ["nosuid", "noexec", "nodev"] };

export interface PodIds {
  readonly uids: readonly IdMapping[];
  readonly gids: readonly IdMapping[];
  /** The pod's root, as the host has it. */
  readonly root: { readonly uid: number; readonly gid: number };
}

/** As the image has it whose process does this elsewhere: a user whom nobody else is. */
const PAUSE_ID = 65535;
/** It ends last of the pod. */
const OOM_SCORE = -998;
const CPU_SHARES = 2;
/** What containerd 2 sets by itself: ports below 1024 and ping for all users of a pod. In a user namespace these groups do not exist. */
const PORTS = { "net.ipv4.ip_unprivileged_port_start": "0" };
const PING = { "net.ipv4.ping_group_range": "0 2147483647" };

/** Which ids of the host those of a pod are that has a user namespace of its own. Throws for a mapping without root. */
export function podIds({ linux }: PodConfig): PodIds | undefined {
  const { usernsOptions } = linux?.securityContext?.namespaceOptions ?? {};
  if (usernsOptions === undefined || usernsOptions.mode === NAMESPACE_MODE.node) return undefined;
  const { mode, uids, gids } = usernsOptions;
  const [uid, gid] = [hostId(uids, 0), hostId(gids, 0)];
  if (mode !== NAMESPACE_MODE.pod || uid === undefined || gid === undefined)
    throw invalidArgument("user namespaces: a pod's is its own, and maps the ids 0");
  return { uids, gids, root: { uid, gid } };
}

function hostId(mappings: readonly IdMapping[], id: number): number | undefined {
  const mapping = mappings.find(({ containerId, length }) => id >= containerId && id < containerId + length);
  return mapping === undefined ? undefined : mapping.hostId + id - mapping.containerId;
}

export function pauseConfig(id: string, netnsPath: string, config: PodConfig): object {
  const { hostname, linux } = config;
  const { runAsUser, runAsGroup, namespaceOptions } = linux?.securityContext ?? {};
  const { network = 0, pid = 0, ipc = 0 } = namespaceOptions ?? {};
  const ids = podIds(config);
  const nobodyElse = (mappings: readonly IdMapping[] | undefined) =>
    mappings === undefined || hostId(mappings, PAUSE_ID) !== undefined ? PAUSE_ID : 0;
  const ownNetwork = network !== NAMESPACE_MODE.node;
  const namespaces = [
    { type: "mount" },
    ...(ids === undefined ? [] : [{ type: "user" }]),
    ...(ownNetwork
      ? [{ type: "uts" }, netnsPath === "" ? { type: "network" } : { type: "network", path: netnsPath }]
      : []),
    ...(pid === NAMESPACE_MODE.node ? [] : [{ type: "pid" }]),
    ...(ipc === NAMESPACE_MODE.node ? [] : [{ type: "ipc" }]),
  ];
  const { cgroupParent = "", sysctls = {} } = linux ?? {};
  return {
    ociVersion: "1.1.0",
    process: {
      args: [PAUSE],
      cwd: "/",
      user: { uid: runAsUser?.value ?? nobodyElse(ids?.uids), gid: runAsGroup?.value ?? nobodyElse(ids?.gids) },
      noNewPrivileges: true,
      oomScoreAdj: oomScore(),
    },
    root: { path: "rootfs", readonly: true },
    // Containers that share the pod's processes take their /proc from there, see linux/procfs.ts.
    ...(pid === NAMESPACE_MODE.pod ? { mounts: [PROC] } : {}),
    ...(ownNetwork && hostname !== "" ? { hostname } : {}),
    annotations: { "io.kubernetes.cri.container-type": "sandbox", "io.kubernetes.cri.sandbox-id": id },
    linux: {
      namespaces,
      ...(ids === undefined ? {} : { uidMappings: ociMappings(ids.uids), gidMappings: ociMappings(ids.gids) }),
      sysctl: { ...(ownNetwork ? PORTS : {}), ...(ownNetwork && ids === undefined ? PING : {}), ...sysctls },
      resources: { cpu: { shares: CPU_SHARES }, devices: [{ allow: false, access: "rwm" }] },
      ...(cgroupParent === "" ? {} : { cgroupsPath: cgroupsPath(cgroupParent, id) }),
    },
  };
}

function ociMappings(mappings: readonly IdMapping[]): object[] {
  return mappings.map(({ hostId: hostID, containerId: containerID, length: size }) => ({ containerID, hostID, size }));
}

/** A slice of systemd's, or a path. */
function cgroupsPath(parent: string, id: string): string {
  const name = parent.slice(parent.lastIndexOf("/") + 1);
  return name.endsWith(".slice") ? `${name}:cri-containerd:${id}` : `${parent}/${id}`;
}

/** Without the right to lower it, it stays what it is. */
function oomScore(): number {
  const may = hasCapability(permittedCapabilities(), capabilityNumber("CAP_SYS_RESOURCE"));
  return may ? OOM_SCORE : Math.max(OOM_SCORE, Number(readText("/proc/self/oom_score_adj")));
}
