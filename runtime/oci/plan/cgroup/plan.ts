/**
 * Plans a container's cgroup: config.json and facts about the host become directories to make and files to write. Pure.
 * Source: runtime-spec config-linux.md "Cgroups Path" and "Control groups".
 */
import type { CgroupHost } from "../../../linux/cgroup/host.ts";
import type { CgroupDriver, CgroupLimits, CgroupPlan, CgroupState, FileWrite } from "../../../linux/cgroup/types.ts";
import type { Config, LinuxResources } from "../../config.ts";
import { planPaths } from "./paths.ts";
import type { planProperties, planSystemd } from "./systemd.ts";
import * as v1 from "./v1/plan.ts";
import * as v2 from "./v2/plan.ts";

export type { CgroupHost } from "../../../linux/cgroup/host.ts";
export type { CgroupLimits, CgroupPlan, FileWrite } from "../../../linux/cgroup/types.ts";

/** What systemd.ts plans; handed in, so that only those who use systemd load it. */
export interface SystemdPlanner {
  readonly planSystemd: typeof planSystemd;
  readonly planProperties: typeof planProperties;
}

/** What the command line says about cgroups. */
export interface CgroupRequest {
  /** The container's id. */
  readonly id: string;
  /** From --systemd-cgroup and --cgroup-manager. */
  readonly cgroupManager: CgroupDriver;
  /** The caller is not root of the initial user namespace. */
  readonly rootless: boolean;
  /** Needed for the systemd manager. */
  readonly systemd?: SystemdPlanner;
}

/** True when the plan needs `own` of the host's facts: pass it to detectCgroups. */
export function needsOwnCgroups(config: Config, request: CgroupRequest): boolean {
  if (request.cgroupManager !== "cgroupfs") return request.cgroupManager === "systemd";
  const path = config.linux?.cgroupsPath ?? "";
  return path === "" ? request.rootless : !path.startsWith("/");
}

/** The cgroup of a new container. Throws ConfigError for limits that this host's cgroup version can not express. */
export function planCgroup(config: Config, request: CgroupRequest, host: CgroupHost): CgroupPlan {
  const version = host.mode === "v2" ? 2 : 1;
  const asked = config.linux?.cgroupsPath ?? "";
  const base = { version, optional: asked === "" && (request.rootless || host.userNamespace === true) } as const;
  if (request.cgroupManager === "disabled")
    return { ...base, driver: "disabled", paths: {}, mountpoints: {}, early: [], writes: [] };
  const mountpoints: Record<string, string> = {};
  for (const { name, mountpoint } of host.hierarchies) mountpoints[name] = mountpoint;
  if (request.cgroupManager === "systemd") {
    if (request.systemd === undefined) throw new TypeError("the systemd planner was not handed in");
    return {
      ...base,
      driver: "systemd",
      mountpoints,
      ...planLimits(config.linux?.resources ?? {}, host.mode, request.rootless ? "optional" : "yes"),
      ...request.systemd.planSystemd(config, request.id, request.rootless, host),
    };
  }
  const path = asked !== "" ? asked : request.rootless ? request.id : `/${request.id}`;
  return {
    ...base,
    driver: "cgroupfs",
    paths: planPaths(path, host),
    mountpoints,
    ...planLimits(config.linux?.resources ?? {}, host.mode, request.rootless ? "optional" : "yes"),
  };
}

/**
 * The writes for a set of resources. `devices`: whether device rules are among them; an update leaves them alone, and a
 * new container has the default rules even when config.json has none.
 */
function planLimits(
  resources: LinuxResources,
  mode: CgroupHost["mode"],
  devices: "no" | "optional" | "yes",
): CgroupLimits & { readonly early: readonly FileWrite[] } {
  return mode === "v2" ? v2.planResources(resources, devices) : v1.planResources(resources, devices);
}

/**
 * What `update` changes in a container's cgroup: everything that `resources` names, apart from devices. Whose state it is
 * decides about the form: `state` is that of the container, as state.json keeps it.
 */
export function planUpdate(resources: LinuxResources, state: CgroupState, systemd?: SystemdPlanner): CgroupLimits {
  if (state.driver === "systemd" && systemd === undefined) throw new TypeError("the systemd planner was not handed in");
  const { early, writes } = planLimits(resources, state.version === 2 ? "v2" : "v1", "no");
  return {
    writes: [...early, ...writes],
    ...(systemd !== undefined && state.driver === "systemd"
      ? { properties: systemd.planProperties(resources, state.version) }
      : {}),
  };
}
