/** The options that `create` and `run` have in common, and what they mean to the container layer. */
import { host } from "#host";
import type { CreateOptions } from "../../container/plan.ts";
import { UsageError } from "../../errors/errors.ts";
import { libc } from "../../libc/libc.ts";
import { compose } from "../../reg/compose.ts";
import type { Context, OptionTable, Values } from "../command.ts";

export const CREATE_OPTIONS = {
  bundle: {
    type: "string",
    alias: "b",
    placeholder: "DIR",
    describe: "the bundle: a directory with config.json (default: here)",
  },
  config: {
    type: "string",
    alias: "f",
    placeholder: "FILE",
    describe: "name of the configuration file (default: config.json)",
  },
  "console-socket": {
    type: "string",
    placeholder: "SOCKET",
    describe: "unix socket that gets the master of the container's terminal",
  },
  "pidfd-socket": {
    type: "string",
    placeholder: "SOCKET",
    describe: "unix socket that gets a pidfd of the container's process",
  },
  "pid-file": { type: "string", placeholder: "FILE", describe: "write the process id to FILE" },
  "no-pivot": { type: "boolean", describe: "do not use pivot_root, for a root filesystem on a ramdisk" },
  "no-new-keyring": { type: "boolean", describe: "keep the caller's session keyring" },
  "preserve-fds": {
    type: "number",
    placeholder: "N",
    describe: "pass N more file descriptors to the container, from 3 on",
  },
  "no-subreaper": { type: "boolean", hidden: true, describe: "accepted for old callers" },
} as const satisfies OptionTable;

/** The socket of sd_notify(3), in $NOTIFY_SOCKET. */
export function notifySocket(): string | undefined {
  return variable("NOTIFY_SOCKET") || undefined;
}

/** How many descriptors sd_listen_fds(3) passes, in $LISTEN_FDS; none when $LISTEN_PID says that they are for another process. */
export function listenFds(): number {
  const count = Number(variable("LISTEN_FDS") ?? 0);
  const pid = variable("LISTEN_PID");
  if (pid !== undefined && pid !== String(libc.getpid())) return 0;
  return Number.isInteger(count) && count > 0 ? count : 0;
}

function variable(name: string): string | undefined {
  return host.environ.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1);
}

/** How many descriptors from 3 on are the container's. */
export function preserved({ "preserve-fds": count = 0 }: { readonly "preserve-fds"?: number | undefined }): number {
  if (count < 0) throw new UsageError(`--preserve-fds ${count}: expected 0 or more`);
  return count + listenFds();
}

export function createOptions(values: Values<typeof CREATE_OPTIONS>, id: string, context: Context): CreateOptions {
  const optional = {
    configFile: values.config,
    consoleSocket: values["console-socket"],
    pidfdSocket: values["pidfd-socket"],
    pidFile: values["pid-file"],
    notifySocket: notifySocket(),
  };
  const given = Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined));
  return {
    root: context.root,
    id,
    bundle: values.bundle || ".", // an empty one is no bundle, as in runc
    ...given,
    noPivot: values["no-pivot"] ?? false,
    noNewKeyring: values["no-new-keyring"] ?? false,
    preserveFds: values["preserve-fds"] ?? 0,
    listenFds: listenFds(),
    cgroupManager: context.cgroupManager,
    rootless: context.rootless,
    warn: context.warn,
    compose: (config, bundle) => compose(config, bundle, context.hostConfig),
  };
}
