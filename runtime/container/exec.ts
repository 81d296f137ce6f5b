/** `reg exec`: runs one more process in a container, in its namespaces and its cgroup. */
import { fromErrorData, RegError } from "../errors/errors.ts";
import { execPaused, execStopped, notRunning, socketWithoutTty, ttyWithoutSocket } from "../errors/messages.ts";
import { spawnExec } from "../init/exec.ts";
import { endedEarly, killSpawned, receive, type Spawned, welcome } from "../init/spawned.ts";
import * as C from "../libc/constants.ts";
import { close, readLink, withFd } from "../libc/file.ts";
import { closeHeld, type ExitStatus, openPidfd } from "../libc/process.ts";
import { permittedCapabilities } from "../linux/capability.ts";
import type { Cgroup } from "../linux/cgroup/cgroup.ts";
import { hasController } from "../linux/cgroup/host.ts";
import { joinResctrl } from "../linux/resctrl.ts";
import * as modules from "../linux/security-module.ts";
import type { Config, Process } from "../oci/config.ts";
import { NAMESPACE_FILES, NAMESPACE_FLAGS } from "../oci/plan/namespaces.ts";
import { fitProcess, lastWins, type ProcessPlan, planProcess } from "../oci/plan/process.ts";
import { planSeccomp } from "../oci/plan/seccomp.ts";
import { adjustOomScore, giveStandardDescriptors } from "./admit.ts";
import { connectIfGiven, handOverTerminal, sendPidfd, writePidFile } from "./caller.ts";
import { Container } from "./container.ts";
import { Foreground } from "./foreground.ts";
import type { Interrupt } from "./interrupt.ts";
import { Rollback } from "./rollback.ts";
import { handOverListener } from "./seccomp.ts";

export interface ExecOptions {
  readonly root: string;
  readonly id: string;
  /** The process to run, made from the container's own. What it leaves out of its security is taken from there, too. */
  readonly process: (own: Process) => Process;
  /** Return when the process has started. */
  readonly detach: boolean;
  readonly pidFile?: string;
  readonly consoleSocket?: string;
  readonly pidfdSocket?: string;
  /** How many descriptors from 3 on the process keeps. */
  readonly preserveFds: number;
  /** How many of them sd_listen_fds(3) is to find. */
  readonly listenFds: number;
  /** A cgroup below the container's: one path, or by controller (cgroup v1). */
  readonly cgroup?: string | Readonly<Record<string, string>>;
  readonly ignorePaused: boolean;
  readonly warn?: (message: string) => void;
}

/** A process that is set up in a container and waits to be started. */
export interface PreparedExec {
  readonly pid: number;
  /** Master of its terminal, when no console socket took it. */
  readonly terminal?: number;
  /** Lets it run its program. Throws what kept it from that, after taking everything back. */
  readonly start: () => void;
}

/** Runs a process in a container. Returns how it ended; undefined when detached. */
export function exec(options: ExecOptions): ExitStatus | undefined {
  const container = Container.open(options.root, options.id);
  try {
    let foreground: Foreground | undefined;
    const prepared = prepareExec(container, options, () => {
      // Signals that come while the process is made wait until there is somebody to forward them to.
      foreground = options.detach ? undefined : new Foreground();
      return foreground;
    });
    prepared.start();
    return foreground?.wait(prepared.pid, prepared.terminal);
  } finally {
    container.directory.close();
  }
}

/** Sets a process up in a container that runs. `watch` is called when all is checked; what it gives can end the waiting. */
export function prepareExec(
  container: Container,
  options: ExecOptions,
  watch: () => Interrupt | undefined = () => undefined,
): PreparedExec {
  const init = container.state.pid;
  const pidfd = init === undefined ? undefined : openPidfd(init);
  if (init === undefined || pidfd === undefined) throw execStopped();
  return withFd(pidfd, () => {
    const status = container.status(); // after the pidfd: now it is known whose it is
    if (status === "stopped" || status === "creating") throw execStopped();
    if (status === "paused" && !options.ignorePaused) throw execPaused();
    const config = container.directory.readConfig();
    const plan = planExec(config, options);
    const { consoleSocket, detach } = options;
    if (plan.terminal && detach && consoleSocket === undefined) throw ttyWithoutSocket();
    if (consoleSocket !== undefined && !(plan.terminal && detach)) throw socketWithoutTty();
    return prepare(container, init, pidfd, config, plan, options, watch);
  });
}

/**
 * The process as a plan. Security that it leaves open is the container's: what config.json takes away, exec does not give back. Its resource
 * limits are its own: the container's may be more than the caller may set.
 */
function planExec(config: Config, { process: derive, listenFds, warn }: ExecOptions): ProcessPlan {
  const own: Process = config.process ?? { cwd: "/" };
  const process = derive(own);
  const { capabilities, apparmorProfile, selinuxLabel, noNewPrivileges } = own;
  const { oomScoreAdj, scheduler, ioPriority, execCPUAffinity } = own;
  const inherited = { capabilities, apparmorProfile, selinuxLabel, noNewPrivileges };
  const scheduling = { oomScoreAdj, scheduler, ioPriority, execCPUAffinity };
  const whole: Record<string, unknown> = { ...inherited, ...scheduling, ...process };
  for (const name of Object.keys(whole)) if (whole[name] === undefined) delete whole[name];
  const unknown: string[] = [];
  const warnings: string[] = [];
  const asked = planProcess(whole as unknown as Process, unknown, config.annotations);
  const mapped = config.linux?.namespaces?.some(({ type }) => type === "user") ?? false;
  const plan = fitProcess(asked, { modules, capabilities: permittedCapabilities() }, mapped, warnings);
  for (const name of unknown) warn?.(`capability ${name} is unknown and was ignored`);
  for (const warning of warnings) warn?.(warning);
  const listen = listenFds > 0 ? [`LISTEN_FDS=${listenFds}`, "LISTEN_PID=1"] : [];
  return { ...plan, env: lastWins([...plan.env, ...listen]) };
}

/**
 * CLONE_NEW* of what is to be joined: the namespaces of config.json. The user namespace only if it is not the caller's,
 * which the kernel would refuse.
 */
function namespacesOf(config: Config, init: number, restored = false): number {
  let flags = 0;
  for (const { type } of config.linux?.namespaces ?? []) {
    const file = NAMESPACE_FILES[type];
    if (type === "user" && readLink(`/proc/${init}/ns/${file}`) === readLink(`/proc/self/ns/${file}`)) continue;
    flags |= NAMESPACE_FLAGS[type];
  }
  // CRIU gives what it restores a time namespace, so that clocks go on where they were.
  if (restored && readLink(`/proc/${init}/ns/time`) !== readLink("/proc/self/ns/time")) flags |= C.CLONE_NEWTIME;
  return flags;
}

function prepare(
  container: Container,
  init: number,
  pidfd: number,
  config: Config,
  plan: ProcessPlan,
  options: ExecOptions,
  watch: () => Interrupt | undefined,
): PreparedExec {
  const { id, noNewKeyring } = container.state;
  const rollback = new Rollback();
  const consoleSocket = connectIfGiven(options.consoleSocket, rollback);
  const interrupt = watch();
  try {
    const cgroup = options.cgroup === undefined ? container.cgroup : subCgroup(container.cgroup, options.cgroup);
    const seccomp = planSeccomp(config);
    const preserveFds = options.preserveFds + options.listenFds;
    const task = {
      process: plan,
      ...(config.linux?.personality === undefined ? {} : { personality: config.linux.personality }),
      ...(config.linux?.memoryPolicy === undefined ? {} : { memoryPolicy: config.linux.memoryPolicy }),
      init,
      namespaces: namespacesOf(config, init, container.state.restored),
      cgroup: cgroup.state,
      besideInit: options.cgroup === undefined,
      ...(noNewKeyring === true ? {} : { keyring: `_ses.${id}` }),
      preserveFds,
      ...(seccomp === undefined ? {} : { seccompRequest: { plan: seccomp, root: options.root } }),
    };
    const spawned = spawnExec(task, pidfd);
    rollback.add(() => killSpawned(spawned));
    const first = spawned.pid;
    const adjust = () => {
      if (container.state.resctrl !== undefined) joinResctrl(container.state.resctrl, spawned.pid);
      if (plan.oomScoreAdj !== undefined) adjustOomScore(spawned.pid, plan.oomScoreAdj);
    };
    adjust(); // the process inside inherits it, as a rule
    if (!plan.terminal && (task.namespaces & C.CLONE_NEWUSER) !== 0) giveStandardDescriptors(init, plan.uid);
    const handOver = (listeners: readonly number[]) =>
      handOverListener(seccomp?.listener, listeners, spawned.pid, container.describe());
    closeHeld(); // now, while the process sets itself up
    const terminal = serve(container, spawned, consoleSocket, handOver, interrupt);
    if (terminal !== undefined) rollback.add(() => close(terminal));
    if (spawned.pid !== first) adjust(); // unless it was born before that
    if (options.pidfdSocket !== undefined) sendPidfd(options.pidfdSocket, spawned.pid, "setns");
    if (options.pidFile !== undefined) writePidFile(options.pidFile, spawned.pid);
    const start = () => startNow(spawned, interrupt, rollback);
    return { pid: spawned.pid, start, ...(terminal === undefined ? {} : { terminal }) };
  } catch (error) {
    rollback.run();
    throw error;
  }
}

/** Answers the process until it is ready. Returns its terminal's master when no console socket took it. */
function serve(
  container: Container,
  spawned: Spawned,
  consoleSocket: number | undefined,
  handOver: (listeners: readonly number[]) => void,
  interrupt: Interrupt | undefined,
): number | undefined {
  let terminal: number | undefined;
  for (;;) {
    const received = receive(spawned, interrupt);
    // Most often the container has ended, and the process with it.
    if (received === undefined) throw container.isAlive() ? endedEarly(spawned, "the process") : notRunning();
    const { message, descriptors } = received;
    if (message.type === "error") throw fromErrorData(message.error);
    if (message.type === "ready") return terminal;
    if (message.type === "born") {
      welcome(spawned, message.pid);
      continue;
    }
    if (message.type === "seccomp") {
      handOver(descriptors);
      continue;
    }
    if (message.type !== "console") throw new RegError("EPROTO", `exec sent an unexpected message: ${message.type}`);
    [terminal] = descriptors;
    if (terminal !== undefined) interrupt?.takeTerminal(terminal);
    if (consoleSocket === undefined || terminal === undefined) continue;
    handOverTerminal(consoleSocket, terminal);
    terminal = undefined;
  }
}

function startNow(spawned: Spawned, interrupt: Interrupt | undefined, rollback: Rollback): void {
  const { channel } = spawned;
  try {
    channel.send({ type: "start" });
    const answer = receive(spawned, interrupt); // the channel closes on exec
    if (answer?.message.type === "error") throw fromErrorData(answer.message.error);
    channel.close();
  } catch (error) {
    rollback.run();
    throw error;
  }
}

/** The cgroup of --cgroup. Controllers are looked for among those of each hierarchy. */
function subCgroup(cgroup: Cgroup, sub: string | Readonly<Record<string, string>>): Cgroup {
  if (typeof sub === "string") return cgroup.below(sub);
  const byHierarchy: Record<string, string> = {};
  for (const controller of Object.keys(sub)) {
    const name = Object.keys(cgroup.state.paths).find((hierarchy) => hasController(hierarchy, controller));
    if (name === undefined)
      throw new RegError(
        "EINVAL",
        `--cgroup ${controller}:${sub[controller]}: the container has no controller ${controller}`,
      );
    byHierarchy[name] = sub[controller] ?? "";
  }
  return cgroup.below(byHierarchy);
}
