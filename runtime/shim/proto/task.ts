/** The Task service, versions 2 and 3, which have the same messages. Source: containerd api/runtime/task/v2/shim.proto, api/types/task/task.proto. */
import type { MessageTable } from "../../linux/protobuf.ts";
import { ANY, MOUNT, TIMESTAMP } from "./common.ts";

/** containerd.v1.types.Status */
export const STATUS = { created: 1, running: 2, stopped: 3, paused: 4, pausing: 5 } as const;

/** A container, or with an exec_id one of its further processes. */
export const PROCESS = { id: [1, "string"], execId: [2, "string"] } as const satisfies MessageTable;
export const CONTAINER = { id: [1, "string"] } as const satisfies MessageTable;

export const CREATE = {
  id: [1, "string"],
  bundle: [2, "string"],
  rootfs: [3, MOUNT, "repeated"],
  terminal: [4, "bool"],
  stdin: [5, "string"],
  stdout: [6, "string"],
  stderr: [7, "string"],
  checkpoint: [8, "string"],
  parentCheckpoint: [9, "string"],
  options: [10, ANY],
} as const satisfies MessageTable;
export const PID = { pid: [1, "uint"] } as const satisfies MessageTable;

export const EXEC = {
  id: [1, "string"],
  execId: [2, "string"],
  terminal: [3, "bool"],
  stdin: [4, "string"],
  stdout: [5, "string"],
  stderr: [6, "string"],
  spec: [7, ANY],
} as const satisfies MessageTable;

export const DELETED = {
  pid: [1, "uint"],
  exitStatus: [2, "uint"],
  exitedAt: [3, TIMESTAMP],
} as const satisfies MessageTable;
export const WAITED = { exitStatus: [1, "uint"], exitedAt: [2, TIMESTAMP] } as const satisfies MessageTable;

export const STATE = {
  id: [1, "string"],
  bundle: [2, "string"],
  pid: [3, "uint"],
  status: [4, "uint"],
  stdin: [5, "string"],
  stdout: [6, "string"],
  stderr: [7, "string"],
  terminal: [8, "bool"],
  exitStatus: [9, "uint"],
  exitedAt: [10, TIMESTAMP],
  execId: [11, "string"],
} as const satisfies MessageTable;

export const RESIZE = {
  id: [1, "string"],
  execId: [2, "string"],
  width: [3, "uint"],
  height: [4, "uint"],
} as const satisfies MessageTable;
export const CLOSE_IO = {
  id: [1, "string"],
  execId: [2, "string"],
  stdin: [3, "bool"],
} as const satisfies MessageTable;
export const KILL = {
  id: [1, "string"],
  execId: [2, "string"],
  signal: [3, "uint"],
  all: [4, "bool"],
} as const satisfies MessageTable;

export const PROCESS_INFO = { pid: [1, "uint"], info: [2, ANY] } as const satisfies MessageTable;
export const PIDS = { processes: [1, PROCESS_INFO, "repeated"] } as const satisfies MessageTable;
/** containerd.runc.v1.ProcessDetails */
export const PROCESS_DETAILS = { execId: [1, "string"] } as const satisfies MessageTable;

export const CHECKPOINT = { id: [1, "string"], path: [2, "string"], options: [3, ANY] } as const satisfies MessageTable;
export const UPDATE = {
  id: [1, "string"],
  resources: [2, ANY],
  annotations: [3, "string", "map"],
} as const satisfies MessageTable;
export const STATS = { stats: [1, ANY] } as const satisfies MessageTable;
export const CONNECTED = {
  shimPid: [1, "uint"],
  taskPid: [2, "uint"],
  version: [3, "string"],
} as const satisfies MessageTable;
export const SHUTDOWN = { id: [1, "string"], now: [2, "bool"] } as const satisfies MessageTable;
