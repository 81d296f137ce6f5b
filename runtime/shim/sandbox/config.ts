/** The config.json of the process that holds a pod's namespaces, from what CRI says of the pod. Source: containerd internal/cri/server/podsandbox/sandbox_run_linux.go. */
import { readText } from "../../libc/file.ts";
import { capabilityNumber, hasCapability, permittedCapabilities } from "../../linux/capability.ts";
import type { Message } from "../../linux/protobuf.ts";
import { NAMESPACE_MODE, type POD_CONFIG } from "../proto/sandbox.ts";
import { unimplemented } from "../ttrpc/status.ts";
import { PAUSE } from "./files.ts";

type PodConfig = Message<typeof POD_CONFIG>;

/** As the image has it whose process does this elsewhere: a user whom nobody else is. */
const PAUSE_ID = 65535;
/** It ends last of the pod. */
const OOM_SCORE = -998;
const CPU_SHARES = 2;
/** What containerd 2 sets by itself: ports below 1024 and ping for all users of a pod. */
const SYSCTLS = { "net.ipv4.ip_unprivileged_port_start": "0", "net.ipv4.ping_group_range": "0 2147483647" };

/** Throws for a pod with a user namespace of its own. */
export function pauseConfig(id: string, netnsPath: string, { hostname, linux }: PodConfig): object {
  const { runAsUser, runAsGroup, namespaceOptions } = linux?.securityContext ?? {};
  const { network = 0, pid = 0, ipc = 0, usernsOptions } = namespaceOptions ?? {};
  if (usernsOptions !== undefined && usernsOptions.mode !== NAMESPACE_MODE.node)
    throw unimplemented('user namespaces: use the sandboxer "podsandbox" for pods that have one');
  const ownNetwork = network !== NAMESPACE_MODE.node;
  const namespaces = [
    { type: "mount" },
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
      user: { uid: runAsUser?.value ?? PAUSE_ID, gid: runAsGroup?.value ?? PAUSE_ID },
      noNewPrivileges: true,
      oomScoreAdj: oomScore(),
    },
    root: { path: "rootfs", readonly: true },
    ...(ownNetwork && hostname !== "" ? { hostname } : {}),
    annotations: { "io.kubernetes.cri.container-type": "sandbox", "io.kubernetes.cri.sandbox-id": id },
    linux: {
      namespaces,
      sysctl: ownNetwork ? { ...SYSCTLS, ...sysctls } : sysctls,
      resources: { cpu: { shares: CPU_SHARES }, devices: [{ allow: false, access: "rwm" }] },
      ...(cgroupParent === "" ? {} : { cgroupsPath: cgroupsPath(cgroupParent, id) }),
    },
  };
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
