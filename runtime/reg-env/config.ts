/** The config.json of a container that runs an environment's command, for any runtime, or with the Reg extension. */
import * as fs from "node:fs";
import { RegError } from "../errors/errors.ts";
import type { Config, Mount, Namespace, Reg } from "../oci/config.ts";
import { defaultSpec } from "../oci/default-spec.ts";
import type { EnvironmentCommand } from "../reg/manifest.ts";
import { uidOfRoot } from "../reg/trust.ts";

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
  /** The runtime is called as root of a user namespace that this process is not in. */
  readonly inUserNamespace?: boolean;
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
  const uid = options.inUserNamespace === true ? 0 : ownUid();
  const isHost = ownUid() === 0 && uidOfRoot() === 0;
  const spec = isHost ? defaultSpec({ rootless: false }) : specOfUser(uid, hostNetwork);
  const { process, linux } = spec;
  const namespaces = linux?.namespaces?.filter(({ type }: Namespace) => !(hostNetwork && type === "network"));
  const { home, ...user } = options.user ?? { uid: 0, gid: 0 };
  if (uid !== 0 && (user.uid !== 0 || user.gid !== 0))
    throw new RegError(
      "EPERM",
      `user ${user.uid}:${user.gid} of the container has no id on the host: a user has one, which is root there`,
      {
        hint: "as root of a user namespace with more ids it goes: podman unshare reg-env run ...",
      },
    );
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

function ownUid(): number {
  return process.geteuid?.() ?? 0;
}

/** For a user, in a user namespace with one id, or for root of one that there is. Either has the host's network as it stands, or none. */
function specOfUser(uid: number, hostNetwork: boolean): Config {
  const spec = defaultSpec({ rootless: true, uid, gid: process.getegid?.() ?? 0 });
  const { uidMappings, gidMappings, namespaces = [], ...linux } = spec.linux ?? {};
  const mappings =
    uid === 0 || uidMappings === undefined || gidMappings === undefined ? {} : { uidMappings, gidMappings };
  const network: Namespace[] = hostNetwork ? [] : [{ type: "network" }];
  const own = namespaces.filter(({ type }) => uid !== 0 || type !== "user");
  return { ...spec, linux: { ...linux, ...mappings, namespaces: [...own, ...network] } };
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
