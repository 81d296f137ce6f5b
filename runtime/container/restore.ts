/**
 * `reg restore`: makes a container whose processes go on where a checkpoint has saved them. What `create` makes around a container is
 * made here too; CRIU takes init's part.
 */
import { fromErrorData, RegError } from "../errors/errors.ts";
import { RESTORE_FDS, type Staged, setUpNetwork, spawnRestore } from "../init/restore.ts";
import { receive } from "../init/spawned.ts";
import * as C from "../libc/constants.ts";
import { close, mkdir, readText, rmdir } from "../libc/file.ts";
import { type ExitStatus, endChild } from "../libc/process.ts";
import { type CgroupHost, parseOwnCgroups } from "../linux/cgroup/host.ts";
import { Criu, type Notification } from "../linux/criu/criu.ts";
import { findCriu } from "../linux/criu/program.ts";
import { type Options, REQUEST } from "../linux/criu/rpc.ts";
import { processStatus } from "../linux/process.ts";
import { runHooks } from "../oci/hooks.ts";
import { hasNamespace, type JoinedNamespace, NAMESPACE_FILES } from "../oci/plan/namespaces.ts";
import type { Plan } from "../oci/plan/plan.ts";
import { giveStandardDescriptors } from "./admit.ts";
import { connectIfGiven, handOverTerminal, sendPidfd, writePidFile } from "./caller.ts";
import { checkRoot, EXTERNAL_NAMESPACES } from "./checkpoint.ts";
import { Container } from "./container.ts";
import { type Built, checkTerminal, firstState } from "./create.ts";
import { readDescriptors } from "./criu/descriptors.ts";
import { type CriuDirectories, type CriuOptions, commonOptions, openDirectories, refusal } from "./criu/options.ts";
import { checkPages } from "./criu/pages.ts";
import { removeStopped, runPoststop } from "./delete.ts";
import { Foreground } from "./foreground.ts";
import type { Interrupt } from "./interrupt.ts";
import { moveInto } from "./network.ts";
import { NewCgroup } from "./new-cgroup.ts";
import { NewResctrl } from "./new-resctrl.ts";
import { makeNotifyDirectory } from "./notify.ts";
import { type CreateOptions, type LoadedConfig, loadConfig, withPlan } from "./plan.ts";
import { Rollback } from "./rollback.ts";
import { checkId, StateDirectory, type StateFile } from "./store.ts";

export interface RestoreOptions extends Omit<CreateOptions, "preserveFds" | "listenFds">, CriuOptions {
  /** Return when the processes go on. */
  readonly detach: boolean;
  /** Security labels in place of those that were saved. */
  readonly lsmProfile?: string;
  readonly lsmMountContext?: string;
}

/** A container whose processes go on. */
export type Restored = Pick<Built, "plan" | "container" | "pid" | "terminal" | "rollback">;

const LOG_FILE = "restore.log";

/** Restores a container. Returns how its process ended; undefined when detached. On an error nothing of it is left. */
export function restore(options: RestoreOptions): ExitStatus | undefined {
  const foreground = options.detach ? undefined : new Foreground();
  const { plan, container, pid, terminal, rollback } = rebuild(options, options.detach, foreground);
  const { directory } = container;
  let status: ExitStatus;
  try {
    if (options.pidFile !== undefined) writePidFile(options.pidFile, pid);
    directory.unlock();
    if (foreground === undefined) return undefined;
    status = foreground.wait(pid, terminal, undefined, options.warn);
  } catch (error) {
    if (directory.lockIfThere()) rollback.run(); // otherwise somebody has deleted it
    throw error;
  }
  removeStopped(container, plan, options.warn);
  directory.close();
  return status;
}

/** Makes the container, and lets its processes go on. Its directory is locked. `detached`: nobody stays to hold its terminal. */
export function rebuild(options: RestoreOptions, detached: boolean, interrupt?: Interrupt): Restored {
  checkRoot("restore");
  checkId(options.id);
  const program = findCriu(options.criu);
  const loaded = loadConfig(options.bundle, options.configFile);
  return withPlan(loaded.config, { ...options, preserveFds: 0, listenFds: 0 }, (plan, cgroupHost) => {
    for (const warning of plan.warnings) options.warn?.(warning);
    checkTerminal(plan, options, detached);
    const directories = openDirectories(options, LOG_FILE, false);
    const restoration = new Restoration({ program, plan, cgroupHost, loaded, options, directories, interrupt });
    try {
      return restoration.run();
    } catch (error) {
      for (const failure of restoration.rollback.run())
        options.warn?.(`cleaning up: ${failure instanceof Error ? failure.message : failure}`);
      throw error;
    } finally {
      directories.close();
    }
  });
}

interface Restoring {
  readonly program: string;
  readonly plan: Plan;
  readonly cgroupHost: CgroupHost;
  readonly loaded: LoadedConfig;
  readonly options: RestoreOptions;
  readonly directories: CriuDirectories;
  readonly interrupt: Interrupt | undefined;
}

class Restoration {
  readonly #given: Restoring;
  readonly rollback = new Rollback();
  #consoleSocket: number | undefined;
  #terminal: number | undefined;
  /** The container's init, once CRIU has made it: a child of this process. */
  #pid: number | undefined;
  /** Whether somebody has been told of the container. */
  #begun = false;

  constructor(given: Restoring) {
    this.#given = given;
  }

  /** The steps, in time order. Each leaves its undoing behind. */
  run(): Restored {
    const { plan, loaded, options, directories, interrupt } = this.#given;
    const { rollback } = this;
    const descriptors = readDescriptors(directories.images);
    if (options.lazyPages !== true) checkPages(directories.images);
    this.#consoleSocket = connectIfGiven(options.consoleSocket, rollback);
    const resctrl = plan.intelRdt === undefined ? undefined : new NewResctrl(plan.intelRdt);
    const first: StateFile = { ...firstState(loaded.config, plan, resctrl?.state), restored: true };
    const directory = StateDirectory.claim(options.root, options.id);
    rollback.add(() => directory.close());
    rollback.add(() => directory.remove());
    rollback.add(() => {
      if (this.#begun) runPoststop(new Container(directory, first), options.warn);
    });
    directory.writeFirst(first, loaded.text);
    if (options.notifySocket !== undefined) makeNotifyDirectory(directory.path);
    const cgroup = new NewCgroup(plan);
    rollback.add(() => cgroup.destroy()); // with all that CRIU has started in it
    cgroup.complete();
    resctrl?.make(rollback);
    const stage = `${directory.path}/criu`;
    mkdir(stage, 0o700);
    rollback.add(() => {
      if (this.#pid !== undefined) endChild(this.#pid);
    });
    const { criu, staged } = this.#startCriu(stage, (pid) => {
      cgroup.attach(pid); // what CRIU restores is born where it is itself
      resctrl?.join(pid);
    });
    let container = new Container(directory, first);
    try {
      criu.checkVersion();
      const notified = (notification: Notification) => {
        const { script, pid } = notification;
        if (pid > 0) this.#pid = pid;
        if (script !== "post-restore") return this.#notified(notification, container);
        // Before the processes go on, and after all that CRIU and its helpers had to do: limits are for the container.
        cgroup.limit();
        cgroup.limitMemory();
        const startTime = processStatus(pid)?.startTime ?? 0;
        container = new Container(directory, { ...first, cgroup: cgroup.state, pid, startTime });
        directory.write(container.state);
      };
      const request = { type: REQUEST.restore, options: this.#options(criu.pid, staged, descriptors) };
      const response = criu.request(request, { interrupt, notified });
      if (!response.success) throw refusal(`restore container "${plan.id}"`, response, directories, LOG_FILE);
    } finally {
      criu.close();
    }
    rmdir(stage); // only now: the kernel takes away what is mounted on a directory that goes
    const { pid } = container.state;
    if (pid === undefined) throw new RegError("EPROTO", "CRIU did not tell of the process that it has restored");
    if (options.pidfdSocket !== undefined) sendPidfd(options.pidfdSocket, pid, "standard");
    return { plan, container, pid, rollback, ...(this.#terminal === undefined ? {} : { terminal: this.#terminal }) };
  }

  /** Starts the process that makes everything ready, has it `admitted`, and waits until it becomes CRIU. */
  #startCriu(stage: string, admit: (pid: number) => void): { readonly criu: Criu; readonly staged: Staged } {
    const { program, plan, options, interrupt } = this.#given;
    const images = options.imagePath;
    const directories = { stage, images, work: options.workPath ?? images };
    const namespaces = plan.namespaces.join.filter(isInherited);
    const task = { type: "restore", plan, criu: program, ...directories, namespaces, preserveFds: 0 } as const;
    const { pid, channel, output } = spawnRestore(task);
    this.rollback.add(() => endChild(pid));
    try {
      admit(pid);
      const received = receive({ pid, channel }, interrupt);
      if (received?.message.type === "error") throw fromErrorData(received.message.error);
      const socket = received?.descriptors[0];
      if (received?.message.type === "staged" && socket !== undefined)
        return { criu: new Criu(program, { pid, socket, output }), staged: received.message };
    } finally {
      channel.close();
    }
    throw new RegError("ECHILD", "the process that prepares the root for CRIU ended before it was done");
  }

  #options(criu: number, staged: Staged, descriptors: ReadonlyMap<string, number>): Options {
    const { plan, options } = this.#given;
    const inherited = [...descriptors].map(([key, fd]) => ({ key, fd: RESTORE_FDS.standard + fd }));
    const joined = plan.namespaces.join.filter((namespace) => !isInherited(namespace));
    plan.namespaces.join.filter(isInherited).forEach(({ type }, index) => {
      inherited.push({ key: EXTERNAL_NAMESPACES[type], fd: RESTORE_FDS.namespaces + index });
    });
    return {
      ...commonOptions(options, plan.annotations),
      imagesDirFd: RESTORE_FDS.images,
      workDirFd: RESTORE_FDS.work,
      logFile: LOG_FILE,
      root: staged.root,
      restoreSibling: true,
      evasiveDevices: true,
      externalMounts: [...staged.mounts, ...this.#cgroupMounts(criu)].map(([key, value]) => ({ key, value })),
      cgroupRoots: cgroupsOf(criu),
      inherited,
      joinedNamespaces: joined.map(({ type, path }) => ({ type: NAMESPACE_FILES[type], path })),
      ...(options.lsmProfile === undefined ? {} : { lsmProfile: options.lsmProfile }),
      ...(options.lsmMountContext === undefined ? {} : { lsmMountContext: options.lsmMountContext }),
    };
  }

  /** Without a cgroup namespace, the container sees a part of the host's mounts: that of its cgroup, where CRIU is by now. */
  #cgroupMounts(criu: number): (readonly [name: string, source: string])[] {
    const { plan, cgroupHost } = this.#given;
    if (hasNamespace(plan.namespaces, "cgroup")) return [];
    const places = parseOwnCgroups(readText(`/proc/${criu}/cgroup`), cgroupHost.hierarchies);
    return plan.mounts.flatMap(({ kind, destination }) =>
      kind !== "cgroup"
        ? []
        : cgroupHost.hierarchies.map(({ name, mountpoint }) => {
            const place = places[name] ?? "/";
            const source = place === "/" ? mountpoint : `${mountpoint}${place}`;
            return [name === "" ? destination : `${destination}/${name}`, source] as const;
          }),
    );
  }

  #notified({ script, pid, descriptors }: Notification, container: Container): void {
    const { plan, interrupt } = this.#given;
    if (script === "setup-namespaces") {
      giveNetwork(plan, pid);
      const { process, namespaces } = plan;
      if (process !== undefined && !process.terminal && hasNamespace(namespaces, "user"))
        giveStandardDescriptors(pid, process.uid);
      const context = interrupt === undefined ? {} : { interrupt };
      const state = { ...container.describe("creating"), pid };
      this.#begun = true;
      runHooks("prestart", plan.hooks, state, context);
      runHooks("createRuntime", plan.hooks, state, context);
    } else if (script === "orphan-pts-master") this.#takeTerminal(descriptors[0]);
    else for (const fd of descriptors) close(fd);
  }

  #takeTerminal(master: number | undefined): void {
    const { interrupt } = this.#given;
    if (master === undefined) return;
    interrupt?.takeTerminal(master);
    if (this.#consoleSocket === undefined) {
      this.#terminal = master;
      return;
    }
    handOverTerminal(this.#consoleSocket, master);
  }
}

/** Namespaces of which CRIU takes a descriptor. */
function isInherited(namespace: JoinedNamespace): namespace is JoinedNamespace & { readonly type: "network" | "pid" } {
  return namespace.type === "network" || namespace.type === "pid";
}

/** The places of a process by controller, each for itself, as CRIU wants them: what was saved is put below these. */
function cgroupsOf(pid: number): { readonly controller: string; readonly path: string }[] {
  return readText(`/proc/${pid}/cgroup`)
    .split("\n")
    .flatMap((line) => {
      const [, controllers, ...path] = line.split(":");
      if (controllers === undefined || path.length === 0) return [];
      return controllers.split(",").map((controller) => ({ controller, path: path.join(":") }));
    });
}

/** Of a network namespace that is the container's own CRIU restores nothing: sockets are to find what `create` had put there. */
function giveNetwork(plan: Plan, pid: number): void {
  if ((plan.namespaces.create & C.CLONE_NEWNET) === 0) return;
  setUpNetwork(pid, plan.netDevices === undefined ? [] : moveInto(plan.netDevices, plan, pid));
}
