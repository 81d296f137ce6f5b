/** Kernel parameters, as writes below /proc/sys. Pure. Source: runtime-spec config-linux.md "Sysctl". */
import { RegError } from "../../errors/errors.ts";
import type { Config } from "../config.ts";
import { sysctlFile } from "../sysctl-name.ts";
import { NAMESPACE_FILES, type NamespaceName, type NamespacePlan } from "./namespaces.ts";

export interface SysctlPlan {
  /** Relative to /proc/sys. */
  readonly file: string;
  readonly value: string;
  readonly field: string;
  /** Where it may not be written: the namespace that the runtime itself is in, when the container's is joined by path. */
  readonly notIn?: OwnNamespace;
}

/** A namespace of the runtime's: the file of /proc/PID/ns, and what the link there says, such as `net:[4026531840]`. */
export interface OwnNamespace {
  readonly file: string;
  readonly identity: string;
}

/** JSON pointer escaping of one reference token, RFC 6901. */
export function escapePointer(token: string): string {
  return token.replaceAll("~", "~0").replaceAll("/", "~1");
}

/** The namespace that a parameter belongs to; check.ts has refused those of none. */
function namespaceOf(file: string): NamespaceName {
  if (file.startsWith("net/")) return "network";
  if (file.startsWith("user/")) return "user";
  return file === "kernel/hostname" || file === "kernel/domainname" ? "uts" : "ipc";
}

/** `identity` tells which namespace the runtime is in, by the file of /proc/self/ns; absent: nothing is compared. */
export function planSysctl(
  config: Config,
  { join }: NamespacePlan,
  identity: ((file: string) => string) | undefined,
): SysctlPlan[] {
  return Object.entries(config.linux?.sysctl ?? {}).map(([name, value]) => {
    const field = `/linux/sysctl/${escapePointer(name)}`;
    const file = sysctlFile(name);
    if (file === undefined) throw new RegError("EINVAL", `${name} is no kernel parameter`, { field });
    const type = namespaceOf(file);
    if (identity === undefined || !join.some((joined) => joined.type === type)) return { file, value, field };
    const link = NAMESPACE_FILES[type];
    return { file, value, field, notIn: { file: link, identity: identity(link) } };
  });
}
