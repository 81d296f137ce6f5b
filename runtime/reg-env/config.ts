/** The config.json of a container that runs an environment's command, for any runtime, or with the Reg extension. */
import type { Config, Namespace, Reg } from "../oci/config.ts";
import { defaultSpec } from "../oci/default-spec.ts";
import type { EnvironmentCommand } from "../reg/manifest.ts";

/** What a server needs that starts as root and then becomes another user: engines give their containers the same. */
const CAPABILITIES = [
  "CAP_AUDIT_WRITE",
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FOWNER",
  "CAP_FSETID",
  "CAP_KILL",
  "CAP_MKNOD",
  "CAP_NET_BIND_SERVICE",
  "CAP_NET_RAW",
  "CAP_SETFCAP",
  "CAP_SETGID",
  "CAP_SETPCAP",
  "CAP_SETUID",
  "CAP_SYS_CHROOT",
];

export interface ConfigOptions {
  readonly command: EnvironmentCommand;
  readonly terminal: boolean;
  readonly readonlyRoot: boolean;
  /** With the host's network, or with none but a loopback device. */
  readonly hostNetwork: boolean;
  readonly reg?: Reg;
}

export function makeConfig({ command, terminal, readonlyRoot, hostNetwork, reg }: ConfigOptions): Config {
  const spec = defaultSpec({ rootless: false });
  const { process, linux } = spec;
  const namespaces = linux?.namespaces?.filter(({ type }: Namespace) => !(hostNetwork && type === "network"));
  return {
    ...spec,
    process: {
      ...process,
      user: { uid: 0, gid: 0 },
      terminal,
      args: [...command.args],
      env: [...(process?.env ?? []), ...command.env],
      cwd: command.cwd,
      capabilities: { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES },
    },
    root: { path: "rootfs", readonly: readonlyRoot },
    linux: { ...linux, ...(namespaces === undefined ? {} : { namespaces }) },
    ...(reg === undefined ? {} : { reg }),
  };
}
