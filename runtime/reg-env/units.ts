/**
 * A closure split into units: one for each package of the distribution, so that environments made at different times have the same
 * unit for the same library, and one for what no package owns.
 */

import type { EnvironmentName } from "../reg/name.ts";
import type { Closure, Package } from "./closure/types.ts";
import type { GeneratedSource, UnitSource } from "./store/unit.ts";

/** Sorted by name and version, without a file in two of them: their order does not matter to the tree. */
export function splitClosure(closure: Closure, environment: EnvironmentName): UnitSource[] {
  const own = { name: `${environment.name}-files`, version: environment.version };
  const groups = new Map<string, { name: string; version: string; paths: string[] }>();
  const add = ({ name, version }: Package, path: string) => {
    const key = `${name}@${version}`;
    const group = groups.get(key) ?? { name, version, paths: [] };
    groups.set(key, group);
    if (path !== "") group.paths.push(path);
  };
  for (const file of closure.files.values())
    if (!closure.generated.has(file.path) && !isMountPoint(file.path)) add(file.package ?? own, relative(file.path));
  const directories = [...(closure.directories ?? [])].filter(([path]) => !closure.files.has(path));
  if (closure.generated.size + directories.length > 0) add(own, "");
  return [...groups]
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([, { name, version, paths }]) => ({
      name,
      version,
      root: closure.root,
      paths: paths.sort(),
      generated: name === own.name ? generatedFiles(closure) : [],
      directories:
        name === own.name
          ? directories.map(([path, { mode, uid, gid }]) => ({ path: relative(path), mode, uid, gid }))
          : [],
    }));
}

/** A root that is in use has something mounted there, with its own owner and mode; the base unit has them as they should be. */
function isMountPoint(path: string): boolean {
  return MOUNT_POINTS.includes(path);
}

const MOUNT_POINTS = ["/dev", "/proc", "/run", "/sys", "/tmp"];

function generatedFiles(closure: Closure): GeneratedSource[] {
  return [...closure.generated].map(([path, { content, mode }]) => ({ path: relative(path), content, mode }));
}

function relative(path: string): string {
  return path.replace(/^\/+/, "");
}
