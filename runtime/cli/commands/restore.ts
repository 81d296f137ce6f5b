import { restore } from "../../container/restore.ts";
import { shellStatus } from "../../libc/process.ts";
import { compose } from "../../reg/compose.ts";
import { defineCommand } from "../command.ts";
import { CREATE_OPTIONS, notifySocket } from "./create-options.ts";
import { CRIU_OPTIONS, criuOptions } from "./criu-options.ts";

const { "preserve-fds": _, ...OPTIONS } = CREATE_OPTIONS;

export const command = defineCommand({
  name: "restore",
  describe: "make a container that goes on where a checkpoint was taken",
  positionals: [{ name: "id", describe: "name for the container, unique on this host" }],
  options: {
    ...OPTIONS,
    ...CRIU_OPTIONS,
    detach: { type: "boolean", alias: "d", describe: "return as soon as the processes go on" },
    "lsm-profile": {
      type: "string",
      placeholder: "TYPE:NAME",
      describe: "another security label for the processes: apparmor:NAME or selinux:CONTEXT",
    },
    "lsm-mount-context": { type: "string", placeholder: "CONTEXT", describe: "another SELinux context for mounts" },
  },
  readsConfig: true,
  preserved: () => 0,
  run: (values, [id = ""], context) => {
    const optional = {
      configFile: values.config,
      consoleSocket: values["console-socket"],
      pidfdSocket: values["pidfd-socket"],
      pidFile: values["pid-file"],
      notifySocket: notifySocket(),
      lsmProfile: values["lsm-profile"] || undefined,
      lsmMountContext: values["lsm-mount-context"] || undefined,
    };
    const given = Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined));
    const status = restore({
      ...criuOptions(values, context),
      root: context.root,
      id,
      bundle: values.bundle || ".",
      ...given,
      detach: values.detach ?? false,
      noPivot: values["no-pivot"] ?? false,
      noNewKeyring: values["no-new-keyring"] ?? false,
      cgroupManager: context.cgroupManager,
      rootless: context.rootless,
      warn: context.warn,
      compose: (config, bundle) => compose(config, bundle, context.hostConfig),
    });
    return status === undefined ? 0 : shellStatus(status);
  },
});
