/** The mounts of a container, as data. Pure. Source: runtime-spec config.md "Mounts". */
import * as C from "../../libc/constants.ts";
import type { Config, Linux, Mount } from "../config.ts";
import { type MountOptions, parseMountOptions } from "./mount-options.ts";
import { formatIdMap } from "./namespaces.ts";

interface MountBase {
  /** Absolute path in the container. */
  readonly destination: string;
  readonly options: MountOptions;
  /** JSON pointer of the entry that asked for it. */
  readonly field: string;
}

/** A filesystem of its own: proc, tmpfs, sysfs, devpts, mqueue, overlay ... */
export interface FilesystemMount extends MountBase {
  readonly kind: "filesystem";
  readonly type: string;
  readonly source: string;
  /** A read-only tmpfs is filled first (device nodes, copied content): it turns read-only at the end. */
  readonly readonlyAtEnd: boolean;
}

/** A file or directory of the host. */
export interface BindMount extends MountBase {
  readonly kind: "bind";
  /** Absolute path on the host. */
  readonly source: string;
  /** The directory that `source` begins with and must not leave, whatever symlinks are on the way; absent: anywhere. */
  readonly within?: string;
  /** Owners are shown as this says. */
  readonly idMap?: IdMapPlan;
}

/** The mapping of a user namespace, by contents of uid_map and gid_map or by path. */
export type IdMapping = { readonly uidMap: string; readonly gidMap: string } | { readonly path: string };

/** The mapping of an id-mapped mount. */
export type IdMapPlan = {
  /** Whether the mounts below the source are mapped too. */
  readonly recursive: boolean;
} & IdMapping;

/** Type "cgroup": what the container sees of its own cgroups, for the version that the host has. */
export interface CgroupMount extends MountBase {
  readonly kind: "cgroup";
}

export type MountPlan = FilesystemMount | BindMount | CgroupMount;

const SLASH = 0x2f;

/** Collapses "//" and "/./" and a trailing slash. ".." is left for the kernel, which resolves it inside the root. */
export function cleanPath(path: string): string {
  const clean = path.charCodeAt(0) === SLASH && !path.includes("//") && !path.includes("/.") && !path.endsWith("/");
  if (clean) return path; // nearly always
  const parts = path.split("/").filter((part) => part !== "" && part !== ".");
  return `/${parts.join("/")}`;
}

function planMount(mount: Mount, field: string, config: Config, bundle: string): MountPlan {
  const options = parseMountOptions(mount.options ?? []);
  const destination = cleanPath(mount.destination);
  if (options.bind || mount.type === "bind") {
    const source = mount.source ?? "";
    const idMap = planIdMap(mount, options, config);
    return {
      kind: "bind",
      source: source.startsWith("/") ? source : `${bundle}/${source}`,
      destination,
      options,
      field,
      ...(idMap === undefined ? {} : { idMap }),
    };
  }
  const type = mount.type ?? "";
  if (type === "cgroup" || type === "cgroup2") return { kind: "cgroup", destination, options, field };
  const readonlyAtEnd = type === "tmpfs" && (options.flags & C.MS_RDONLY) !== 0;
  return { kind: "filesystem", type, source: mount.source ?? type, destination, options, readonlyAtEnd, field };
}

/** The mount's own mappings, or those of the container's user namespace when only an option asks. */
function planIdMap(mount: Mount, { idmap }: MountOptions, config: Config): IdMapPlan | undefined {
  const { linux = {} } = config;
  const recursive = idmap === "ridmap";
  if (mount.uidMappings !== undefined && mount.gidMappings !== undefined)
    return { recursive, uidMap: formatIdMap(mount.uidMappings), gidMap: formatIdMap(mount.gidMappings) };
  return idmap === undefined ? undefined : { recursive, ...userNamespaceMap(linux) };
}

/** The mapping of the container's user namespace. */
export function userNamespaceMap(linux: Linux): IdMapping {
  const path = linux.namespaces?.find(({ type }) => type === "user")?.path ?? "";
  if (path !== "") return { path };
  return { uidMap: formatIdMap(linux.uidMappings ?? []), gidMap: formatIdMap(linux.gidMappings ?? []) };
}

/** The mounts in the order of config.json. `bundle` is absolute; relative bind sources start there. */
export function planMounts(config: Config, bundle: string): MountPlan[] {
  return (config.mounts ?? []).map((mount, index) => planMount(mount, `/mounts/${index}`, config, bundle));
}
