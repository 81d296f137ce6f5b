/** Messages that several services use. Source: containerd api/types/mount.proto, google/protobuf/{any,timestamp,empty}.proto. */
import type { GivenMessage, Message, MessageTable } from "../../linux/protobuf.ts";

export const EMPTY = {} as const satisfies MessageTable;

/** google.protobuf.Any; containerd writes a type_url without "type.googleapis.com/". */
export const ANY = { typeUrl: [1, "string"], value: [2, "bytes"] } as const satisfies MessageTable;
export type Any = Message<typeof ANY>;

/** google.protobuf.Timestamp */
export const TIMESTAMP = { seconds: [1, "int"], nanos: [2, "int"] } as const satisfies MessageTable;
export type Timestamp = GivenMessage<typeof TIMESTAMP>;

export const MOUNT = {
  type: [1, "string"],
  source: [2, "string"],
  target: [3, "string"],
  options: [4, "string", "repeated"],
} as const satisfies MessageTable;
export type Mount = Message<typeof MOUNT>;

/** The name of a type, from its url. */
export function typeName({ typeUrl }: Any): string {
  return typeUrl.slice(typeUrl.startsWith("type.googleapis.com/") ? "type.googleapis.com/".length : 0);
}
