/**
 * reg as a library: OCI containers from a Node program, without a command line between them. Every function is
 * synchronous and throws RegError, with the field of config.json that it is about and a hint where there is one; a
 * config.json that is not valid throws ConfigError with all its faults.
 *
 *   import { create, remove, start, state } from "reg";
 *
 *   create({ id: "web1", bundle: "/srv/web" });
 *   start("web1");
 *   console.log(state("web1").status);
 *   remove("web1", { force: true });
 *
 * Node has threads, so it may not enter namespaces itself: `create` and `run` start the native binary for that, which is
 * build/reg of the checkout, or what the environment variable REG_NATIVE names. Descriptors 0, 1 and 2 of the calling
 * process become those of the container.
 */
import { create as createContainer } from "./container/create.ts";
import { deleteContainer } from "./container/delete.ts";
import { kill as killContainer } from "./container/kill.ts";
import { type CreateOptions as ContainerOptions, loadConfig, planFor } from "./container/plan.ts";
import { run as runContainer } from "./container/run.ts";
import { start as startContainer } from "./container/start.ts";
import { type ContainerState, containerState, listContainers } from "./container/state.ts";
import { libc } from "./libc/libc.ts";
import type { ExitStatus } from "./libc/process.ts";
import { parseSignal } from "./linux/signal.ts";
import type { Config } from "./oci/config.ts";
import { defaultSpec as specFor } from "./oci/default-spec.ts";
import { explain } from "./oci/explain.ts";
import { parseConfig } from "./oci/parse.ts";
import type { Plan } from "./oci/plan/plan.ts";
import { InvalidDocument } from "./oci/validate.ts";
import { compose } from "./reg/compose.ts";

export type { ContainerState } from "./container/state.ts";
export { ConfigError, type Fault, RegError, SyscallError, UsageError } from "./errors/errors.ts";
export type { ExitStatus } from "./libc/process.ts";
export type { Config, Features, State } from "./oci/config.ts";
export type { Plan } from "./oci/plan/plan.ts";

/** Where containers are kept, and who hears of oddities. */
export interface Options {
  /** The directory of containers' state; /run/reg if absent. */
  readonly root?: string;
  /** Told about what is odd and no error. */
  readonly warn?: (message: string) => void;
}

/** What a container is made from. */
export interface CreateOptions extends Options {
  /** Unique below the root. */
  readonly id: string;
  /** The directory with config.json. */
  readonly bundle: string;
  /** Another name for config.json. */
  readonly configFile?: string;
  /** Gets the id of the container's process. */
  readonly pidFile?: string;
  /** A unix socket that gets the master of the container's terminal. */
  readonly consoleSocket?: string;
  /** A unix socket that gets a pidfd of the container's process. */
  readonly pidfdSocket?: string;
  /** Do not use pivot_root(2), for a root filesystem on a ramdisk. */
  readonly noPivot?: boolean;
  /** Keep the caller's session keyring. */
  readonly noNewKeyring?: boolean;
  /** How many descriptors from 3 on the container's process keeps. */
  readonly preserveFds?: number;
  /** What the host lets annotations org.reg.* ask for; /etc/reg/reg.json if absent. */
  readonly hostConfig?: string;
  /** Who makes cgroups; "cgroupfs" if absent. */
  readonly cgroupManager?: "cgroupfs" | "systemd" | "disabled";
  /** Do without what only root may do; if absent, whether the caller is not root. */
  readonly rootless?: boolean;
}

export interface RunOptions extends CreateOptions {
  /** Return when the process has started. */
  readonly detach?: boolean;
  /** Leave the stopped container for `remove`. */
  readonly keep?: boolean;
}

const DEFAULT_ROOT = "/run/reg";

/** Creates a container; its process waits for `start`. On an error nothing of it is left. */
export function create(options: CreateOptions): ContainerState {
  explained(() => createContainer(containerOptions(options))).directory.close();
  return state(options.id, options);
}

/** Lets a created container run its program. Returns when it has been executed. */
export function start(id: string, options: Options = {}): void {
  explained(() => startContainer({ ...common(options), id }));
}

/** Creates a container, starts it, and waits for its end; undefined when detached. */
export function run({ detach = false, keep = false, ...options }: RunOptions): ExitStatus | undefined {
  return explained(() => runContainer({ ...containerOptions(options), detach, keep }));
}

/** The state of a container. Throws RegError "does not exist". */
export function state(id: string, { root = DEFAULT_ROOT }: Options = {}): ContainerState {
  return explained(() => containerState(root, id));
}

/** All containers below the root. */
export function list({ root = DEFAULT_ROOT, warn }: Options = {}): ContainerState[] {
  return explained(() => listContainers(root, warn));
}

/** Sends a signal, by name or number, to the container's process; with `all`, to all of its processes. */
export function kill(
  id: string,
  signal: string | number = "TERM",
  { root = DEFAULT_ROOT, all = false }: Options & { readonly all?: boolean } = {},
): void {
  explained(() => killContainer({ root, id, signal: parseSignal(String(signal)), all }));
}

/** Removes a stopped container; with `force`, kills it first, and is content when there is none. */
export function remove(id: string, { force = false, ...options }: Options & { readonly force?: boolean } = {}): void {
  explained(() => deleteContainer({ ...common(options), id, force }));
}

/** What `create` would do: plain data, in which each part names the field that asks for it. Changes nothing. */
export function plan(options: Omit<CreateOptions, "id"> & { readonly id?: string }): Plan {
  return explained(() => {
    const { config } = loadConfig(options.bundle, options.configFile);
    return planFor(config, containerOptions({ id: "container", ...options }));
  });
}

/** Reads a config.json. Throws ConfigError with every fault; `file` is its name there. */
export function parse(text: string, file = "config.json"): Config {
  return explained(() => parseConfig(text, file));
}

/** A config.json that runs a shell, to be changed and written to a bundle. */
export function defaultSpec({ rootless = false }: { readonly rootless?: boolean } = {}): Config {
  return specFor({ rootless, uid: libc.geteuid(), gid: libc.getgid() });
}

function common({ root = DEFAULT_ROOT, warn }: Options) {
  return warn === undefined ? { root } : { root, warn };
}

function containerOptions(options: CreateOptions): ContainerOptions {
  return {
    noPivot: false,
    noNewKeyring: false,
    preserveFds: 0,
    cgroupManager: "cgroupfs",
    rootless: libc.geteuid() !== 0,
    ...options,
    root: options.root ?? DEFAULT_ROOT,
    listenFds: 0,
    compose: (config, bundle) => compose(config, bundle, options.hostConfig),
  };
}

/** What is wrong with a document is worked out at once: a library has nobody later to do it. */
function explained<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw error instanceof InvalidDocument ? explain(error) : error;
  }
}
