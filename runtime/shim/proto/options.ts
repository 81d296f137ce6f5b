/** Options of a runtime's handler. Source: containerd api/types/runc/options/oci.proto, api/types/runtimeoptions/v1/api.proto. */
import type { MessageTable } from "../../linux/protobuf.ts";

export const RUNC_OPTIONS = {
  noPivotRoot: [1, "bool"],
  noNewKeyring: [2, "bool"],
  shimCgroup: [3, "string"],
  ioUid: [4, "uint"],
  ioGid: [5, "uint"],
  binaryName: [6, "string"],
  root: [7, "string"],
  systemdCgroup: [9, "bool"],
  criuImagePath: [10, "string"],
  criuWorkPath: [11, "string"],
} as const satisfies MessageTable;

/** runtimeoptions.v1.Options: a file, or its text, in TOML. */
export const GENERIC_OPTIONS = {
  typeUrl: [1, "string"],
  configPath: [2, "string"],
  configBody: [3, "bytes"],
} as const satisfies MessageTable;

export const CHECKPOINT_OPTIONS = {
  exit: [1, "bool"],
  openTcp: [2, "bool"],
  externalUnixSockets: [3, "bool"],
  terminal: [4, "bool"],
  fileLocks: [5, "bool"],
  emptyNamespaces: [6, "string", "repeated"],
  cgroupsMode: [7, "string"],
  imagePath: [8, "string"],
  workPath: [9, "string"],
  parentPath: [10, "string"],
} as const satisfies MessageTable;
