/**
 * Starting init. On the native host it is a clone of this process, in its new namespaces at once; when namespaces are
 * joined that the clone must be born in, an intermediate process joins them first and makes init its sibling
 * (CLONE_PARENT). On the Node host, which may neither fork nor join, the native binary is that intermediate.
 * Source: clone3(2), setns(2), pid_namespaces(7), user_namespaces(7).
 */
import { host } from "#host";
import { EPERM } from "../errors/errno.ts";
import { at, RegError, toErrorData } from "../errors/errors.ts";
import { checked } from "../libc/call.ts";
import * as C from "../libc/constants.ts";
import { close, open, writeAll } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import { clone3, closeFrom, setns, spawn, waitFor } from "../libc/process.ts";
import { socketPair } from "../libc/socket.ts";
import { openCgroup } from "../linux/cgroup/cgroup.ts";
import { moveAside, runsAlone } from "../linux/processor.ts";
import type { JoinedNamespace, NamespacePlan } from "../oci/plan/namespaces.ts";
import type { Plan } from "../oci/plan/plan.ts";
import { Channel } from "./channel.ts";
import { runInit } from "./main.ts";
import type { FromInit, ToInit } from "./protocol.ts";
import { withFilter } from "./steps/seccomp.ts";
import type { Admission, ExecTask, InitTask } from "./task.ts";
import { closeTrees, descriptorsOf, makeTrees, type Trees } from "./trees.ts";

export type RuntimeChannel = Channel<ToInit, FromInit>;

/** A started init: its pid as this process sees it, and the runtime's end of the channel. */
export interface SpawnedInit {
  readonly pid: number;
  readonly channel: RuntimeChannel;
}

/** A task before init is there to have descriptors. */
export type NewTask = Omit<InitTask, "descriptors" | "bornInCgroup" | "seccomp">;

/** init makes these itself, later: the cgroup namespace when it is in its cgroup, the time namespace around its offsets. */
const MADE_BY_INIT = C.CLONE_NEWCGROUP | C.CLONE_NEWTIME;

/** Starts init with this task; the descriptors of the task other than the channel must be open and stay so until it returns. */
export function spawnInit(task: NewTask, execFifo: number | undefined): SpawnedInit {
  const [ours, theirs] = socketPair(C.SOCK_SEQPACKET);
  const channel: RuntimeChannel = new Channel(ours);
  try {
    const pid =
      host.kind === "node"
        ? spawnNative({ ...task, type: "init", detached: execFifo !== undefined }, theirs, execFifo, channel)
        : cloneInit(withFilter({ ...task, bornInCgroup: false, descriptors: descriptors(theirs, execFifo) }), channel);
    return { pid, channel };
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
  if (host.kind === "node" || needsIntermediate(plan.namespaces)) return "intermediate";
  return "init";
}

/** Namespaces that a process cannot move itself into, and user namespaces: the cgroup and others are entered before them. */
function needsIntermediate({ create, join }: NamespacePlan): boolean {
  return (create & C.CLONE_NEWUSER) !== 0 || join.some(({ type }) => type === "user" || type === "pid");
}

/** See InitTask.networkByRuntime. A namespace that belongs to a new user namespace can only be made inside that. */
export function makesNetwork({ namespaces }: Plan): boolean {
  return host.kind === "native" && (namespaces.create & C.CLONE_NEWNET) !== 0 && !needsIntermediate(namespaces);
}

function cloneInit(task: InitTask, channel: RuntimeChannel): number {
  const { namespaces } = task.plan;
  if (!needsIntermediate(namespaces)) {
    const trees = makeTrees(task.plan);
    const directory = task.admission === "init" ? openCgroup(task.cgroup).openDirectory() : undefined;
    const network = task.networkByRuntime ? C.CLONE_NEWNET : 0;
    const alone = runsAlone();
    const pid = clone3(namespaces.create & ~(MADE_BY_INIT | network), directory);
    if (directory !== undefined) close(directory);
    if (pid === 0) {
      const mine = withTrees({ ...task, bornInCgroup: directory !== undefined }, trees);
      closeInherited(mine);
      enterAndRun(mine);
    }
    if (alone) moveAside(pid); // the two have something to do at the same time
    if (trees !== undefined) closeTrees(trees);
    return pid;
  }
  const intermediate = clone3(0);
  if (intermediate === 0) {
    closeInherited(task);
    runIntermediate(task);
  }
  const pid = receivePid(channel);
  waitFor(intermediate);
  return pid;
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

/** The pid that an intermediate reports. */
export function receivePid(channel: RuntimeChannel): number {
  const received = channel.receive();
  if (received?.message.type === "pid") return received.message.pid;
  if (received?.message.type === "error")
    throw new RegError(received.message.error.code, received.message.error.message, received.message.error);
  throw new RegError("EPIPE", "init ended before it had started");
}

/** Joins what is to be joined and becomes init; errors go to the runtime. */
function enterAndRun(task: InitTask): never {
  reporting(task, () => joinNamespaces(task.plan.namespaces.join));
  return runInit(task);
}

/** The intermediate: joins, clones init as its sibling, tells the runtime the pid, and ends. */
export function runIntermediate(task: InitTask): never {
  reporting(task, () => {
    const { namespaces } = task.plan;
    const filtered = withFilter(task); // before the cgroup, which would pay for the compiler's memory
    if (task.admission === "intermediate") openCgroup(task.cgroup).attachSelf(false);
    const mine = withTrees(filtered, makeTrees(task.plan));
    joinNamespaces(namespaces.join);
    const pid = clone3((namespaces.create & ~MADE_BY_INIT) + C.CLONE_PARENT);
    if (pid === 0) runInit(mine);
    new Channel<FromInit, ToInit>(task.descriptors.channel).send({ type: "pid", pid });
  });
  libc._exit(0);
  throw new Error("unreachable");
}

function reporting(task: InitTask, action: () => void): void {
  try {
    action();
  } catch (error) {
    new Channel<FromInit, ToInit>(task.descriptors.channel).send({ type: "error", error: toErrorData(error) });
    libc._exit(1);
  }
}

/**
 * Joins namespaces, user first in the list. What the user namespace does not own cannot be joined from inside it, and
 * what only its root may join cannot be joined from outside: so each is tried before, and again after.
 */
function joinNamespaces(join: readonly JoinedNamespace[]): void {
  const opened = join.map((namespace) => ({
    ...namespace,
    fd: at(namespace.field, () => open(namespace.path, C.O_RDONLY)),
  }));
  const user = opened.filter(({ type }) => type === "user");
  let rest = opened.filter(({ type }) => type !== "user");
  if (user.length > 0)
    rest = rest.filter(({ fd, flag, path }) => {
      if (libc.setns(fd, flag) === 0) return false;
      if (host.errno() !== EPERM) checked(-1, "setns(2)", path);
      return true;
    });
  for (const { fd, flag, path, field } of [...user, ...rest]) at(field, () => setns(fd, flag, path));
  for (const { fd } of opened) close(fd);
}

/** Takes a spawned process back: it is killed and reaped. */
export function killSpawned(pid: number, channel: RuntimeChannel): void {
  const SIGKILL = 9;
  channel.close();
  libc.kill(pid, SIGKILL);
  libc.waitpid(pid, null, 0);
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
 * Node: the native binary takes the task from a memfd and clones the process as a child of this one. `extra` is the
 * task's other descriptor: the exec fifo, or the pidfd for `exec`.
 */
export function spawnNative(
  task: SpawnedInitTask | ExecTask,
  theirs: number,
  extra: number | undefined,
  channel: RuntimeChannel,
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
    const intermediate = spawn(binary, [binary, "init", String(base)], [], [...kept, ...moves]);
    for (const { from } of moves) close(from);
    const pid = receivePid(channel);
    waitFor(intermediate);
    return pid;
  } finally {
    close(memory);
  }
}
