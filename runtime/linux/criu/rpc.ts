/**
 * The messages of CRIU's RPC, as far as reg uses them. Source: CRIU images/rpc.proto, as of CRIU 4.2; the field numbers are the
 * protocol. It is proto2: "explicit" fields are written also when they are 0 or false, because CRIU would take something else
 * for what is absent.
 */
import type { GivenMessage, Message, MessageTable } from "../protobuf.ts";

/** enum criu_req_type */
export const REQUEST = {
  dump: 1,
  restore: 2,
  preDump: 4,
  notify: 6,
  featureCheck: 9,
  version: 10,
} as const;

/** enum criu_cg_mode, by the names that runc and crun take. */
export const CGROUP_MODES = { ignore: 0, none: 1, props: 2, soft: 3, full: 4, strict: 5 } as const;

/** enum criu_network_lock_method */
export const NETWORK_LOCKS = { iptables: 1, nftables: 2, skip: 3 } as const;

const PAGE_SERVER = { address: [1, "string"], port: [2, "int"] } as const satisfies MessageTable;
const EXTERNAL_MOUNT = { key: [1, "string"], value: [2, "string"] } as const satisfies MessageTable;
const JOINED_NAMESPACE = { type: [1, "string"], path: [2, "string"] } as const satisfies MessageTable;
const INHERITED = { key: [1, "string"], fd: [2, "int", "explicit"] } as const satisfies MessageTable;
const CGROUP_ROOT = { controller: [1, "string", "explicit"], path: [2, "string"] } as const satisfies MessageTable;

/** criu_opts */
export const OPTIONS = {
  imagesDirFd: [1, "int", "explicit"],
  pid: [2, "int"],
  leaveRunning: [3, "bool"],
  externalUnixSockets: [4, "bool"],
  tcpEstablished: [5, "bool"],
  evasiveDevices: [6, "bool"],
  shellJob: [7, "bool"],
  fileLocks: [8, "bool"],
  logLevel: [9, "int"],
  logFile: [10, "string"],
  pageServer: [11, PAGE_SERVER],
  notifyScripts: [12, "bool"],
  root: [13, "string"],
  parentImages: [14, "string"],
  trackMemory: [15, "bool"],
  autoDedup: [16, "bool"],
  workDirFd: [17, "int"],
  linkRemap: [18, "bool"],
  externalMounts: [23, EXTERNAL_MOUNT, "repeated"],
  /** Before there were modes; it has to be true for them to count. */
  manageCgroups: [24, "bool"],
  cgroupRoots: [25, CGROUP_ROOT, "repeated"],
  /** The restored process becomes a child of the caller. */
  restoreSibling: [26, "bool"],
  inherited: [27, INHERITED, "repeated"],
  manageCgroupsMode: [34, "uint", "explicit"],
  external: [37, "string", "repeated"],
  /** CLONE_NEW* of namespaces of which only the existence is kept. */
  emptyNamespaces: [38, "uint"],
  joinedNamespaces: [39, JOINED_NAMESPACE, "repeated"],
  freezeCgroup: [44, "string"],
  tcpSkipInFlight: [46, "bool"],
  lazyPages: [48, "bool"],
  orphanPtsMaster: [50, "bool"],
  configFile: [51, "string"],
  tcpClose: [52, "bool"],
  lsmProfile: [53, "string"],
  lsmMountContext: [63, "string"],
  networkLock: [64, "uint"],
} as const satisfies MessageTable;

export type Options = GivenMessage<typeof OPTIONS>;

const FEATURES = { memoryTracking: [1, "bool"], lazyPages: [2, "bool"] } as const satisfies MessageTable;

/** criu_req */
export const REQUEST_MESSAGE = {
  type: [1, "uint"],
  options: [2, OPTIONS],
  notifySuccess: [3, "bool", "explicit"],
  keepOpen: [4, "bool"],
  features: [5, FEATURES],
} as const satisfies MessageTable;

export type Request = GivenMessage<typeof REQUEST_MESSAGE>;

/** criu_resp */
export const RESPONSE_MESSAGE = {
  type: [1, "uint"],
  success: [2, "bool"],
  restore: [4, { pid: [1, "int"] }],
  notify: [5, { script: [1, "string"], pid: [2, "int"] }],
  errno: [7, "int"],
  features: [8, FEATURES],
  errorMessage: [9, "string"],
  version: [10, { major: [1, "int"], minor: [2, "int"], sublevel: [4, "int"] }],
} as const satisfies MessageTable;

export type Response = Message<typeof RESPONSE_MESSAGE>;
export type Features = Message<typeof FEATURES>;
