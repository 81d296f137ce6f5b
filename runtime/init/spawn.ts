/**
 * Starting init. On the native host it is a clone of this process, in its new namespaces at once. Where a user or pid namespace is
 * joined, or a new user namespace would keep init from its cgroup, a process outside comes first (runOutside). On the Node
 * host, which may neither fork nor join, the native binary is that process.
 * Source: clone3(2), setns(2), pid_namespaces(7), user_namespaces(7).
 */
import { host } from "#host";
import { at, RegError } from "../errors/errors.ts";
import { checked } from "../libc/call.ts";
import * as C from "../libc/constants.ts";
import { close, writeAll } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import { clone3, closeFrom, endChild, spawn, unshare } from "../libc/process.ts";
import { socketPair } from "../libc/socket.ts";
import { openCgroup } from "../linux/cgroup/cgroup.ts";
import { moveAside, runsAlone } from "../linux/processor.ts";
import type { NamespacePlan } from "../oci/plan/namespaces.ts";
import type { Plan } from "../oci/plan/plan.ts";
import { Channel } from "./channel.ts";
import {
  becomeUntraceable,
  inClone,
  joinNamespaces,
  joinPidNamespace,
  type OpenedNamespace,
  openNamespaces,
} from "./enter.ts";
import { runInit } from "./main.ts";
import type { FromInit, ToInit } from "./protocol.ts";
import type { NetworkTask, RestoreTask } from "./restore.ts";
import { endedEarly, type RuntimeChannel, receive, replaceBy, type Spawned } from "./spawned.ts";
import { withFilter } from "./steps/seccomp.ts";
import type { Admission, ExecTask, InitTask } from "./task.ts";
import { closeTrees, descriptorsOf, makeTrees, type Trees } from "./trees.ts";

/** A task before init is there to have descriptors. */
export type NewTask = Omit<InitTask, "descriptors" | "bornInCgroup" | "seccomp">;

/** init makes these itself, later: the cgroup namespace when it is in its cgroup, the time namespace around its offsets. */
const MADE_BY_INIT = C.CLONE_NEWCGROUP | C.CLONE_NEWTIME;

/** Starts init with this task; the descriptors of the task other than the channel must be open and stay so until it returns. */
export function spawnInit(task: NewTask, execFifo: number | undefined): Spawned {
  const [ours, theirs] = socketPair(C.SOCK_SEQPACKET);
  const channel: RuntimeChannel = new Channel(ours);
  try {
    if (host.kind !== "node")
      return cloneInit(
        withFilter({ ...task, bornInCgroup: false, descriptors: descriptors(theirs, execFifo) }),
        channel,
      );
    const outside = spawnNative({ ...task, type: "init", detached: execFifo !== undefined }, theirs, execFifo);
    return spawnedBy(outside, channel, task.plan);
  } catch (error) {
    channel.close();
    throw error;
  } finally {
    close(theirs);
  }
}

function descriptors(channel: number, execFifo: number | undefined) {
  return execFifo === undefined ? { channel } : { channel, execFifo };
}

/** Who admits init to its cgroup, see InitTask. */
export function admissionOf(plan: Plan): Admission {
  if (plan.cgroup.driver === "systemd") return "runtime";
  if (host.kind === "node" || needsOutside(plan.namespaces)) return "intermediate";
  return "init";
}

/** Pid namespaces, which no process can move itself into, and user namespaces: the cgroup and others are entered before them. */
function needsOutside({ create, join }: NamespacePlan): boolean {
  return (create & C.CLONE_NEWUSER) !== 0 || join.some(({ type }) => type === "user" || type === "pid");
}

/** Whether init is prepared outside the pid namespace that it is born in. */
export function joinsPid({ join }: NamespacePlan): boolean {
  return join.some(({ type }) => type === "pid");
}

/** See InitTask.networkByRuntime. A namespace that belongs to a new user namespace can only be made inside that. */
export function makesNetwork({ namespaces }: Plan): boolean {
  return host.kind === "native" && (namespaces.create & C.CLONE_NEWNET) !== 0 && !needsOutside(namespaces);
}

function cloneInit(task: InitTask, channel: RuntimeChannel): Spawned {
  const { namespaces } = task.plan;
  if (!needsOutside(namespaces)) {
    becomeUntraceable(); // the clone is it from birth
    const trees = makeTrees(task.plan);
    const directory = task.admission === "init" ? openCgroup(task.cgroup).openDirectory() : undefined;
    const network = task.networkByRuntime ? C.CLONE_NEWNET : 0;
    const alone = runsAlone();
    const pid = clone3(namespaces.create & ~(MADE_BY_INIT | network), directory);
    if (directory !== undefined) close(directory);
    if (pid === 0)
      inClone(task.descriptors.channel, () => {
        const mine = withTrees({ ...task, bornInCgroup: directory !== undefined }, trees);
        closeInherited(mine);
        joinNamespaces(openNamespaces(namespaces.join));
        return runInit(mine);
      });
    if (alone) moveAside(pid); // the two have something to do at the same time
    if (trees !== undefined) closeTrees(trees);
    return { pid, channel };
  }
  const outside = clone3(0);
  if (outside === 0)
    inClone(task.descriptors.channel, () => {
      closeInherited(task);
      return runOutside(task);
    });
  return spawnedBy(outside, channel, task.plan);
}

/** What comes of the process outside: init, for the time being, or the init that it has cloned. */
function spawnedBy(outside: number, channel: RuntimeChannel, { namespaces }: Plan): Spawned {
  const spawned = { pid: outside, channel };
  let pid: number;
  try {
    pid = receivePid(spawned);
  } catch (error) {
    endChild(outside);
    throw error;
  }
  if (!joinsPid(namespaces)) replaceBy(spawned, pid);
  return spawned;
}

function withTrees(task: InitTask, trees: Trees | undefined): InitTask {
  return trees === undefined ? task : { ...task, descriptors: { ...task.descriptors, trees } };
}

/** The clone has the runtime's descriptors, its lock on the state directory among them: all but its own go at once. */
function closeInherited({ plan, descriptors: { channel, execFifo, trees } }: InitTask): void {
  const kept = [channel, execFifo, ...(trees === undefined ? [] : descriptorsOf(trees))];
  closeFrom(
    3 + plan.preserveFds,
    kept.filter((fd) => fd !== undefined),
  );
}

/** The pid that the process outside reports. */
function receivePid(spawned: Spawned): number {
  const received = receive(spawned);
  if (received?.message.type === "pid") return received.message.pid;
  if (received?.message.type === "error")
    throw new RegError(received.message.error.code, received.message.error.message, received.message.error);
  throw endedEarly(spawned, "container init");
}

/**
 * The process outside the namespaces that are joined. It joins them and clones init as its sibling; or, when there is a pid namespace among them, it
 * does what init does itself, until it is born there.
 */
export function runOutside(task: InitTask): never {
  const { namespaces } = task.plan;
  // Init of a user makes itself untraceable later: a user's runtime could not write its maps.
  if (!task.rootless || (namespaces.create & C.CLONE_NEWUSER) === 0) becomeUntraceable();
  const channel = new Channel<FromInit, ToInit>(task.descriptors.channel);
  const filtered = withFilter(task); // before the cgroup, which would pay for the compiler's memory
  if (task.admission === "intermediate") openCgroup(task.cgroup).attachSelf(false);
  const mine = withTrees(filtered, makeTrees(task.plan));
  const opened = openNamespaces(namespaces.join);
  const processes = opened.find(({ type }) => type === "pid");
  const create = namespaces.create & ~MADE_BY_INIT;
  // The namespaces outside are out of reach from a new user namespace.
  if (processes !== undefined && (create & C.CLONE_NEWUSER) !== 0) enterEarly(task.plan, processes);
  joinNamespaces(opened.filter(({ type }) => type !== "pid"));
  if (processes === undefined) {
    const pid = clone3(create + C.CLONE_PARENT);
    if (pid === 0) runInit(mine);
    channel.send({ type: "pid", pid });
    libc._exit(0);
  } else {
    unshare(create);
    channel.send({ type: "pid", pid: 0 }); // there is a user namespace now to write maps for
  }
  return runInit({
    ...mine,
    descriptors: { ...mine.descriptors, ...(processes ? { pidNamespace: processes.fd } : {}) },
  });
}

/** Its own hooks are the only processes that init starts before it is born. */
function enterEarly({ hooks }: Plan, { fd, path, field }: OpenedNamespace): void {
  if (hooks.createContainer !== undefined && hooks.createContainer.length > 0)
    throw new RegError("EINVAL", `createContainer hooks would show the host's files to the processes of ${path}`, {
      field: "/hooks/createContainer",
      hint: "with a new user namespace, let the container have a new pid namespace too, or join the user namespace that owns that one",
    });
  at(field, () => joinPidNamespace(fd));
}

/** Where `reg init BASE` finds what it was born with: three descriptors from BASE on, after the preserved ones. */
export const SPAWNED = { channel: 0, task: 1, extra: 2 } as const;

/** The task as `reg init` gets it. */
export interface SpawnedInitTask extends NewTask {
  readonly type: "init";
  /** There is an exec fifo. */
  readonly detached: boolean;
}

/**
 * Node: the native binary takes the task from a memfd, as the process outside. `extra` is the task's other descriptor: the exec fifo, the
 * pidfd for `exec`, or the file for CRIU's output. Returns its pid.
 */
export function spawnNative(
  task: SpawnedInitTask | ExecTask | RestoreTask | NetworkTask,
  theirs: number,
  extra: number | undefined,
): number {
  const memory = checked(libc.memfd_create("reg-task", 0), "memfd_create(2)", "reg-task");
  try {
    writeAll(memory, host.encode(JSON.stringify(task)));
    checked(libc.lseek(memory, 0, C.SEEK_SET), "lseek(2)", "reg-task");
    const base = 3 + (task.type === "init" ? task.plan : task).preserveFds;
    // dup2(2) onto itself would keep close-on-exec, so all three leave the range first.
    const [channelFd, taskFd, extraFd] = [theirs, memory, extra].map((fd) =>
      fd === undefined
        ? undefined
        : checked(libc.fcntl(fd, C.F_DUPFD_CLOEXEC, base + 3), "fcntl(2)", "F_DUPFD_CLOEXEC"),
    );
    const moves = [
      { from: channelFd, to: base + SPAWNED.channel },
      { from: taskFd, to: base + SPAWNED.task },
      { from: extraFd, to: base + SPAWNED.extra },
    ].flatMap(({ from, to }) => (from === undefined ? [] : [{ from, to }]));
    const binary = host.initBinary ?? "reg";
    // Node marks what it was born with close-on-exec; dup2 onto itself in a spawned process takes that away.
    const kept: { readonly from: number; readonly to: number }[] = [];
    for (let fd = 0; fd < base; fd++) if (libc.fcntl(fd, C.F_GETFD, 0) !== -1) kept.push({ from: fd, to: fd });
    // As a clone of the native host has it: hooks of the container that name no environment get this one.
    const outside = spawn(binary, [binary, "init", String(base)], host.environ, [...kept, ...moves]);
    for (const { from } of moves) close(from);
    return outside;
  } finally {
    close(memory);
  }
}
