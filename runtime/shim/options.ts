/**
 * A handler's options, as containerd passes them: runc's own message, or the generic one with a TOML text or file. A fault in
 * them is logged and never keeps a container from starting. Source: containerd docs/man/containerd-config.toml, runc options.
 */

import { host } from "#host";
import { RegError } from "../errors/errors.ts";
import { readText } from "../libc/file.ts";
import { decode } from "../linux/protobuf.ts";
import { type Any, typeName } from "./proto/common.ts";
import { GENERIC_OPTIONS, RUNC_OPTIONS } from "./proto/options.ts";
import { parseToml } from "./toml.ts";

export interface Options {
  readonly noPivotRoot: boolean;
  readonly noNewKeyring: boolean;
  /** cgroup of the shim itself; "" leaves it where containerd is. */
  readonly shimCgroup: string;
  /** Host ids that own the standard streams. */
  readonly ioUid: number;
  readonly ioGid: number;
  /** Directory of the containers' state; "" is the usual one. */
  readonly root: string;
  readonly systemdCgroup: boolean;
  /** Directory for CRIU's log when a container is restored; "" is one in the bundle. */
  readonly criuWorkPath: string;
}

export const DEFAULTS: Options = {
  noPivotRoot: false,
  noNewKeyring: false,
  shimCgroup: "",
  ioUid: 0,
  ioGid: 0,
  root: "",
  systemdCgroup: false,
  criuWorkPath: "",
};

/** The names of the keys in TOML, which are those of runc's options. */
const KEYS: Readonly<Record<string, keyof Options>> = {
  NoPivotRoot: "noPivotRoot",
  NoNewKeyring: "noNewKeyring",
  ShimCgroup: "shimCgroup",
  IoUid: "ioUid",
  IoGid: "ioGid",
  Root: "root",
  SystemdCgroup: "systemdCgroup",
  CriuWorkPath: "criuWorkPath",
};
/** Of runc's options and containerd's own: known, and of no use here. */
const IGNORED: readonly string[] = ["BinaryName", "CriuImagePath", "CriuPath", "TypeUrl", "ConfigPath"];

/** Reads options. `warn` hears of what is not understood. */
export function parseOptions(any: Any | undefined, warn: (text: string) => void): Options {
  if (any === undefined) return DEFAULTS;
  try {
    const name = typeName(any);
    if (name === "containerd.runc.v1.Options") {
      const options = decode(RUNC_OPTIONS, any.value);
      if (options.binaryName !== "" && !/(^|\/)reg$/.test(options.binaryName))
        warn(`option BinaryName ${options.binaryName} is ignored: this shim is its own runtime`);
      return options;
    }
    if (name === "runtimeoptions.v1.Options") return generic(any.value, warn);
    if (name !== "") warn(`options of type ${name} are ignored`);
  } catch (error) {
    if (!(error instanceof RegError)) throw error;
    warn(`the options are ignored: ${error.message}`);
  }
  return DEFAULTS;
}

function generic(value: Uint8Array, warn: (text: string) => void): Options {
  const { configPath, configBody } = decode(GENERIC_OPTIONS, value);
  const text = configPath === "" ? host.decode(configBody) : readText(configPath);
  const options: Record<string, unknown> = { ...DEFAULTS };
  for (const [key, given] of Object.entries(parseToml(text))) {
    const name = KEYS[key];
    if (name === undefined) {
      if (!IGNORED.includes(key)) warn(`option ${key} is unknown and ignored`);
    } else if (typeof given !== typeof DEFAULTS[name])
      warn(`option ${key} is ignored: expected a ${typeof DEFAULTS[name]}`);
    else options[name] = given;
  }
  return options as unknown as Options;
}
