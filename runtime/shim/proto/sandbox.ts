/** The Sandbox service, and what CRI says of a pod. Source: containerd api/runtime/sandbox/v1/sandbox.proto; k8s.io/cri-api runtime/v1/api.proto. */
import type { MessageTable } from "../../linux/protobuf.ts";
import { ANY, MOUNT, TIMESTAMP } from "./common.ts";

export const CREATE_SANDBOX = {
  sandboxId: [1, "string"],
  bundlePath: [2, "string"],
  rootfs: [3, MOUNT, "repeated"],
  /** A PodSandboxConfig. */
  options: [4, ANY],
  netnsPath: [5, "string"],
  annotations: [6, "string", "map"],
} as const satisfies MessageTable;
export const SANDBOX = { sandboxId: [1, "string"] } as const satisfies MessageTable;
export const SANDBOX_STARTED = { pid: [1, "uint"], createdAt: [2, TIMESTAMP] } as const satisfies MessageTable;
const PLATFORM = {
  os: [1, "string"],
  architecture: [2, "string"],
  variant: [3, "string"],
} as const satisfies MessageTable;
export const SANDBOX_PLATFORM = { platform: [1, PLATFORM] } as const satisfies MessageTable;
export const STOP_SANDBOX = { sandboxId: [1, "string"], timeoutSecs: [2, "uint"] } as const satisfies MessageTable;
export const SANDBOX_EXITED = {
  exitStatus: [1, "uint"],
  exitedAt: [2, TIMESTAMP],
} as const satisfies MessageTable;
export const STATUS_OF_SANDBOX = { sandboxId: [1, "string"], verbose: [2, "bool"] } as const satisfies MessageTable;
export const SANDBOX_STATUS = {
  sandboxId: [1, "string"],
  pid: [2, "uint"],
  /** CRI's SANDBOX_READY or SANDBOX_NOTREADY. */
  state: [3, "string"],
  info: [4, "string", "map"],
  createdAt: [5, TIMESTAMP],
  exitedAt: [6, TIMESTAMP],
  extra: [7, ANY],
} as const satisfies MessageTable;
const METRIC = { timestamp: [1, TIMESTAMP], id: [2, "string"], data: [3, ANY] } as const satisfies MessageTable;
export const SANDBOX_METRICS = { metrics: [1, METRIC] } as const satisfies MessageTable;

/** NamespaceMode */
export const NAMESPACE_MODE = { pod: 0, container: 1, node: 2, target: 3 } as const;

const INT64 = { value: [1, "int"] } as const satisfies MessageTable;
export const ID_MAPPING = {
  hostId: [1, "uint"],
  containerId: [2, "uint"],
  length: [3, "uint"],
} as const satisfies MessageTable;
const USER_NAMESPACE = {
  mode: [1, "uint"],
  uids: [2, ID_MAPPING, "repeated"],
  gids: [3, ID_MAPPING, "repeated"],
} as const satisfies MessageTable;
const NAMESPACE_OPTION = {
  network: [1, "uint"],
  pid: [2, "uint"],
  ipc: [3, "uint"],
  usernsOptions: [5, USER_NAMESPACE],
} as const satisfies MessageTable;
const SECURITY_CONTEXT = {
  namespaceOptions: [1, NAMESPACE_OPTION],
  runAsUser: [3, INT64],
  runAsGroup: [8, INT64],
} as const satisfies MessageTable;
const LINUX_POD = {
  cgroupParent: [1, "string"],
  securityContext: [2, SECURITY_CONTEXT],
  sysctls: [3, "string", "map"],
} as const satisfies MessageTable;
const DNS = {
  servers: [1, "string", "repeated"],
  searches: [2, "string", "repeated"],
  options: [3, "string", "repeated"],
} as const satisfies MessageTable;
/** Of PodSandboxConfig what makes a difference here. */
export const POD_CONFIG = {
  hostname: [2, "string"],
  dnsConfig: [4, DNS],
  linux: [8, LINUX_POD],
} as const satisfies MessageTable;
