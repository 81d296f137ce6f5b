/** Which namespaces are made and which are joined, as data. Pure. Source: runtime-spec config-linux.md "Namespaces". */
import * as C from "../../libc/constants.ts";
import type { Config, IdMapping } from "../config.ts";

/** CLONE_NEW* by the spec's name of the namespace, in the order in which they are joined: user first. */
export const NAMESPACE_FLAGS = {
  user: C.CLONE_NEWUSER,
  mount: C.CLONE_NEWNS,
  cgroup: C.CLONE_NEWCGROUP,
  uts: C.CLONE_NEWUTS,
  ipc: C.CLONE_NEWIPC,
  network: C.CLONE_NEWNET,
  pid: C.CLONE_NEWPID,
  time: C.CLONE_NEWTIME,
} as const;

export type NamespaceName = keyof typeof NAMESPACE_FLAGS;

/** The names that /proc/PID/ns/ uses. */
export const NAMESPACE_FILES: Readonly<Record<NamespaceName, string>> = {
  user: "user",
  mount: "mnt",
  cgroup: "cgroup",
  uts: "uts",
  ipc: "ipc",
  network: "net",
  pid: "pid",
  time: "time",
};

/** A namespace that exists and is entered. */
export interface JoinedNamespace {
  readonly type: NamespaceName;
  readonly flag: number;
  readonly path: string;
  readonly field: string;
}

export interface NamespacePlan {
  /** CLONE_NEW* of the namespaces that are made. */
  readonly create: number;
  readonly join: readonly JoinedNamespace[];
  /** Contents of uid_map and gid_map; absent without a new user namespace. */
  readonly uidMap?: string;
  readonly gidMap?: string;
  /** Content of timens_offsets; absent when no offset is asked for. */
  readonly timeOffsets?: string;
}

/** The lines of uid_map or gid_map. */
export function formatIdMap(mappings: readonly IdMapping[]): string {
  return mappings.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`).join("");
}

export function planNamespaces(config: Config): NamespacePlan {
  const linux = config.linux ?? {};
  let create = 0;
  const join: JoinedNamespace[] = [];
  (linux.namespaces ?? []).forEach(({ type, path }, index) => {
    const flag = NAMESPACE_FLAGS[type];
    if (path === undefined || path === "") create |= flag;
    else join.push({ type, flag, path, field: `/linux/namespaces/${index}/path` });
  });
  const order = Object.keys(NAMESPACE_FLAGS);
  join.sort((a, b) => order.indexOf(a.type) - order.indexOf(b.type));
  const offsets = Object.entries(linux.timeOffsets ?? {});
  return {
    create,
    join,
    ...((create & C.CLONE_NEWUSER) === 0
      ? {}
      : { uidMap: formatIdMap(linux.uidMappings ?? []), gidMap: formatIdMap(linux.gidMappings ?? []) }),
    ...(offsets.length === 0
      ? {}
      : {
          timeOffsets: offsets
            .map(([clock, { secs, nanosecs }]) => `${clock} ${secs ?? 0} ${nanosecs ?? 0}\n`)
            .join(""),
        }),
  };
}

/** True when the container has a namespace of its own of this kind, made or joined. */
export function hasNamespace(plan: NamespacePlan, type: NamespaceName): boolean {
  return (plan.create & NAMESPACE_FLAGS[type]) !== 0 || plan.join.some((joined) => joined.type === type);
}
