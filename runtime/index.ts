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
import { checkpoint as checkpointContainer } from "./container/checkpoint.ts";
import { create as createContainer } from "./container/create.ts";
import type { CriuOptions } from "./container/criu/options.ts";
import { deleteContainer } from "./container/delete.ts";
import { stats as containerStats, type Event, type EventStats, watch } from "./container/events.ts";
import { exec as execInContainer } from "./container/exec.ts";
import { kill as killContainer } from "./container/kill.ts";
import { pause as pauseContainer, resume as resumeContainer } from "./container/pause.ts";
import { type CreateOptions as ContainerOptions, loadConfig, planFor } from "./container/plan.ts";
import { processIds } from "./container/ps.ts";
import { restore as restoreContainer } from "./container/restore.ts";
import { run as runContainer } from "./container/run.ts";
import { start as startContainer } from "./container/start.ts";
import { type ContainerState, containerState, listContainers } from "./container/state.ts";
import { update as updateContainer } from "./container/update.ts";
import { libc } from "./libc/libc.ts";
import type { ExitStatus } from "./libc/process.ts";
import { parseSignal } from "./linux/signal.ts";
import { isRootless } from "./linux/user-namespace.ts";
import type { Config, LinuxResources, Process, User } from "./oci/config.ts";
import { defaultSpec as specFor } from "./oci/default-spec.ts";
import { explain } from "./oci/explain.ts";
import { parseConfig, parseProcess, parseResources } from "./oci/parse.ts";
import type { Plan } from "./oci/plan/plan.ts";
import { InvalidDocument } from "./oci/validate.ts";
import { compose } from "./reg/compose.ts";

export type { CgroupMode, CriuOptions, NetworkLock } from "./container/criu/options.ts";
export type { Event, EventStats } from "./container/events.ts";
export type { ContainerState } from "./container/state.ts";
export { ConfigError, type Fault, RegError, SyscallError, UsageError } from "./errors/errors.ts";
export type { ExitStatus } from "./libc/process.ts";
export type { Config, Features, LinuxResources, Process, State, User } from "./oci/config.ts";
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
  /** Do without what only root may do; if absent, whether the caller is not the host's root. */
  readonly rootless?: boolean;
}

export interface RunOptions extends CreateOptions {
  /** Return when the process has started. */
  readonly detach?: boolean;
  /** Leave the stopped container for `remove`. */
  readonly keep?: boolean;
}

/**
 * A process that `exec` starts and waits for. What it does not say is as in the container's own process, but for the terminal, which it has none of. A
 * process that goes on by itself is not offered: it would be a child of this program, which nobody would collect at its end.
 */
export interface ExecOptions extends Options {
  /** The program and its arguments. */
  readonly args?: readonly string[];
  /** The working directory, an absolute path in the container. */
  readonly cwd?: string;
  /** `NAME=value`, beside the container's own environment. */
  readonly env?: readonly string[];
  /** Root of the container if absent. */
  readonly user?: User;
  /** All of the process, in the form of config.json's `process`, in place of the four above. */
  readonly process?: Process;
  /** Gets the id of the process. */
  readonly pidFile?: string;
  /** A unix socket that gets a pidfd of the process. */
  readonly pidfdSocket?: string;
  /** How many descriptors from 3 on the process keeps. */
  readonly preserveFds?: number;
  /** A cgroup below the container's: one path, or one for each controller (cgroup v1). */
  readonly cgroup?: string | Readonly<Record<string, string>>;
  /** Also in a paused container, where the process waits for `resume`. */
  readonly ignorePaused?: boolean;
}

/** What a checkpoint is made with: CRIU's options, under the names that `reg checkpoint` has. */
export interface CheckpointOptions extends Options, CriuOptions {
  /** An earlier checkpoint, relative to `imagePath`: only what has changed is saved. */
  readonly parentPath?: string;
  /** The container goes on, and is kept. */
  readonly leaveRunning?: boolean;
  /** Saves memory only, and lets the container go on. */
  readonly preDump?: boolean;
  /** Without TCP connections that are not accepted yet. */
  readonly tcpSkipInFlight?: boolean;
  /** With open files that were removed, by links beside them. */
  readonly linkRemap?: boolean;
  /** Where a page server takes the memory, or with lazy pages gives it. */
  readonly pageServer?: { readonly address: string; readonly port: number };
}

/** What a container is restored from and with. */
export interface RestoreOptions extends Omit<CreateOptions, "preserveFds">, CriuOptions {
  /** Return when the processes go on. */
  readonly detach?: boolean;
}

const DEFAULT_ROOT = "/run/reg";
const DEFAULT_INTERVAL_MS = 5000;

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

/**
 * Runs one more process in a running container, in its namespaces and its cgroup. Returns how it ended. Throws RegError when the container does not
 * run, or when the program cannot be executed.
 */
export function exec(id: string, options: ExecOptions): ExitStatus {
  const { root = DEFAULT_ROOT, args = [], cwd, env = [], user, process, ...more } = options;
  return explained(() => {
    const given = process === undefined ? undefined : parseProcess(JSON.stringify(process), "process");
    const status = execInContainer({
      preserveFds: 0,
      ignorePaused: false,
      ...more,
      detach: false,
      listenFds: 0,
      root,
      id,
      process: (own) =>
        given ?? {
          ...own,
          terminal: false,
          args,
          env: [...(own.env ?? []), ...env],
          user: user ?? { uid: 0, gid: 0, ...own.user },
          ...(cwd === undefined ? {} : { cwd }),
        },
    });
    if (status === undefined) throw new Error("exec did not wait");
    return status;
  });
}

/** Stops all processes of a container where they are. Throws RegError "container not running" in any other state. */
export function pause(id: string, { root = DEFAULT_ROOT }: Options = {}): void {
  explained(() => pauseContainer(root, id));
}

/** Lets the processes of a paused container go on. Throws RegError "container not paused". */
export function resume(id: string, { root = DEFAULT_ROOT }: Options = {}): void {
  explained(() => resumeContainer(root, id));
}

/**
 * Changes the limits of a container that `resources` names, in the form of config.json's `linux.resources`; others stay, and so does the access
 * to devices. Throws ConfigError, or RegError with the field that the kernel refused.
 */
export function update(id: string, resources: LinuxResources, { root = DEFAULT_ROOT }: Options = {}): void {
  explained(() => updateContainer(root, id, parseResources(JSON.stringify(resources), "resources")));
}

/** Ids of a container's processes, as the host sees them, ascending; none when it has stopped. */
export function ps(id: string, { root = DEFAULT_ROOT }: Options = {}): number[] {
  return explained(() => processIds(root, id));
}

/** What a container uses now: CPU, memory, processes, block I/O, pressure. Bytes, and nanoseconds. Throws RegError when it does not run. */
export function stats(id: string, { root = DEFAULT_ROOT }: Options = {}): EventStats {
  return explained(() => {
    const event = containerStats(root, id);
    if (event.type !== "stats") throw new Error(`statistics came as ${event.type}`);
    return event.data;
  });
}

/**
 * Reports statistics at every interval (5000 ms if absent), and each time that memory ran out. Returns when the container has stopped, and not before,
 * as every function here is synchronous: call it in a worker, or end it by an exception of `report`, which is passed on.
 */
export function events(
  id: string,
  report: (event: Event) => void,
  { root = DEFAULT_ROOT, intervalMs = DEFAULT_INTERVAL_MS }: Options & { readonly intervalMs?: number } = {},
): void {
  explained(() => watch(root, id, intervalMs, report));
}

/** Saves a container's processes with CRIU, and removes the container unless it is to go on. Throws RegError with the end of CRIU's log. */
export function checkpoint(id: string, { root = DEFAULT_ROOT, ...options }: CheckpointOptions): void {
  explained(() => checkpointContainer({ ...options, root, id, compose }));
}

/** Makes a container whose processes go on where a checkpoint was taken. Returns how it ended; undefined when detached. */
export function restore({ detach = false, ...options }: RestoreOptions): ExitStatus | undefined {
  const { preserveFds: _preserved, listenFds: _listened, ...made } = containerOptions(options);
  return explained(() => restoreContainer({ ...options, ...made, detach }));
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
    rootless: isRootless(),
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
