/** The events of a task, and the service that takes them. Source: containerd api/events/task.proto, api/services/ttrpc/events/v1/events.proto. */
import type { MessageTable } from "../../linux/protobuf.ts";
import { ANY, MOUNT, TIMESTAMP } from "./common.ts";

export const ENVELOPE = {
  timestamp: [1, TIMESTAMP],
  namespace: [2, "string"],
  topic: [3, "string"],
  event: [4, ANY],
} as const satisfies MessageTable;
export const FORWARD = { envelope: [1, ENVELOPE] } as const satisfies MessageTable;

const TASK_IO = {
  stdin: [1, "string"],
  stdout: [2, "string"],
  stderr: [3, "string"],
  terminal: [4, "bool"],
} as const satisfies MessageTable;

/** By their names in containerd.events, with the topic that each is published under. */
export const EVENTS = {
  TaskCreate: {
    topic: "/tasks/create",
    table: {
      containerId: [1, "string"],
      bundle: [2, "string"],
      rootfs: [3, MOUNT, "repeated"],
      io: [4, TASK_IO],
      checkpoint: [5, "string"],
      pid: [6, "uint"],
    },
  },
  TaskStart: { topic: "/tasks/start", table: { containerId: [1, "string"], pid: [2, "uint"] } },
  TaskExecAdded: { topic: "/tasks/exec-added", table: { containerId: [1, "string"], execId: [2, "string"] } },
  TaskExecStarted: {
    topic: "/tasks/exec-started",
    table: { containerId: [1, "string"], execId: [2, "string"], pid: [3, "uint"] },
  },
  TaskExit: {
    topic: "/tasks/exit",
    table: {
      containerId: [1, "string"],
      id: [2, "string"],
      pid: [3, "uint"],
      exitStatus: [4, "uint"],
      exitedAt: [5, TIMESTAMP],
    },
  },
  TaskDelete: {
    topic: "/tasks/delete",
    table: {
      containerId: [1, "string"],
      pid: [2, "uint"],
      exitStatus: [3, "uint"],
      exitedAt: [4, TIMESTAMP],
      id: [5, "string"],
    },
  },
  TaskOOM: { topic: "/tasks/oom", table: { containerId: [1, "string"] } },
  TaskPaused: { topic: "/tasks/paused", table: { containerId: [1, "string"] } },
  TaskResumed: { topic: "/tasks/resumed", table: { containerId: [1, "string"] } },
  TaskCheckpointed: {
    topic: "/tasks/checkpointed",
    table: { containerId: [1, "string"], checkpoint: [2, "string"] },
  },
} as const satisfies Readonly<Record<string, { readonly topic: string; readonly table: MessageTable }>>;
