/**
 * `reg create`: everything up to, and not including, the user's process (runtime-spec runtime.md, "Lifecycle" 1 to 5).
 * `reg run` builds the same container and starts it at once.
 */
import { at } from "../errors/errors.ts";
import { socketWithoutTty, ttyWithoutSocket } from "../errors/messages.ts";
import { admissionOf, joinsPid, makesNetwork, type NewTask, spawnInit } from "../init/spawn.ts";
import { killSpawned, type RuntimeChannel } from "../init/spawned.ts";
import * as C from "../libc/constants.ts";
import { close } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import { closeHeld } from "../libc/process.ts";
import type { CgroupHost } from "../linux/cgroup/host.ts";
import type { MovedDevice } from "../linux/net-device.ts";
import { processStatus } from "../linux/process.ts";
import type { ResctrlState } from "../linux/resctrl.ts";
import type { Config } from "../oci/config.ts";
import { hasNamespace } from "../oci/plan/namespaces.ts";
import type { Plan } from "../oci/plan/plan.ts";
import { adjustOomScore, giveStandardDescriptors, writeIdMaps } from "./admit.ts";
import { connectIfGiven, sendPidfd, writePidFile } from "./caller.ts";
import { Container } from "./container.ts";
import { runPoststop } from "./delete.ts";
import type { Interrupt } from "./interrupt.ts";
import { giveNetwork } from "./network.ts";
import { NewCgroup } from "./new-cgroup.ts";
import { NewResctrl } from "./new-resctrl.ts";
import { makeNotifyDirectory } from "./notify.ts";
import { type CreateOptions, type LoadedConfig, loadAndPlan, type PlannedAhead } from "./plan.ts";
import { Rollback } from "./rollback.ts";
import { dismissListener } from "./seccomp.ts";
import { serveInit } from "./serve-init.ts";
import { checkId, StateDirectory, type StateFile } from "./store.ts";

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

/** Creates a container, and leaves its init waiting at the exec fifo. Throws after taking everything back. */
export function create(options: CreateOptions): Container {
  const built = build(options, true, true);
  const { container, channel, rollback } = built;
  try {
    if (built.terminal !== undefined) throw ttyWithoutSocket();
    if (options.pidFile !== undefined) writePidFile(options.pidFile, built.pid); // last: callers wait for it
    if (!built.told) channel.send({ type: "park" });
    container.directory.unlock();
    return container;
  } catch (error) {
    rollback.run();
    throw error;
  }
}

/**
 * Builds the container up to the point where init waits. `detached`: nobody stays to hold its terminal. `gated`: init will
 * wait at the exec fifo for somebody else's `start`. `watch` is called when all is read and checked; what it gives can end the waiting.
 * `ahead`: what was planned already, in case that it was for this.
 */
export function build(
  options: CreateOptions,
  detached: boolean,
  gated: boolean,
  watch: () => Interrupt | undefined = () => undefined,
  ahead?: PlannedAhead,
): Built {
  checkId(options.id);
  return loadAndPlan(options, ahead, (plan, cgroupHost, loaded) => {
    for (const warning of plan.warnings) options.warn?.(warning);
    checkTerminal(plan, options, detached);
    return buildPlanned(plan, cgroupHost, loaded, options, gated, watch());
  });
}

/** The steps, in time order. Each leaves its undoing behind. */
function buildPlanned(
  plan: Plan,
  cgroupHost: CgroupHost,
  { config, text }: LoadedConfig,
  options: CreateOptions,
  gated: boolean,
  interrupt: Interrupt | undefined,
): Built {
  const rollback = new Rollback();
  try {
    const consoleSocket = connectIfGiven(options.consoleSocket, rollback);
    const resctrl = plan.intelRdt === undefined ? undefined : new NewResctrl(plan.intelRdt);
    const first = firstState(config, plan, resctrl?.state);
    const directory = StateDirectory.claim(options.root, options.id);
    rollback.add(() => directory.close());
    rollback.add(() => directory.remove());
    let begun = false;
    rollback.add(() => {
      // Who has been told of the container is told of its end, when nothing is left of it (runtime-spec, "Lifecycle" 13).
      if (begun) runPoststop(new Container(directory, first), options.warn);
    });
    directory.writeFirst(first, text);
    if (options.notifySocket !== undefined) makeNotifyDirectory(directory.path);
    const cgroup = new NewCgroup(plan);
    rollback.add(() => cgroup.destroy());
    resctrl?.make(rollback);
    const execFifo = gated ? directory.makeExecFifo() : undefined;
    if (admissionOf(plan) === "intermediate") cgroup.limitDevices(); // it is in its cgroup from the start
    const task = taskOf(plan, cgroupHost, cgroup, options);
    const spawned = spawnInit(task, execFifo);
    const { pid, channel } = spawned;
    rollback.add(() => killSpawned(spawned));
    if (execFifo !== undefined) close(execFifo);

    // From here on init works too, up to the point where it needs what it is admitted to.
    const netDevices = giveNetwork(task, pid, channel);
    cgroup.complete();
    resctrl?.join(pid);
    admit(plan, pid, cgroup, channel, netDevices);
    cgroup.limit();
    let container = withInit(directory, { ...first, cgroup: cgroup.state }, pid);
    if (!joinsPid(plan.namespaces)) directory.write(container.state); // else it is not there yet
    // When init's being ready changes nothing here, it need not wait to be told what follows.
    const told = !waitsForReady(plan, options, gated);
    if (told) channel.tell({ type: gated ? "park" : "start" });
    closeHeld(); // now, while init has its mounts to do
    const terminal = serveInit(plan, container, cgroup, spawned, consoleSocket, interrupt, () => {
      begun = true;
    });
    if (joinsPid(plan.namespaces)) {
      container = withInit(directory, container.state, spawned.pid);
      directory.write(container.state);
    }
    dismissListener(plan.seccomp?.unusedListener);
    if (options.pidfdSocket !== undefined) sendPidfd(options.pidfdSocket, spawned.pid, "standard");
    return {
      plan,
      container,
      pid: spawned.pid,
      channel,
      told,
      rollback,
      ...(terminal === undefined ? {} : { terminal }),
    };
  } catch (error) {
    for (const failure of rollback.run())
      options.warn?.(`cleaning up: ${failure instanceof Error ? failure.message : failure}`);
    throw error;
  }
}

function withInit(directory: StateDirectory, state: StateFile, pid: number): Container {
  return new Container(directory, { ...state, pid, startTime: processStatus(pid)?.startTime ?? 0 });
}

function taskOf(plan: Plan, cgroupHost: CgroupHost, cgroup: NewCgroup, { root, rootless }: CreateOptions): NewTask {
  const { seccomp } = plan;
  return {
    plan,
    cgroupHost,
    cgroup: cgroup.state,
    admission: admissionOf(plan),
    // Root of a user namespace could not come back from it: its own network belongs to the namespace outside.
    networkByRuntime: makesNetwork(plan) && !rootless,
    rootless: libc.geteuid() !== 0,
    ...(seccomp === undefined ? {} : { seccompRequest: { plan: seccomp, root } }),
  };
}

/** Whether something has to happen between init's being ready and its next step: a limit, a hook, a file for others. */
function waitsForReady(plan: Plan, options: CreateOptions, gated: boolean): boolean {
  const { prestart = [], createRuntime = [], createContainer = [] } = plan.hooks;
  if (prestart.length + createRuntime.length + createContainer.length > 0) return true;
  if (plan.namespaces.timeOffsets !== undefined) return true; // init may have to ask for them
  if (plan.process?.terminal === true && options.consoleSocket === undefined && !gated) return true; // its settings come first
  if (plan.cgroup.writes.some((write) => write.controller === "memory")) return true;
  if (joinsPid(plan.namespaces)) return true; // it has to be welcomed
  if (gated) return false;
  return options.pidFile !== undefined || options.pidfdSocket !== undefined || options.notifySocket !== undefined;
}

/** Throws RegError for a terminal that nobody would hold, and for a console socket without one. */
export function checkTerminal(
  plan: Plan,
  { consoleSocket }: Pick<CreateOptions, "consoleSocket">,
  detached: boolean,
): void {
  const terminal = plan.process?.terminal ?? false;
  if (terminal && detached && consoleSocket === undefined) throw ttyWithoutSocket();
  if (consoleSocket !== undefined && (!terminal || !detached)) throw socketWithoutTty();
}

/** What state.json says before there is a process. */
export function firstState(config: Config, plan: Plan, resctrl: ResctrlState | undefined): StateFile {
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
    ...((plan.namespaces.create & C.CLONE_NEWPID) !== 0 ? {} : { sharesPids: true }),
    ...(plan.newKeyring ? {} : { noNewKeyring: true }),
    hooks: { poststart, poststop },
    ...(resctrl === undefined ? {} : { resctrl }),
  };
}

/** Lets init into its cgroup, and on with what needs that. */
function admit(
  plan: Plan,
  pid: number,
  cgroup: NewCgroup,
  channel: RuntimeChannel,
  netDevices: readonly MovedDevice[] | undefined,
): void {
  const { process, namespaces, memoryPolicy } = plan;
  const { uidMap, gidMap } = namespaces;
  const oomScoreAdj = process?.oomScoreAdj;
  if (oomScoreAdj !== undefined) at("/process/oomScoreAdj", () => adjustOomScore(pid, oomScoreAdj));
  if (uidMap !== undefined && gidMap !== undefined) writeIdMaps(pid, uidMap, gidMap);
  if (process !== undefined && !process.terminal && hasNamespace(namespaces, "user"))
    giveStandardDescriptors(pid, process.uid);
  if (admissionOf(plan) === "runtime") cgroup.attach(pid);
  // Init must not meet its cgroup half configured: it opens devices, and a real-time policy or memory nodes need their limits.
  cgroup.limitDevices();
  if (process?.scheduler !== undefined || memoryPolicy !== undefined) cgroup.limit();
  channel.tell({ type: "proceed", ...(netDevices === undefined ? {} : { netDevices }) });
}
