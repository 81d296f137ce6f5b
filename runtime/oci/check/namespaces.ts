/** Rules of /linux/namespaces, and of what only a namespace makes possible. Source: namespaces(7), time_namespaces(7). */
import type { Linux, NamespaceType } from "../config.ts";
import { escapePointer, type Faults } from "./faults.ts";

/** Which kinds of namespaces the container has of its own or joins. */
export class Namespaces {
  readonly #linux: Linux;

  constructor(linux: Linux) {
    this.#linux = linux;
  }

  has(type: NamespaceType): boolean {
    return this.#linux.namespaces?.some((namespace) => namespace.type === type) ?? false;
  }

  /** Whether it joins one by path. */
  joins(type: NamespaceType): boolean {
    return (
      this.#linux.namespaces?.some((namespace) => namespace.type === type && (namespace.path ?? "") !== "") ?? false
    );
  }
}

export function namespaceRules(linux: Linux, namespaces: Namespaces, faults: Faults): void {
  let seen = " ";
  for (const [index, { type }] of (linux.namespaces ?? []).entries()) {
    if (seen.includes(` ${type} `)) faults.add(`/linux/namespaces/${index}`, "each type of namespace once", type);
    else seen += `${type} `;
  }
  const user = namespaces.has("user");
  const joined = namespaces.joins("user");
  for (const field of ["uidMappings", "gidMappings"] as const) {
    const mappings = linux[field] ?? [];
    if (mappings.length > 0 && !user)
      faults.add(`/linux/${field}`, `no ${field} without a namespace of type user`, mappings);
    // A joined namespace has its mappings; containerd repeats them, and the plan compares them.
    if (mappings.length === 0 && user && !joined)
      faults.add(`/linux/${field}`, `${field} for the user namespace`, linux[field]);
  }
  if (linux.timeOffsets === undefined) return;
  if (Object.keys(linux.timeOffsets).length > 0) {
    if (!namespaces.has("time"))
      faults.add("/linux/timeOffsets", "no timeOffsets without a namespace of type time", linux.timeOffsets);
    if (namespaces.joins("time"))
      faults.add("/linux/timeOffsets", "no timeOffsets for a time namespace that is joined by path", linux.timeOffsets);
  }
  for (const [clock, { nanosecs = 0 }] of Object.entries(linux.timeOffsets)) {
    const at = `/linux/timeOffsets/${escapePointer(clock)}`;
    if (clock !== "monotonic" && clock !== "boottime")
      faults.add(at, "monotonic or boottime", clock, " monotonic boottime "); // time_namespaces(7)
    if (nanosecs > 999_999_999) faults.add(`${at}/nanosecs`, "less than a second", nanosecs);
  }
}
