/** Rules of /mounts. */
import type { Mount } from "../config.ts";
import { hasWord } from "../words.ts";
import type { Faults } from "./faults.ts";
import type { Namespaces } from "./namespaces.ts";

/** The files of /proc that a mount may cover: tools such as lxcfs stand in for them, and none of them holds a secret. */
const PROC_FILES =
  " /proc/cpuinfo /proc/diskstats /proc/meminfo /proc/stat /proc/swaps /proc/uptime /proc/loadavg /proc/slabinfo /proc/sys/kernel/ns_last_pid /proc/sys/crypto/fips_enabled ";

export function mountRules(mount: Mount, at: string, namespaces: Namespaces, faults: Faults): void {
  const { destination, type, options, uidMappings, gidMappings } = mount;
  const bind = type === "bind" || (options !== undefined && (options.includes("bind") || options.includes("rbind")));
  if (destination === "") faults.add(`${at}/destination`, "a path in the container", destination);
  if (destination.includes("proc")) {
    const path = cleanPath(destination);
    // Else an image could hide what /proc/self/attr and /proc/sys are: CVE-2019-16884, CVE-2019-19921.
    if (path === "/proc" && type !== "proc" && !bind)
      faults.add(`${at}/type`, "proc, or a bind mount of a proc filesystem, for a mount on /proc", type);
    if (path.startsWith("/proc/") && !hasWord(PROC_FILES, path))
      faults.add(
        `${at}/destination`,
        `outside /proc, or one of${PROC_FILES.trimEnd().replaceAll(" /", ", /").slice(1)}`,
        destination,
      );
  }
  const asked = options?.find((option) => option.startsWith("idmap") || option.startsWith("ridmap"));
  if (asked?.includes("=") === true) faults.add(`${at}/options`, "idmap, with uidMappings and gidMappings", asked);
  if (uidMappings === undefined && gidMappings === undefined && asked === undefined) return;
  if (!bind) faults.add(at, "a bind mount, because it has id mappings", type === undefined ? "no type" : type);
  if (uidMappings === undefined && gidMappings === undefined) {
    if (!namespaces.has("user"))
      faults.add(`${at}/options`, `uidMappings and gidMappings, or a user namespace, for ${asked}`, asked);
    return;
  }
  for (const field of ["uidMappings", "gidMappings"] as const)
    if ((mount[field] ?? []).length === 0)
      faults.add(`${at}/${field}`, "both uidMappings and gidMappings, or none", mount[field]);
}

/** Absolute, without ".", "..", double or trailing slashes; symbolic links are not looked at. */
export function cleanPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}
