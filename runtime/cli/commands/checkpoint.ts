import { checkpoint } from "../../container/checkpoint.ts";
import { UsageError } from "../../errors/errors.ts";
import { compose } from "../../reg/compose.ts";
import { defineCommand } from "../command.ts";
import { CRIU_OPTIONS, criuOptions } from "./criu-options.ts";

export const command = defineCommand({
  name: "checkpoint",
  describe: "save a running container to files",
  positionals: [{ name: "id", describe: "the container" }],
  options: {
    ...CRIU_OPTIONS,
    "parent-path": {
      type: "string",
      placeholder: "DIR",
      describe: "an earlier checkpoint, seen from --image-path: only what has changed is saved",
    },
    "leave-running": { type: "boolean", describe: "let the container go on, and keep it" },
    "pre-dump": { type: "boolean", describe: "save memory only, and let the container go on" },
    "tcp-skip-in-flight": { type: "boolean", describe: "without TCP connections that are not accepted yet" },
    "link-remap": { type: "boolean", describe: "with open files that have been removed, by links beside them" },
    "status-fd": {
      type: "number",
      placeholder: "FD",
      describe: "write a NUL byte to FD when lazy pages are ready",
    },
    "page-server": { type: "string", placeholder: "ADDRESS:PORT", describe: "send memory there, or offer lazy pages" },
  },
  // A number that is not open must not become that of a file of ours.
  preserved: ({ "status-fd": fd }) => (fd === undefined ? 0 : Math.max(fd - 2, 0)),
  run: (values, [id = ""], context) => {
    const { "status-fd": statusFd, "parent-path": parentPath, "page-server": pageServer } = values;
    if (statusFd !== undefined && (statusFd < 0 || statusFd > 0xffff))
      throw new UsageError(`--status-fd ${statusFd}: expected the number of an open file`);
    checkpoint({
      ...criuOptions(values, context),
      root: context.root,
      id,
      leaveRunning: values["leave-running"] ?? false,
      preDump: values["pre-dump"] ?? false,
      tcpSkipInFlight: values["tcp-skip-in-flight"] ?? false,
      linkRemap: values["link-remap"] ?? false,
      ...(parentPath === undefined || parentPath === "" ? {} : { parentPath }),
      ...(statusFd === undefined ? {} : { statusFd }),
      ...(pageServer === undefined ? {} : { pageServer: parsePageServer(pageServer) }),
      warn: context.warn,
      compose: (config, bundle) => compose(config, bundle, context.hostConfig),
    });
  },
});

function parsePageServer(text: string): { address: string; port: number } {
  const colon = text.lastIndexOf(":");
  const [address, port] = [text.slice(0, colon).replace(/^\[(.*)\]$/, "$1"), Number(text.slice(colon + 1))];
  if (colon < 1 || address === "" || !Number.isInteger(port) || port < 1 || port > 65535)
    throw new UsageError(`--page-server ${text}: expected ADDRESS:PORT`);
  return { address, port };
}
