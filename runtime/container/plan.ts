/** From a bundle to the plan of a container: what `create` and `run` begin with, and all that `plan` does. */
import { ENOENT, ENOTDIR } from "../errors/errno.ts";
import { SyscallError } from "../errors/errors.ts";
import * as C from "../libc/constants.ts";
import { readLink, readText } from "../libc/file.ts";
import { permittedCapabilities } from "../linux/capability.ts";
import { type CgroupHost, detectCgroups } from "../linux/cgroup/host.ts";
import * as modules from "../linux/security-module.ts";
import type { Config } from "../oci/config.ts";
import { parseConfig } from "../oci/parse.ts";
import { needsOwnCgroups } from "../oci/plan/cgroup/plan.ts";
import * as systemd from "../oci/plan/cgroup/systemd.ts";
import { type Composition, type Plan, type PlanOptions, planContainer } from "../oci/plan/plan.ts";
import { NOTIFY_DIRECTORY } from "./store.ts";

/** Turns the Reg extension of a config into layers and mounts, see runtime/reg/compose.ts; undefined for a config without. */
export type Compose = (config: Config, bundle: string) => HeldComposition | undefined;

/** A composition whose parts stay there until they are mounted, or `release` is called. */
export interface HeldComposition extends Composition {
  readonly release: () => void;
}

export interface CreateOptions
  extends Omit<PlanOptions, "bundle" | "notifyDirectory" | "composition" | "systemd" | "processHost" | "ownNamespace"> {
  /** Directory of all containers' state. */
  readonly root: string;
  /** Absolute or relative to the working directory. */
  readonly bundle: string;
  /** config.json's name; relative to the bundle. */
  readonly configFile?: string;
  readonly pidFile?: string;
  readonly consoleSocket?: string;
  readonly pidfdSocket?: string;
  /** The caller's $NOTIFY_SOCKET, for sd_notify(3) in the container. */
  readonly notifySocket?: string;
  /** Told about what is odd and no error. */
  readonly warn?: (message: string) => void;
  /** Absent: the Reg extension is ignored, as other runtimes do. */
  readonly compose?: Compose;
}

/** The largest config.json that is read. */
const CONFIG_LIMIT_BYTES = 32 * 1024 * 1024;

/** `path` from the root directory on, without following symlinks. */
export function absolutePath(path: string): string {
  if (path.startsWith("/")) return path.replace(/(?!^)\/+$/, "");
  const directory = readLink("/proc/self/cwd");
  return path === "." || path === "" ? directory : `${directory}/${path.replace(/^(\.\/+)+|\/+$/g, "")}`;
}

export interface LoadedConfig {
  readonly config: Config;
  readonly text: string;
}

/** Reads and validates the bundle's config.json; gives its text too. Throws InvalidDocument with every fault. */
export function loadConfig(bundle: string, file?: string): LoadedConfig {
  const text = readConfig(bundle, file);
  return { config: parseConfig(text, configPath(bundle, file)), text };
}

function configPath(bundle: string, file = "config.json"): string {
  return file.startsWith("/") ? file : `${bundle}/${file}`;
}

function readConfig(bundle: string, file: string | undefined): string {
  const path = configPath(bundle, file);
  try {
    return readText(path, C.AT_FDCWD, CONFIG_LIMIT_BYTES);
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    const missing = error.errno === ENOENT || error.errno === ENOTDIR;
    const hint = missing ? "a bundle is a directory with a config.json: see reg spec" : undefined;
    throw new SyscallError(error.syscall, path, error.errno, hint === undefined ? {} : { hint });
  }
}

/** Plans the container that a config describes, for this host. */
export function planFor(config: Config, options: CreateOptions): Plan {
  return withPlan(config, options, (plan) => plan);
}

/** A plan that was made before it is known whether it is wanted. */
export interface PlannedAhead extends LoadedConfig {
  readonly plan: Plan;
  readonly cgroupHost: CgroupHost;
  /** The options that it was made with. */
  readonly asked: string;
}

/** Plans for later; undefined for a container that has to hold what it is composed of. */
export function planAhead(options: CreateOptions): PlannedAhead | undefined {
  const loaded = loadConfig(options.bundle, options.configFile);
  return withPlan(loaded.config, options, (plan, cgroupHost) =>
    plan.rootfs.layers === undefined ? { ...loaded, plan, cgroupHost, asked: JSON.stringify(options) } : undefined,
  );
}

/** Reads config.json and plans; what was planned ahead is taken when it is of the same text and the same options. */
export function loadAndPlan<T>(
  options: CreateOptions,
  ahead: PlannedAhead | undefined,
  action: (plan: Plan, cgroupHost: CgroupHost, loaded: LoadedConfig) => T,
): T {
  const { bundle, configFile } = options;
  const text = readConfig(bundle, configFile);
  if (ahead?.text === text && ahead.asked === JSON.stringify(options))
    return action(ahead.plan, ahead.cgroupHost, ahead);
  const loaded = { text, config: parseConfig(text, configPath(bundle, configFile)) };
  return withPlan(loaded.config, options, (plan, cgroupHost) => action(plan, cgroupHost, loaded));
}

/** Plans, and holds what the root is composed of while `action` runs. */
export function withPlan<T>(
  config: Config,
  options: CreateOptions,
  action: (plan: Plan, cgroupHost: CgroupHost) => T,
): T {
  const cgroupHost = detectCgroups(needsOwnCgroups(config, options));
  const bundle = absolutePath(options.bundle);
  const composition = options.compose?.(config, bundle);
  try {
    const more = { ...notifyOption(options), ...(composition === undefined ? {} : { composition }) };
    const processHost = { modules, capabilities: permittedCapabilities() };
    const ownNamespace = (file: string) => readLink(`/proc/self/ns/${file}`);
    const whole = { ...options, ...more, systemd, processHost, ownNamespace, bundle };
    return action(planContainer(config, whole, cgroupHost), cgroupHost);
  } finally {
    composition?.release();
  }
}

function notifyOption({ root, id, notifySocket }: CreateOptions): Pick<PlanOptions, "notifyDirectory"> {
  if (notifySocket === undefined) return {};
  return { notifyDirectory: `${absolutePath(root)}/${id}/${NOTIFY_DIRECTORY}` };
}
