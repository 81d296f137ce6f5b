/**
 * Plan, then apply: config.json and facts about the host become plain data that says everything that will be done, and
 * which field asked for it. Pure; `reg plan` prints it, the parent and init apply it.
 */
import { RegError, UsageError } from "../../errors/errors.ts";
import * as C from "../../libc/constants.ts";
import type { CgroupHost } from "../../linux/cgroup/host.ts";
import type { NetDevicePlan } from "../../linux/net-device.ts";
import type { Config, Hooks, Linux, MemoryPolicy } from "../config.ts";
import { type CgroupPlan, type CgroupRequest, planCgroup } from "./cgroup/plan.ts";
import { type DevicePlan, fillsDev, planDevices } from "./devices.ts";
import { type IntelRdtPlan, planIntelRdt } from "./intel-rdt.ts";
import { parseMountOptions, propagationFlag } from "./mount-options.ts";
import { cleanPath, type IdMapPlan, type MountPlan, planMounts, userNamespaceMap } from "./mounts.ts";
import { hasNamespace, type NamespacePlan, planNamespaces } from "./namespaces.ts";
import { fitProcess, lastWins, type ProcessHost, type ProcessPlan, planProcess } from "./process.ts";
import { planSeccomp, type SeccompPlan } from "./seccomp.ts";
import { escapePointer, planSysctl, type SysctlPlan } from "./sysctl.ts";

export interface RootfsPlan {
  /** Absolute path on the host. */
  readonly path: string;
  readonly readonly: boolean;
  /** MS_* propagation of the container's root, applied last; absent: nothing is asked for. */
  readonly propagation?: number;
  /** What the root is put together from instead of being the directory at `path`. */
  readonly layers?: RootLayers;
  /** How the root is changed: pivot_root(2), MS_MOVE and chroot(2) for --no-pivot, chroot(2) without a mount namespace. */
  readonly change: "pivot" | "move" | "chroot";
}

/**
 * A root that is composed when init starts: a directory that is only read, and where writes go. Without `upper` it is the
 * directory itself, read-only, unless mount points have to be made in it first.
 */
export interface RootLayers {
  /** Absolute path on the host of the directory that is read. */
  readonly lower: string;
  readonly upper?:
    | { readonly type: "tmpfs"; readonly size?: string }
    /** Absolute path; it keeps upper/ and work/, see overlayfs. `within`: a directory that it must not leave, as BindMount's. */
    | { readonly type: "directory"; readonly path: string; readonly within?: string };
  /** Owners are shown as this says: in a user namespace, root's files are to be its root's. */
  readonly idMap?: IdMapPlan;
  /** JSON pointer of what asks for it. */
  readonly field: string;
}

/** What the Reg extension adds to a config: the layers of the root, and mounts. */
export interface Composition {
  readonly layers: Omit<RootLayers, "idMap">;
  readonly mounts: readonly MountPlan[];
}

/** A path hidden or made read-only inside the container. */
export interface PathPlan {
  readonly path: string;
  readonly field: string;
}

export interface Plan {
  readonly ociVersion: string;
  readonly id: string;
  readonly bundle: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly namespaces: NamespacePlan;
  /** Devices of the host that go into the container's network namespace; absent when there are none. */
  readonly netDevices?: readonly NetDevicePlan[];
  readonly rootfs: RootfsPlan;
  readonly mounts: readonly MountPlan[];
  /** Whether /dev gets nodes and links. */
  readonly fillDev: boolean;
  readonly devices: readonly DevicePlan[];
  readonly hostname?: string;
  readonly domainname?: string;
  readonly sysctl: readonly SysctlPlan[];
  readonly readonlyPaths: readonly PathPlan[];
  readonly maskedPaths: readonly PathPlan[];
  readonly mountLabel?: string;
  readonly cgroup: CgroupPlan;
  readonly hooks: Hooks;
  /** Absent when config.json has no process: the container can be created, not started. */
  readonly process?: ProcessPlan;
  readonly personality?: { readonly domain: string };
  readonly memoryPolicy?: MemoryPolicy;
  readonly intelRdt?: IntelRdtPlan;
  readonly seccomp?: SeccompPlan;
  /** Whether init gets a session keyring of its own. */
  readonly newKeyring: boolean;
  /** How many descriptors from 3 on the process keeps. */
  readonly preserveFds: number;
  /** What was found odd but is no fault; logged as warnings. */
  readonly warnings: readonly string[];
}

/** What the command line adds to config.json. */
export interface PlanOptions extends CgroupRequest {
  readonly id: string;
  /** Absolute. */
  readonly bundle: string;
  readonly noPivot: boolean;
  readonly noNewKeyring: boolean;
  readonly preserveFds: number;
  /** How many of them sd_listen_fds(3) is to find; they come first. */
  readonly listenFds: number;
  /** Directory of the host that gets the socket for sd_notify(3); absent: nobody listens. */
  readonly notifyDirectory?: string;
  /** Absent: the host is taken to have everything. */
  readonly processHost?: ProcessHost;
  /** What /proc/self/ns/FILE says; absent: the container's namespaces are taken to be others. */
  readonly ownNamespace?: (file: string) => string;
  /** Takes the place of root.path. */
  readonly composition?: Composition;
}

/** Where the directory with the socket for sd_notify(3) is mounted, as runc. */
export const NOTIFY_DESTINATION = "/run/notify";
const NOTIFY_SOCKET = `${NOTIFY_DESTINATION}/notify.sock`;

/** The mount of the directory with the socket. */
export function notifyMount(source: string): MountPlan {
  const options = parseMountOptions(["bind", "nosuid", "noexec", "nodev", "ro"]);
  return { kind: "bind", source, destination: NOTIFY_DESTINATION, options, field: "/process/env" };
}

/** Each path once. */
export function planPaths(paths: readonly string[] | undefined, field: string): PathPlan[] {
  const planned = new Map<string, PathPlan>();
  (paths ?? []).forEach((given, index) => {
    const path = cleanPath(given);
    if (!planned.has(path)) planned.set(path, { path, field: `${field}/${index}` });
  });
  return [...planned.values()];
}

function planNetDevices(devices: NonNullable<Linux["netDevices"]>): NetDevicePlan[] {
  return Object.entries(devices).map(([from, { name }]) => ({
    from,
    to: name === undefined || name === "" ? from : name,
    field: `/linux/netDevices/${escapePointer(from)}`,
  }));
}

function planRootfs(config: Config, options: PlanOptions, namespaces: NamespacePlan): RootfsPlan {
  const path = config.root?.path ?? "";
  const propagation = propagationFlag(config.linux?.rootfsPropagation ?? "");
  const { composition } = options;
  const layers = composition === undefined ? undefined : planLayers(composition, config, namespaces);
  return {
    path: layers?.lower ?? cleanPath(path.startsWith("/") ? path : `${options.bundle}/${path}`),
    // Without a mount namespace it is no mount of the container's, which alone could be read-only (as runc).
    readonly:
      (hasNamespace(namespaces, "mount") && (config.root?.readonly ?? false)) ||
      (layers !== undefined && layers.upper === undefined),
    ...(propagation === undefined ? {} : { propagation }),
    ...(layers === undefined ? {} : { layers }),
    change: !hasNamespace(namespaces, "mount") ? "chroot" : options.noPivot ? "move" : "pivot",
  };
}

function planLayers({ layers }: Composition, { linux = {} }: Config, namespaces: NamespacePlan): RootLayers {
  if ((namespaces.create & C.CLONE_NEWNS) === 0)
    throw new RegError("EINVAL", "a root of environments is mounted, and needs a mount namespace of its own", {
      field: layers.field,
      hint: 'add { "type": "mount" } to linux.namespaces',
    });
  if (!hasNamespace(namespaces, "user")) return layers;
  return { ...layers, idMap: { recursive: false, ...userNamespaceMap(linux) } };
}

/** Plans a container. Throws ConfigError or UsageError for what only the host makes impossible. */
export function planContainer(config: Config, options: PlanOptions, host: CgroupHost): Plan {
  const linux = config.linux ?? {};
  const namespaces = planNamespaces(config);
  const { notifyDirectory } = options;
  const asked = planMounts(config, options.bundle);
  const added = options.composition?.mounts ?? [];
  const mounts = [...asked, ...added, ...(notifyDirectory === undefined ? [] : [notifyMount(notifyDirectory)])];
  const intelRdt = planIntelRdt(config, options.id);
  const unknown: string[] = [];
  const warnings: string[] = [];
  const whole = config.process === undefined ? undefined : planProcess(config.process, unknown, config.annotations);
  const { processHost } = options;
  const process =
    whole && processHost ? fitProcess(whole, processHost, hasNamespace(namespaces, "user"), warnings) : whole;
  const labelled = Boolean(linux.mountLabel) && (processHost === undefined || processHost.modules.hasSelinux());
  if (linux.mountLabel && !labelled) warnings.push("linux.mountLabel is ignored: this kernel has no SELinux");
  if (config.root?.readonly === true && !hasNamespace(namespaces, "mount"))
    warnings.push("root.readonly is ignored: the container has no mount namespace of its own");
  const seccomp = planSeccomp(config);
  const listen = options.listenFds > 0 ? [`LISTEN_FDS=${options.listenFds}`, "LISTEN_PID=1"] : [];
  if (notifyDirectory !== undefined) listen.push(`NOTIFY_SOCKET=${NOTIFY_SOCKET}`);
  if (options.preserveFds < 0) throw new UsageError(`--preserve-fds ${options.preserveFds}: expected 0 or more`);
  return {
    ociVersion: config.ociVersion,
    id: options.id,
    bundle: options.bundle,
    annotations: config.annotations ?? {},
    namespaces,
    ...(linux.netDevices === undefined ? {} : { netDevices: planNetDevices(linux.netDevices) }),
    rootfs: planRootfs(config, options, namespaces),
    mounts,
    fillDev: fillsDev(mounts),
    devices: planDevices(config),
    ...(config.hostname ? { hostname: config.hostname } : {}),
    ...(config.domainname ? { domainname: config.domainname } : {}),
    sysctl: planSysctl(config, namespaces, options.ownNamespace),
    readonlyPaths: planPaths(linux.readonlyPaths, "/linux/readonlyPaths"),
    maskedPaths: planPaths(linux.maskedPaths, "/linux/maskedPaths"),
    ...(linux.mountLabel && labelled ? { mountLabel: linux.mountLabel } : {}),
    cgroup: planCgroup(config, options, host),
    hooks: config.hooks ?? {},
    ...(process === undefined ? {} : { process: { ...process, env: lastWins([...process.env, ...listen]) } }),
    ...(linux.personality === undefined ? {} : { personality: linux.personality }),
    ...(linux.memoryPolicy === undefined ? {} : { memoryPolicy: linux.memoryPolicy }),
    ...(intelRdt === undefined ? {} : { intelRdt }),
    ...(seccomp === undefined ? {} : { seccomp }),
    newKeyring: !options.noNewKeyring,
    preserveFds: options.preserveFds + options.listenFds,
    warnings: [...unknown.map((name) => `capability ${name} is unknown and was ignored`), ...warnings],
  };
}
