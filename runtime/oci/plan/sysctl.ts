/** Kernel parameters, as writes below /proc/sys. Pure. Source: runtime-spec config-linux.md "Sysctl". */
import type { Config } from "../config.ts";

export interface SysctlPlan {
  /** Relative to /proc/sys. */
  readonly file: string;
  readonly value: string;
  readonly field: string;
}

/** JSON pointer escaping of one reference token, RFC 6901. */
export function escapePointer(token: string): string {
  return token.replaceAll("~", "~0").replaceAll("/", "~1");
}

/**
 * The file of a sysctl's name. As in sysctl(8), the first separator decides: in `net.ipv4.conf.eth0/1` a dot separates
 * and a slash stands for a dot in the name; in `net/ipv4/conf/eth0.1` it is the other way round.
 */
export function sysctlFile(name: string): string {
  const separator = name.search(/[./]/);
  if (separator < 0 || name[separator] === "/") return name;
  return name.replace(/[./]/g, (character) => (character === "." ? "/" : "."));
}

export function planSysctl(config: Config): SysctlPlan[] {
  return Object.entries(config.linux?.sysctl ?? {}).map(([name, value]) => ({
    file: sysctlFile(name),
    value,
    field: `/linux/sysctl/${escapePointer(name)}`,
  }));
}
