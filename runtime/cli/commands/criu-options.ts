/** The options that `checkpoint` and `restore` have in common, and what they mean to the container layer. */
import type { CgroupMode, CriuOptions, NetworkLock } from "../../container/criu/options.ts";
import { UsageError } from "../../errors/errors.ts";
import type { Context, OptionTable, Values } from "../command.ts";

export const CRIU_OPTIONS = {
  "image-path": {
    type: "string",
    placeholder: "DIR",
    describe: "directory of the checkpoint (default: checkpoint, here)",
  },
  "work-path": {
    type: "string",
    placeholder: "DIR",
    describe: "directory for CRIU's log and temporary files (default: that of the checkpoint)",
  },
  "tcp-established": { type: "boolean", describe: "with open TCP connections" },
  "tcp-close": { type: "boolean", describe: "close TCP connections" },
  "ext-unix-sk": { type: "boolean", describe: "with unix sockets that are connected to outside of the container" },
  "shell-job": { type: "boolean", describe: "with a session or a terminal from outside of the container" },
  "file-locks": { type: "boolean", describe: "with locks on files" },
  "lazy-pages": { type: "boolean", describe: "fetch memory when it is used, by userfaultfd" },
  "manage-cgroups-mode": {
    type: "string",
    placeholder: "MODE",
    choices: ["soft", "full", "strict", "ignore", "none", "props"],
    describe: "what is done about cgroups: soft, full, strict, ignore, none or props (default: soft)",
  },
  "network-lock": {
    type: "string",
    placeholder: "METHOD",
    choices: ["iptables", "nftables", "skip"],
    describe: "how packets are held back meanwhile: iptables, nftables or skip (default: CRIU's own)",
  },
  "empty-ns": {
    type: "strings",
    placeholder: "NAMESPACE",
    choices: ["network"],
    describe: "make the namespace, but restore nothing of it: network, of which reg never does more",
  },
  "auto-dedup": { type: "boolean", describe: "free memory of an earlier checkpoint that a later one has, too" },
} as const satisfies OptionTable;

/** What both commands tell the container layer. */
export function criuOptions(values: Values<typeof CRIU_OPTIONS>, { criu }: Context): CriuOptions {
  const { "image-path": imagePath, "work-path": workPath } = values;
  for (const [option, path] of Object.entries({ "--image-path": imagePath, "--work-path": workPath }))
    if (path === "") throw new UsageError(`${option} "": expected a directory`);
  return {
    imagePath: imagePath ?? "checkpoint",
    ...(workPath === undefined ? {} : { workPath }),
    ...(criu === undefined ? {} : { criu }),
    tcpEstablished: values["tcp-established"] ?? false,
    tcpClose: values["tcp-close"] ?? false,
    externalUnixSockets: values["ext-unix-sk"] ?? false,
    shellJob: values["shell-job"] ?? false,
    fileLocks: values["file-locks"] ?? false,
    lazyPages: values["lazy-pages"] ?? false,
    autoDedup: values["auto-dedup"] ?? false,
    ...(values["manage-cgroups-mode"] === undefined
      ? {}
      : { manageCgroupsMode: values["manage-cgroups-mode"] as CgroupMode }),
    ...(values["network-lock"] === undefined ? {} : { networkLock: values["network-lock"] as NetworkLock }),
  };
}
