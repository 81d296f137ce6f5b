/**
 * `reg create`: everything up to, and not including, the user's process (runtime-spec runtime.md, "Lifecycle" 1 to 5).
 * `reg run` builds the same container and starts it at once.
 */
import { host } from "#host";
import { ENOENT, ENOTDIR } from "../errors/errno.ts";
import { at, fromErrorData, RegError, SyscallError } from "../errors/errors.ts";
import { socketWithoutTty, ttyWithoutSocket } from "../errors/messages.ts";
import { admissionOf, makesNetwork, type RuntimeChannel, spawnInit } from "../init/spawn.ts";
import * as C from "../libc/constants.ts";
import { close, open, readLink, readText, replaceFile, withFd, writeText } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import { closeHeld, openPidfd, waitFor } from "../libc/process.ts";
import { connectUnix, sendMessage } from "../libc/socket.ts";
import { type Cgroup, createCgroup, openCgroup } from "../linux/cgroup/cgroup.ts";
import { type CgroupHost, detectCgroups } from "../linux/cgroup/host.ts";
import type { CgroupLimits, CgroupPlan, FileWrite } from "../linux/cgroup/types.ts";
import { type MovedDevice, moveDevices, type NetDevicePlan } from "../linux/net-device.ts";
import { makeNetworkNamespace } from "../linux/network.ts";
import { processStatus } from "../linux/process.ts";
import { findResctrl, joinResctrl, makeResctrl, removeResctrl, resctrlPaths } from "../linux/resctrl.ts";
import * as modules from "../linux/security-module.ts";
import type { Config } from "../oci/config.ts";
import { runHooks } from "../oci/hooks.ts";
import { parseConfig } from "../oci/parse.ts";
import { needsOwnCgroups } from "../oci/plan/cgroup/plan.ts";
import * as systemd from "../oci/plan/cgroup/systemd.ts";
import { type Composition, type Plan, type PlanOptions, planContainer } from "../oci/plan/plan.ts";
import { Container } from "./container.ts";
import { makeNotifyDirectory } from "./notify.ts";
import { Rollback } from "./rollback.ts";
import { handOverListener } from "./seccomp.ts";
import { checkId, NOTIFY_DIRECTORY, StateDirectory, type StateFile } from "./store.ts";
import { systemdDriver } from "./systemd.ts";

/** Turns the Reg extension of a config into layers and mounts, see runtime/reg/compose.ts; undefined for a config without. */
export type Compose = (config: Config, bundle: string) => HeldComposition | undefined;

/** A composition whose parts stay there until they are mounted, or `release` is called. */
export interface HeldComposition extends Composition {
  readonly release: () => void;
}

export interface CreateOptions extends Omit<PlanOptions, "bundle" | "notifyDirectory" | "composition"> {
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

/** A container whose init waits for `start`; whoever has it decides how that is said. */
export interface Built {
  readonly plan: Plan;
  readonly container: Container;
  readonly pid: number;
  readonly channel: RuntimeChannel;
  /** Whether init has been told already what to do when it is ready. */
  readonly told: boolean;
  /** Master of the container's terminal, when no console socket took it. */
  readonly terminal?: number;
  /** Takes everything back. */
  readonly rollback: Rollback;
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
export function loadConfig(bundle: string, file = "config.json"): LoadedConfig {
  const path = file.startsWith("/") ? file : `${bundle}/${file}`;
  let text: string;
  try {
    text = readText(path, C.AT_FDCWD, CONFIG_LIMIT_BYTES);
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    const missing = error.errno === ENOENT || error.errno === ENOTDIR;
    const hint = missing ? "a bundle is a directory with a config.json: see reg spec" : undefined;
    throw new SyscallError(error.syscall, path, error.errno, hint === undefined ? {} : { hint });
  }
  return { config: parseConfig(text, path), text };
}

/** Plans the container that a config describes, for this host. */
export function planFor(config: Config, options: CreateOptions): Plan {
  return withPlan(config, options, (plan) => plan);
}

/** Plans, and holds what the root is composed of while `action` runs. */
function withPlan<T>(config: Config, options: CreateOptions, action: (plan: Plan, cgroupHost: CgroupHost) => T): T {
  const cgroupHost = detectCgroups(needsOwnCgroups(config, options));
  const bundle = absolutePath(options.bundle);
  const composition = options.compose?.(config, bundle);
  try {
    const more = { ...notifyOption(options), ...(composition === undefined ? {} : { composition }) };
    return action(planContainer(config, { ...options, ...more, systemd, modules, bundle }, cgroupHost), cgroupHost);
  } finally {
    composition?.release();
  }
}

function notifyOption({ root, id, notifySocket }: CreateOptions): Pick<PlanOptions, "notifyDirectory"> {
  if (notifySocket === undefined) return {};
  return { notifyDirectory: `${absolutePath(root)}/${id}/${NOTIFY_DIRECTORY}` };
}

/** Creates a container, and leaves its init waiting at the exec fifo. Throws after taking everything back. */
export function create(options: CreateOptions): Container {
  const built = build(options, true, true);
  const { container, channel, rollback } = built;
  try {
    if (built.terminal !== undefined) throw ttyWithoutSocket();
    if (options.pidFile !== undefined) writePidFile(options.pidFile, built.pid); // last: callers wait for it
    if (!built.told) channel.send({ type: "park" });
    return container;
  } catch (error) {
    rollback.run();
    throw error;
  }
}

/** Writes the pid without a newline, as containerd's shim wants it. */
export function writePidFile(path: string, pid: number): void {
  about("pid file", () => replaceFile(path, String(pid), 0o644));
}

/** Runs `action`; its error says what the path in it was for. */
export function about<T>(what: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof RegError)) throw error;
    throw new RegError(error.code, `${what}: ${error.message}`, { cause: error });
  }
}

/**
 * Builds the container up to the point where init waits. `detached`: nobody stays to hold its terminal. `gated`: init will
 * wait at the exec fifo for somebody else's `start`.
 */
export function build(options: CreateOptions, detached: boolean, gated: boolean): Built {
  checkId(options.id);
  const loaded = loadConfig(options.bundle, options.configFile);
  return withPlan(loaded.config, options, (plan, cgroupHost) => {
    for (const warning of plan.warnings) options.warn?.(warning);
    checkTerminal(plan, options, detached);
    return buildPlanned(plan, cgroupHost, loaded, options, gated);
  });
}

function buildPlanned(
  plan: Plan,
  cgroupHost: CgroupHost,
  { config, text }: LoadedConfig,
  options: CreateOptions,
  gated: boolean,
): Built {
  const rollback = new Rollback();
  try {
    const consoleSocket = connectIfGiven(options.consoleSocket, rollback);
    const directory = StateDirectory.claim(options.root, options.id);
    rollback.add(() => directory.remove());
    const resctrl = plan.intelRdt === undefined ? undefined : resctrlPaths(findResctrl(), plan.intelRdt);
    const first = { ...firstState(config, plan), ...(resctrl === undefined ? {} : { resctrl }) };
    directory.writeFirst(first, text);
    if (options.notifySocket !== undefined) makeNotifyDirectory(directory.path);
    const [early, late] = splitCgroup(plan);
    let cgroup = early === undefined ? noneYet(plan.cgroup) : createCgroup(early, systemdDriver(early));
    const execFifo = gated ? directory.makeExecFifo() : undefined;

    const cgroupState = late === undefined ? cgroup.state : { ...cgroup.state, paths: plan.cgroup.paths };
    rollback.add(() => openCgroup(cgroup.state, systemdDriver(plan.cgroup)).destroy());
    const { seccomp } = plan;
    const seccompRequest = seccomp === undefined ? {} : { seccompRequest: { plan: seccomp, root: options.root } };
    const task = {
      plan,
      cgroupHost,
      cgroup: cgroupState,
      admission: admissionOf(plan),
      networkByRuntime: makesNetwork(plan),
      ...seccompRequest,
    };
    if (plan.intelRdt !== undefined && resctrl !== undefined) {
      rollback.add(() => removeResctrl(resctrl));
      makeResctrl(resctrl, plan.intelRdt);
    }
    const { pid, channel } = spawnInit(task, execFifo);
    rollback.add(() => killInit(pid, channel));
    if (execFifo !== undefined) close(execFifo);

    // From here on init works too, up to the point where it needs what it is admitted to.
    let devices: readonly MovedDevice[] | undefined;
    if (task.networkByRuntime)
      withFd(makeNetworkNamespace(), (network) => {
        if (plan.netDevices !== undefined) devices = moveDevices(plan.netDevices, network);
        channel.tell({ type: "network" }, [network]);
      });
    else if (plan.netDevices !== undefined) devices = moveInto(plan.netDevices, plan, pid);
    if (late !== undefined) {
      cgroup = openCgroup(cgroupState);
      createCgroup(late);
    }
    if (resctrl !== undefined) joinResctrl(resctrl, pid);
    admit(plan, pid, cgroup, channel, devices);
    cgroup.apply(limitsOf(plan.cgroup, (write) => write.controller !== "memory"));
    const startTime = processStatus(pid)?.startTime ?? 0;
    const container = new Container(directory, { ...first, pid, startTime, cgroup: cgroup.state });
    directory.write(container.state);
    // When init's being ready changes nothing here, it need not wait to be told what follows.
    const told = !waitsForReady(plan, options, gated);
    if (told) channel.tell({ type: gated ? "park" : "start" });
    closeHeld(); // now, while init has its mounts to do
    const terminal = serveInit(plan, container, cgroup, channel, consoleSocket);
    if (options.pidfdSocket !== undefined) sendPidfd(options.pidfdSocket, pid, "standard");
    return { plan, container, pid, channel, told, rollback, ...(terminal === undefined ? {} : { terminal }) };
  } catch (error) {
    for (const failure of rollback.run())
      options.warn?.(`cleaning up: ${failure instanceof Error ? failure.message : failure}`);
    throw error;
  }
}

/**
 * The cgroups that must be there when init is born, and those that can be made while it works: init enters cgroups v1 by
 * itself, but a v2 one costs nothing only at birth (CLONE_INTO_CGROUP).
 */
function splitCgroup(plan: Plan): readonly [early: CgroupPlan | undefined, late: CgroupPlan | undefined] {
  const { cgroup } = plan;
  const { unified, ...rest } = cgroup.paths;
  const whole = admissionOf(plan) !== "init" || cgroup.version !== 1 || cgroup.optional;
  if (whole || Object.keys(rest).length === 0) return [cgroup, undefined];
  const early = unified === undefined ? undefined : { ...cgroup, paths: { unified }, early: [] };
  return [early, { ...cgroup, paths: rest }];
}

function noneYet({ driver, version }: CgroupPlan): Cgroup {
  return openCgroup({ driver, version, paths: {} });
}

/** Whether something has to happen between init's being ready and its next step: a limit, a hook, a file for others. */
function waitsForReady(plan: Plan, options: CreateOptions, gated: boolean): boolean {
  const { prestart = [], createRuntime = [] } = plan.hooks;
  if (prestart.length + createRuntime.length > 0) return true;
  if (plan.cgroup.writes.some((write) => write.controller === "memory")) return true;
  return !gated && (options.pidFile !== undefined || options.pidfdSocket !== undefined);
}

/** The part of the limits that `which` selects; device programs and unit properties go with the first part. */
function limitsOf(cgroup: CgroupPlan, which: (write: FileWrite) => boolean): CgroupLimits {
  return { ...cgroup, writes: cgroup.writes.filter(which) };
}

function checkTerminal(plan: Plan, { consoleSocket }: CreateOptions, detached: boolean): void {
  const terminal = plan.process?.terminal ?? false;
  if (terminal && detached && consoleSocket === undefined) throw ttyWithoutSocket();
  if (consoleSocket !== undefined && (!terminal || !detached)) throw socketWithoutTty();
}

export function connectIfGiven(path: string | undefined, rollback: Rollback): number | undefined {
  if (path === undefined) return undefined;
  const fd = about("console socket", () => connectUnix(path));
  rollback.add(() => close(fd));
  return fd;
}

function firstState(config: Config, plan: Plan): StateFile {
  const { poststart = [], poststop = [] } = config.hooks ?? {};
  const { driver, version, paths, unit } = plan.cgroup;
  return {
    ociVersion: config.ociVersion,
    id: plan.id,
    bundle: plan.bundle,
    rootfs: plan.rootfs.path,
    created: new Date().toISOString(),
    annotations: plan.annotations,
    ownerUid: libc.geteuid(),
    cgroup: { driver, version, paths, ...(unit === undefined ? {} : { unit: unit.name, user: unit.user }) },
    ...(plan.newKeyring ? {} : { noNewKeyring: true }),
    hooks: { poststart, poststop },
  };
}

/** What init cannot do for itself: the maps of its user namespace, a systemd unit, its score for the OOM killer. */
function admit(
  plan: Plan,
  pid: number,
  cgroup: Cgroup,
  channel: RuntimeChannel,
  netDevices: readonly MovedDevice[] | undefined,
): void {
  const { uidMap, gidMap } = plan.namespaces;
  const oomScoreAdj = plan.process?.oomScoreAdj;
  if (oomScoreAdj !== undefined)
    at("/process/oomScoreAdj", () => writeText(`/proc/${pid}/oom_score_adj`, String(oomScoreAdj)));
  if (uidMap !== undefined && gidMap !== undefined) writeIdMaps(pid, uidMap, gidMap);
  if (admissionOf(plan) === "runtime") cgroup.attach(pid);
  channel.tell({ type: "proceed", ...(netDevices === undefined ? {} : { netDevices }) });
}

/** Moves devices into the network namespace that init was born in or joins. */
function moveInto(devices: readonly NetDevicePlan[], plan: Plan, pid: number): MovedDevice[] {
  const joined = plan.namespaces.join.find(({ type }) => type === "network")?.path;
  return withFd(open(joined ?? `/proc/${pid}/ns/net`, C.O_RDONLY), (namespace) => moveDevices(devices, namespace));
}

/** user_namespaces(7): an unprivileged caller maps one id, its own, and must give up setgroups(2) before. */
function writeIdMaps(pid: number, uidMap: string, gidMap: string): void {
  if (libc.geteuid() !== 0) writeText(`/proc/${pid}/setgroups`, "deny");
  at("/linux/uidMappings", () => writeText(`/proc/${pid}/uid_map`, uidMap));
  at("/linux/gidMappings", () => writeText(`/proc/${pid}/gid_map`, gidMap));
}

/** Answers init until it is ready. Returns the terminal's master when there is one and no console socket to send it to. */
function serveInit(
  plan: Plan,
  container: Container,
  cgroup: Cgroup,
  channel: RuntimeChannel,
  consoleSocket: number | undefined,
): number | undefined {
  let terminal: number | undefined;
  let memory = plan.cgroup.writes.filter((write) => write.controller === "memory");
  const limitMemory = () => {
    if (memory.length > 0) cgroup.apply({ writes: memory });
    memory = [];
  };
  for (;;) {
    const received = channel.receive();
    if (received === undefined) throw initDied(container.state.pid ?? 0);
    const { message, descriptors } = received;
    switch (message.type) {
      case "error":
        throw fromErrorData(message.error);
      case "hooks":
        limitMemory(); // before the hooks, which may change what is set
        // The hook of specification 1.0, which ran when the container had been created.
        runHooks("prestart", plan.hooks, container.describe("created"));
        runHooks("createRuntime", plan.hooks, container.describe("creating"));
        channel.tell({ type: "proceed" });
        break;
      case "console":
        [terminal] = descriptors;
        if (consoleSocket !== undefined && terminal !== undefined) {
          sendMessage(consoleSocket, host.encode("/dev/ptmx"), [terminal]);
          close(terminal);
          close(consoleSocket);
          terminal = undefined;
        }
        break;
      case "seccomp":
        handOverListener(plan.seccomp?.listener, descriptors, container.state.pid ?? 0, container.describe("creating"));
        break;
      case "ready":
        limitMemory(); // only now: what init needed is behind it, so a small limit is no obstacle
        return terminal;
      default:
        throw new RegError("EPROTO", `init sent an unexpected message: ${message.type}`);
    }
  }
}

/** How init ended when it could not say so itself: most often by the OOM killer. */
function initDied(pid: number): RegError {
  const status = waitFor(pid);
  const how = "signal" in status ? `was killed by signal ${status.signal}` : `exited with status ${status.code}`;
  const hint = "signal" in status && status.signal === 9 ? "is linux.resources.memory.limit too small?" : undefined;
  return new RegError("ECHILD", `container init ${how} before it was ready`, hint === undefined ? {} : { hint });
}

export function sendPidfd(path: string, pid: number, payload: "standard" | "setns"): void {
  const pidfd = openPidfd(pid);
  if (pidfd === undefined) throw initDied(pid);
  withFd(pidfd, () =>
    withFd(
      about("pidfd socket", () => connectUnix(path)),
      (socket) => sendMessage(socket, host.encode(payload), [pidfd]),
    ),
  );
}

export function killInit(pid: number, channel: RuntimeChannel): void {
  const SIGKILL = 9;
  channel.close();
  libc.kill(pid, SIGKILL);
  libc.waitpid(pid, null, 0);
}
