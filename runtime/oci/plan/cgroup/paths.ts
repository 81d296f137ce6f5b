/** Where a container's cgroup is, from linux.cgroupsPath. Source: runtime-spec config-linux.md "Cgroups Path". */
import { UsageError } from "../../../errors/errors.ts";
import type { CgroupHost } from "../../../linux/cgroup/host.ts";

/** Lexically clean: one leading slash, no ".", no "..", no slash at the end. */
function cleanAbsolute(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/"))
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  return parts.length === 0 ? "/" : `/${parts.join("/")}`;
}

/**
 * The container's directory in each hierarchy. An absolute path starts at the hierarchy's root. A relative one starts at
 * the caller's own cgroup; on v2 at its parent, because a cgroup with processes can not pass controllers down.
 * Throws UsageError for a path that names the root.
 */
export function planPaths(path: string, host: CgroupHost): Record<string, string> {
  const clean = cleanAbsolute(path);
  if (clean === "/")
    throw new UsageError(`cgroupsPath ${path}: names the root cgroup`, { field: "/linux/cgroupsPath" });
  const paths: Record<string, string> = {};
  for (const { name, mountpoint } of host.hierarchies) {
    if (path.startsWith("/")) {
      paths[name] = mountpoint + clean;
      continue;
    }
    const own = host.own?.[name];
    if (own === undefined) throw new TypeError("planPaths: a relative cgroupsPath needs the caller's own cgroups");
    const base = name === "" || name === "unified" ? own.slice(0, own.lastIndexOf("/")) : own;
    paths[name] = `${mountpoint}${base === "/" ? "" : base}${clean}`;
  }
  return paths;
}
