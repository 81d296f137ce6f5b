/** What containerd and a shim say to each other at its start. Source: containerd api/runtime/bootstrap/v1, api/runtime/introspection. */
import type { MessageTable } from "../../linux/protobuf.ts";
import { ANY } from "./common.ts";

const EXTENSION = { value: [1, ANY] } as const satisfies MessageTable;

/** containerd 2.3 and later write this to the standard input of `start`; before, it was an Any with the options, or nothing. */
export const BOOTSTRAP_PARAMS = {
  instanceId: [1, "string"],
  namespace: [2, "string"],
  logLevel: [3, "int"],
  containerdVersion: [4, "string"],
  containerdTtrpcAddress: [5, "string"],
  containerdGrpcAddress: [6, "string"],
  containerdBinary: [7, "string"],
  extensions: [8, EXTENSION, "repeated"],
  socketDir: [9, "string"],
} as const satisfies MessageTable;

export const BOOTSTRAP_RESULT = {
  version: [1, "int"],
  address: [2, "string"],
  protocol: [3, "string"],
} as const satisfies MessageTable;

const RUNTIME_VERSION = { version: [1, "string"], revision: [2, "string"] } as const satisfies MessageTable;
/** What `-info` prints. */
export const RUNTIME_INFO = {
  name: [1, "string"],
  version: [2, RUNTIME_VERSION],
  options: [3, ANY],
  features: [4, ANY],
  annotations: [5, "string", "map"],
} as const satisfies MessageTable;
