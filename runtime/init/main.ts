/**
 * What runs after clone, inside the container: the ordered list of steps from a fresh process in its namespaces to the
 * user's program. Each step says why it stands where it does, if it may stand nowhere else.
 * Source: runtime-spec runtime.md "Lifecycle", steps 2 to 6, seen from inside.
 */
import { host } from "#host";
import { at, RegError, SyscallError, toErrorData } from "../errors/errors.ts";
import * as C from "../libc/constants.ts";
import { close, open, read, withFd, writeAll } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import { closeOnExecFrom, execve, inChild, joinSessionKeyring, setns, unshare } from "../libc/process.ts";
import { openCgroup } from "../linux/cgroup/cgroup.ts";
import { configureDevices } from "../linux/net-device.ts";
import { bringLoopbackUp } from "../linux/network.ts";
import { directoryInRoot } from "../linux/path.ts";
import { openProc, writeProc } from "../linux/procfs.ts";
import type { State } from "../oci/config.ts";
import { runHooks } from "../oci/hooks.ts";
import type { MountPlan } from "../oci/plan/mounts.ts";
import { hasNamespace } from "../oci/plan/namespaces.ts";
import type { Plan } from "../oci/plan/plan.ts";
import { Channel } from "./channel.ts";
import { Birth, becomeUntraceable, type InitChannel, joinPidNamespace, runtimeGone } from "./enter.ts";
import type { ToInit } from "./protocol.ts";
import { becomeRoot, becomeUser, newSession, type Program, resetSignals } from "./steps/become-user.ts";
import { mountCgroup } from "./steps/cgroup.ts";
import { openConsole } from "./steps/console.ts";
import { makeDevices } from "./steps/devices.ts";
import { makeReadonlyPaths, maskPaths } from "./steps/masked-paths.ts";
import { applyMount, finishReadonlyMounts } from "./steps/mounts.ts";
import { changeRoot, finishRoot, openRoot } from "./steps/rootfs.ts";
import { resetAffinity, setMemoryPolicy } from "./steps/scheduling.ts";
import { loadSeccomp, loadsFirst, type SeccompPoint } from "./steps/seccomp.ts";
import { reopenNull } from "./steps/standard-descriptors.ts";
import { writeSysctls } from "./steps/sysctl.ts";
import type { InitTask } from "./task.ts";

/** Runs the container's init. Never returns: it ends in execve(2) or in _exit(2), after telling the runtime why. */
export function runInit(task: InitTask): never {
  const channel: InitChannel = new Channel(task.descriptors.channel);
  let report = (error: unknown) => channel.send({ type: "error", error: toErrorData(error) });
  const live = () => {
    const init = new Init(task, channel);
    init.prepare();
    report = init.waitForStart() ?? report;
    return init.execute();
  };
  return inChild(live, (error) => report(error));
}

/** Filesystems that do not care about the network namespace of who mounts them; sysfs does. */
const WITHOUT_NETWORK: readonly string[] = ["proc", "tmpfs", "devpts", "mqueue"];

/** Whether a mount hides what is in /dev, or a part of it. */
function coversDev({ destination }: MountPlan): boolean {
  return `${destination}/`.startsWith("/dev/") || destination === "/";
}

class Init {
  readonly #plan: Plan;
  readonly #task: InitTask;
  readonly #channel: InitChannel;
  #inNetwork = false;
  /** Whether the runtime has done its part: id maps, cgroups. */
  #admitted = false;
  /** Whether this process is in its cgroup. */
  #inCgroup = false;
  #devFilled = false;
  #program: Program | undefined;
  readonly #birth: Birth;

  constructor(task: InitTask, channel: InitChannel) {
    this.#task = task;
    this.#plan = task.plan;
    this.#channel = channel;
    const { execFifo, pidNamespace } = task.descriptors;
    const kept = execFifo === undefined ? [] : [execFifo];
    this.#birth = new Birth(channel, kept, 3 + task.plan.preserveFds, pidNamespace !== undefined);
  }

  /** The next message of the runtime; its death is ours. */
  #receive(): ToInit {
    const received = this.#channel.receive();
    if (received === undefined) throw runtimeGone();
    return received.message;
  }

  /** Enters the network namespace that the runtime makes meanwhile. */
  #awaitNetwork(): void {
    if (!this.#task.networkByRuntime || this.#inNetwork) return;
    const received = this.#channel.receive();
    const [namespace] = received?.descriptors ?? [];
    if (namespace === undefined) throw runtimeGone();
    withFd(namespace, () => setns(namespace, C.CLONE_NEWNET, "the network namespace"));
    this.#inNetwork = true;
    bringLoopbackUp();
  }

  /** Waits for the runtime, which works at the same time, until it is needed. */
  #awaitAdmission(): void {
    this.#awaitNetwork();
    if (this.#admitted) return;
    this.#admitted = true;
    const message = this.#receive();
    if (message.type === "proceed" && message.netDevices !== undefined) configureDevices(message.netDevices);
  }

  /** Enters the cgroup: as late as possible, because what was touched before is not charged to the container. */
  #enterCgroup(): void {
    if (this.#inCgroup) return;
    this.#inCgroup = true;
    this.#awaitAdmission();
    if (this.#task.admission === "init") openCgroup(this.#task.cgroup).attachSelf(this.#task.bornInCgroup);
    // Not what the runtime's caller was confined to, but what the container's cgroup allows.
    resetAffinity();
    // Only now, so that the container's cgroup is the root of its cgroup namespace.
    if ((this.#plan.namespaces.create & C.CLONE_NEWCGROUP) !== 0) unshare(C.CLONE_NEWCGROUP);
  }

  /** Everything up to the user's process: namespaces' contents, root, devices, limits of the kernel's view, credentials. */
  prepare(): void {
    const { namespaces, rootfs, mounts, process } = this.#plan;
    const inUserNamespace = hasNamespace(namespaces, "user");
    const mapsAwaited = (namespaces.create & C.CLONE_NEWUSER) !== 0; // without maps, every id is nobody
    this.#setTimeOffsets(); // while /proc/self is ours: it belongs to the host's root, which root of a user namespace is not
    if (mapsAwaited) this.#awaitAdmission();
    if (this.#task.rootless) becomeUntraceable(); // the runtime, a user, had to write the maps; root's clone is it from birth
    if (inUserNamespace) becomeRoot();
    resetSignals();
    libc.umask(0); // modes are exact from here on; the process's own umask comes last
    newSession();
    if (this.#plan.newKeyring) joinSessionKeyring(`_ses.${this.#plan.id}`);
    if ((namespaces.create & C.CLONE_NEWNET) !== 0 && !this.#task.networkByRuntime) bringLoopbackUp();
    this.#setNames();

    const proc = openProc();
    const { trees, pidNamespace } = this.#task.descriptors;
    const root = openRoot(this.#plan, trees?.root);
    const overDev = mounts.findLastIndex(coversDev);
    mounts.forEach((entry, index) => {
      // While this process would wait for the runtime, it has something to do.
      const workAhead = () => index > overDev && this.#fillDev(root);
      if (entry.kind !== "cgroup") {
        if (entry.kind === "filesystem" && !WITHOUT_NETWORK.includes(entry.type)) {
          workAhead();
          this.#awaitNetwork();
        }
        applyMount(root, entry, this.#plan, trees?.mounts[index], pidNamespace);
        return;
      }
      workAhead();
      this.#enterCgroup();
      mountCgroup(root, entry, this.#task.cgroupHost, hasNamespace(namespaces, "cgroup"));
    });
    this.#fillDev(root);
    this.#enterCgroup();
    this.#runtimeHooks();
    if (libc.fchdir(root) === -1) throw new SyscallError("fchdir(2)", rootfs.path, host.errno());
    runHooks("createContainer", this.#plan.hooks, this.#state("creating"));
    if (process?.terminal === true)
      openConsole(root, process, process.consoleSize, this.#birth, (master) =>
        this.#channel.send({ type: "console" }, [master]),
      );
    else reopenNull(root, proc);
    // Hidden only now: hooks may have mounted over what is to be hidden.
    makeReadonlyPaths(root, this.#plan.readonlyPaths);
    maskPaths(root, this.#plan.maskedPaths, this.#plan.mountLabel);
    finishReadonlyMounts(root, mounts);
    writeSysctls(proc, this.#plan.sysctl);
    if (process !== undefined) at("/process/cwd", () => withFd(directoryInRoot(root, process.cwd).fd, () => {}));
    changeRoot(root, rootfs);
    finishRoot(rootfs);
    close(root);
    setMemoryPolicy(this.#plan.memoryPolicy);
    // Before the filter, which may not allow it. Whatever is opened from here on is close-on-exec from the start.
    closeOnExecFrom(3 + this.#plan.preserveFds);
    if (pidNamespace !== undefined) this.#joinPidNamespace(pidNamespace);
    if (process !== undefined)
      this.#program = becomeUser(process, {
        proc,
        personality: this.#plan.personality,
        filterFirst: loadsFirst(this.#task.seccomp, process.noNewPrivileges),
        loadFilter: () => this.#loadSeccomp("before credentials"),
        birth: this.#birth,
      });
    else {
      close(proc);
      this.#birth.happen();
    }
    this.#loadSeccomp("ready");
    this.#channel.write({ type: "ready" });
  }

  /** Hooks are over, which would have been seen in it. From inside a new user namespace it could not be joined: spawn.ts did. */
  #joinPidNamespace(fd: number): void {
    if ((this.#plan.namespaces.create & C.CLONE_NEWUSER) === 0) joinPidNamespace(fd);
    close(fd);
  }

  /** Once. */
  #fillDev(root: number): void {
    const { fillDev, devices, namespaces } = this.#plan;
    if (fillDev && !this.#devFilled) makeDevices(root, devices, hasNamespace(namespaces, "user"));
    this.#devFilled = true;
  }

  /** The offsets can only be written before a process is in the namespace; so it is made here, and entered after. */
  #setTimeOffsets(): void {
    const { create, timeOffsets } = this.#plan.namespaces;
    if ((create & C.CLONE_NEWTIME) === 0) return;
    unshare(C.CLONE_NEWTIME);
    if (timeOffsets !== undefined && hasNamespace(this.#plan.namespaces, "user")) {
      // The file is root's, of the host, as long as this process is not dumpable.
      this.#awaitAdmission();
      this.#channel.send({ type: "time" });
      this.#receive();
    } else if (timeOffsets !== undefined)
      at("/linux/timeOffsets", () => withFd(openProc(), (proc) => writeProc(proc, "self/timens_offsets", timeOffsets)));
    withFd(open("/proc/self/ns/time_for_children", C.O_RDONLY), (fd) => {
      if (libc.setns(fd, C.CLONE_NEWTIME) === -1)
        throw new SyscallError("setns(2)", "the time namespace", host.errno());
    });
  }

  #setNames(): void {
    const { hostname, domainname } = this.#plan;
    if (hostname !== undefined && libc.sethostname(hostname, host.encode(hostname).length) === -1)
      throw new SyscallError("sethostname(2)", hostname, host.errno(), { field: "/hostname" });
    if (domainname !== undefined && libc.setdomainname(domainname, host.encode(domainname).length) === -1)
      throw new SyscallError("setdomainname(2)", domainname, host.errno(), { field: "/domainname" });
  }

  #loadSeccomp(point: SeccompPoint): void {
    const { process } = this.#plan;
    const send = (listener: number) => this.#channel.send({ type: "seccomp" }, [listener]);
    loadSeccomp(this.#task.seccomp, point, process?.noNewPrivileges === true, send);
  }

  /** prestart and createRuntime run in the runtime's namespaces, so the runtime runs them. It is told of all that may follow. */
  #runtimeHooks(): void {
    const { prestart = [], createRuntime = [], createContainer = [] } = this.#plan.hooks;
    if (prestart.length + createRuntime.length + createContainer.length === 0) return;
    this.#channel.send({ type: "hooks" });
    this.#receive();
  }

  /** The container's state as hooks get it. The pid is the one that this process sees for itself. */
  #state(status: "creating" | "created"): State {
    const { ociVersion, id, bundle, annotations } = this.#plan;
    return { ociVersion, id, status, pid: libc.getpid(), bundle, annotations };
  }

  /**
   * Waits for `start`. After `create`, that is a byte in the exec fifo; errors from then on go there, for `start` to read when this
   * end has closed, and the function that sends them is returned.
   */
  waitForStart(): ((error: unknown) => void) | undefined {
    const { execFifo } = this.#task.descriptors;
    const next = this.#channel.read();
    if (next === undefined) throw runtimeGone();
    if (next.type === "start" || execFifo === undefined) return undefined;
    read(execFifo, new Uint8Array(1)); // until `start` writes
    return (error) => writeAll(execFifo, host.encode(JSON.stringify(toErrorData(error))));
  }

  /** The end of init: hooks of the container, and the user's program. */
  execute(): never {
    const { hooks } = this.#plan;
    const program = this.#program;
    if (program === undefined)
      throw new RegError("EINVAL", "cannot start: config.json has no process", { field: "/process" });
    this.#loadSeccomp("last"); // it holds for hooks too, as with runc
    runHooks("startContainer", hooks, this.#state("created"), { env: program.env }); // as runc and crun
    return at("/process/args/0", () => execve(program.path, program.args, program.env));
  }
}
