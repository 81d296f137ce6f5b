/** A call and its answer on a ttRPC stream. Source: containerd/ttrpc PROTOCOL.md, request.proto; google/rpc/status.proto. */
import type { MessageTable } from "../../linux/protobuf.ts";

const KEY_VALUE = { key: [1, "string"], value: [2, "string"] } as const satisfies MessageTable;

export const REQUEST = {
  service: [1, "string"],
  method: [2, "string"],
  payload: [3, "bytes"],
  timeoutNano: [4, "int"],
  metadata: [5, KEY_VALUE, "repeated"],
} as const satisfies MessageTable;

const STATUS = { code: [1, "int"], message: [2, "string"] } as const satisfies MessageTable;
export const RESPONSE = { status: [1, STATUS], payload: [2, "bytes"] } as const satisfies MessageTable;
