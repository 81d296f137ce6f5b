/** The config.json of a container that runs an environment's command, for any runtime, or with the Reg extension. */
import * as fs from "node:fs";
import type { Config, Mount, Namespace, Reg } from "../oci/config.ts";
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
  /** Where the root filesystem is; "rootfs" in the bundle when not given. */
  readonly root?: string;
  /** Root when not given. */
  readonly user?: ContainerUser;
  readonly hostname?: string;
  /** A limit for memory and swap together. */
  readonly memoryBytes?: number;
  readonly volumes?: readonly Volume[];
}

export interface ContainerUser {
  readonly uid: number;
  readonly gid: number;
  readonly additionalGids?: readonly number[];
  /** Where the user database says that the user is at home. */
  readonly home?: string;
}

export interface Volume {
  readonly source: string;
  readonly destination: string;
  readonly readonly: boolean;
}

export function makeConfig(options: ConfigOptions): Config {
  const { command, terminal, readonlyRoot, hostNetwork, reg, hostname, memoryBytes, volumes = [] } = options;
  const spec = defaultSpec({ rootless: false });
  const { process, linux } = spec;
  const namespaces = linux?.namespaces?.filter(({ type }: Namespace) => !(hostNetwork && type === "network"));
  const { home, ...user } = options.user ?? { uid: 0, gid: 0 };
  const homes = home === undefined || command.env.some((each) => each.startsWith("HOME=")) ? [] : [`HOME=${home}`];
  const memory = memoryBytes === undefined ? {} : { memory: { limit: memoryBytes, swap: memoryBytes } };
  return {
    ...spec,
    ...(hostname === undefined ? {} : { hostname }),
    process: {
      ...process,
      user,
      terminal,
      args: [...command.args],
      env: [...(process?.env ?? []), ...homes, ...command.env],
      cwd: command.cwd,
      capabilities: { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES },
    },
    root: { path: options.root ?? "rootfs", readonly: readonlyRoot },
    mounts: [...(spec.mounts ?? []), ...(hostNetwork ? namesOfHost() : []), ...volumes.map(mountOf)],
    linux: {
      ...linux,
      resources: { ...linux?.resources, ...memory },
      ...(namespaces === undefined ? {} : { namespaces }),
    },
    ...(reg === undefined ? {} : { reg }),
  };
}

function mountOf({ source, destination, readonly }: Volume): Mount {
  return { destination, type: "bind", source, options: ["rbind", readonly ? "ro" : "rw"] };
}

/** Who has the host's network looks up names as the host does. */
function namesOfHost(): Mount[] {
  return ["/etc/resolv.conf", "/etc/hosts"].flatMap((path) =>
    fs.existsSync(path) ? [mountOf({ source: fs.realpathSync(path), destination: path, readonly: true })] : [],
  );
}
