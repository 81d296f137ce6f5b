/**
 * `exec`, the inner half: a process that joins a running container and becomes a program in it. The order of steps is that
 * of init (main.ts), without all that is there already.
 *
 *   runtime                               process
 *      │── clone ──────────────────────────▶│  cgroup, namespaces, terminal, user
 *      │◀──────────────── console (+ pty) ──│  only with a terminal
 *      │◀───────────────────── born (+ pid) │  only when the container has a pid namespace
 *      │── proceed ────────────────────────▶│
 *      │◀─────────── seccomp (+ listener) ──│  only with SCMP_ACT_NOTIFY
 *      │◀──────────────────────────── ready │
 *      │  pid file                          │
 *      │── start ──────────────────────────▶│  execve(2)
 *      │◀────────────── error, or the end ──│  the end: execve(2) has succeeded
 *
 * Nothing of it can be seen in the container before it is ready to execute the program, see enter.ts.
 */
import { host } from "#host";
import { EBUSY, ENOENT, ESRCH } from "../errors/errno.ts";
import { at, RegError, SyscallError } from "../errors/errors.ts";
import * as C from "../libc/constants.ts";
import { close, isErrno, open, stat, withFd } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import { clone3, closeFrom, closeOnExecFrom, execve, joinSessionKeyring, setns, signalPidfd } from "../libc/process.ts";
import { socketPair } from "../libc/socket.ts";
import { besideProcess, type Cgroup, openCgroup } from "../linux/cgroup/cgroup.ts";
import { openProc } from "../linux/procfs.ts";
import { Channel } from "./channel.ts";
import { Birth, becomeUntraceable, inClone, runtimeGone } from "./enter.ts";
import type { FromInit, ToInit } from "./protocol.ts";
import { spawnNative } from "./spawn.ts";
import type { RuntimeChannel, Spawned } from "./spawned.ts";
import { becomeRoot, becomeUser, newSession, resetSignals } from "./steps/become-user.ts";
import { openConsole } from "./steps/console.ts";
import { resetAffinity, setAffinity, setMemoryPolicy } from "./steps/scheduling.ts";
import { loadSeccomp, loadsFirst, type SeccompPoint, withFilter } from "./steps/seccomp.ts";
import type { ExecTask } from "./task.ts";

export type NewExecTask = Omit<ExecTask, "type" | "descriptors" | "bornInCgroup" | "seccomp">;

/** Starts the process in the container whose init `pidfd` is. */
export function spawnExec(task: NewExecTask, pidfd: number): Spawned {
  const [ours, theirs] = socketPair(C.SOCK_SEQPACKET);
  const channel: RuntimeChannel = new Channel(ours);
  const whole: ExecTask = {
    ...task,
    type: "exec",
    bornInCgroup: false,
    descriptors: { channel: theirs, pidfd },
  };
  try {
    const pid = host.kind === "node" ? spawnNative(whole, theirs, pidfd) : cloneExec(withFilter(whole));
    return { pid, channel };
  } catch (error) {
    channel.close();
    throw error;
  } finally {
    close(theirs);
  }
}

function cloneExec(task: ExecTask): number {
  setInitialAffinity(task);
  const { pidfd, channel } = task.descriptors;
  const { pid, born } = cloneIntoCgroup(openCgroup(task.cgroup));
  if (pid === 0)
    inClone(channel, () => {
      closeFrom(3 + task.preserveFds, [channel, pidfd]);
      return runExec({ ...task, bornInCgroup: born });
    });
  return pid;
}

/** In the unified hierarchy from birth, where that is allowed: to move there afterwards takes the kernel milliseconds. */
function cloneIntoCgroup(cgroup: Cgroup): { readonly pid: number; readonly born: boolean } {
  let directory: number | undefined;
  try {
    directory = cgroup.openDirectory();
  } catch (error) {
    if (!isErrno(error, ENOENT)) throw error; // attachSelf says what is missing
  }
  if (directory === undefined) return { pid: clone3(0), born: false };
  try {
    return { pid: clone3(0, directory), born: true };
  } catch (error) {
    if (!(error instanceof SyscallError) || error.errno === ESRCH) throw error;
    return { pid: clone3(0), born: false };
  } finally {
    close(directory);
  }
}

/** The process outside: joins everything, and becomes what the program is to be before it is born in the container. */
export function runExec(task: ExecTask): never {
  becomeUntraceable();
  const filtered = withFilter(task);
  setInitialAffinity(task);
  return become(filtered, enter(task));
}

/** Before the cgroup is joined, so that a process which may only use some processors never runs on others. */
function setInitialAffinity({ process: { cpuAffinity } }: ExecTask): void {
  if (cpuAffinity?.initial) setAffinity(cpuAffinity.initial, "/process/execCPUAffinity/initial");
}

/**
 * Joins the cgroup, and then at once all namespaces: inside a user namespace the process could not open the cgroup any
 * more. Returns a descriptor of the host's /proc, which cannot be a fake.
 */
function enter(task: ExecTask): number {
  const { namespaces, init, descriptors } = task;
  joinCgroup(task);
  setFinalAffinity(task);
  const proc = openProc();
  const root = openRootOf(init, descriptors.pidfd);
  if (namespaces !== 0) setns(descriptors.pidfd, namespaces, `the namespaces of process ${init}`); // Linux 5.8
  enterRoot(root);
  close(descriptors.pidfd);
  return proc;
}

function joinCgroup(task: ExecTask): void {
  const cgroup = openCgroup(task.cgroup);
  try {
    cgroup.attachSelf(task.bornInCgroup);
  } catch (error) {
    // The container has made cgroups below its own, and handed controllers down: then the place is that of its init.
    if (!task.besideInit || !isErrno(error, EBUSY)) throw error;
    besideProcess(cgroup, task.init).attachSelf(false);
  }
}

function setFinalAffinity({ process: { cpuAffinity } }: ExecTask): void {
  // Without a word about it: not what the runtime's caller was confined to, but what the container's cgroup allows.
  if (cpuAffinity === undefined) resetAffinity();
  else if (cpuAffinity.final) setAffinity(cpuAffinity.final, "/process/execCPUAffinity/final");
}

/** The root directory that init has, as O_PATH. */
function openRootOf(init: number, pidfd: number): number {
  const root = open(`/proc/${init}/root`, C.O_PATH | C.O_DIRECTORY);
  if (!signalPidfd(pidfd, 0)) throw new RegError("ESRCH", "container not running"); // the pid may be another's by now
  return root;
}

/**
 * Joining a mount namespace leads to the root of that namespace. It is not the container's when there is none to join, or when
 * the runtime that created the container was in a chroot itself: then the process would be on the host.
 */
function enterRoot(root: number): void {
  withFd(root, () => {
    const wanted = stat("", root);
    const { inode, devMajor, devMinor } = stat("/");
    if (inode === wanted.inode && devMajor === wanted.devMajor && devMinor === wanted.devMinor) return;
    if (libc.fchdir(root) === -1) throw new SyscallError("fchdir(2)", "the container's root", host.errno());
    if (libc.chroot(".") === -1) throw new SyscallError("chroot(2)", "the container's root", host.errno());
  });
}

/** From a process in the container's namespaces to the program. */
function become(task: ExecTask, proc: number): never {
  const { process, descriptors, preserveFds } = task;
  const channel = new Channel<FromInit, ToInit>(descriptors.channel);
  const birth = new Birth(channel, [], 3 + preserveFds, (task.namespaces & C.CLONE_NEWPID) !== 0);
  const inUserNamespace = (task.namespaces & C.CLONE_NEWUSER) !== 0;
  if (inUserNamespace) becomeRoot();
  resetSignals();
  libc.umask(0); // modes are exact from here on; the process's own umask comes last
  newSession();
  if (task.keyring !== undefined) joinSessionKeyring(task.keyring);
  if (process.terminal)
    withFd(open("/", C.O_PATH | C.O_DIRECTORY), (root) =>
      openConsole(
        root,
        process,
        process.consoleSize,
        birth,
        (master) => channel.send({ type: "console" }, [master]),
        false,
      ),
    );
  setMemoryPolicy(task.memoryPolicy);
  closeOnExecFrom(3 + preserveFds); // before the filter, which may not allow it
  const load = (point: SeccompPoint) =>
    loadSeccomp(task.seccomp, point, process.noNewPrivileges, (fd) => channel.send({ type: "seccomp" }, [fd]));
  const program = becomeUser(process, {
    proc,
    personality: task.personality,
    filterFirst: loadsFirst(task.seccomp, process.noNewPrivileges),
    loadFilter: () => load("before credentials"),
    birth,
  });
  load("ready");
  channel.write({ type: "ready" });
  if (channel.read() === undefined) throw runtimeGone();
  load("last");
  return at("/process/args/0", () => execve(program.path, program.args, program.env));
}
