/**
 * The one way into namespaces that others live in, for `create` and for `exec`.
 *
 * What is seen in a pid namespace can be traced from there by whoever has the privilege, and everything that it holds goes with it.
 * So all is prepared by a process that is outside: not dumpable, with nothing open but what is kept, it joins the other
 * namespaces, makes or enters the root, and takes on the program's user. Only then is its clone born inside, which has nothing
 * of the host left and no more rights than the program.
 *
 *   runtime                        outside                        inside
 *      │── clone ──────────────────▶│  namespaces, root, terminal, user
 *      │◀───────── born (+ its pid)─│── clone (CLONE_PARENT) ─────▶│
 *      │                            │  ends                        │
 *      │── proceed ──────────────────────────────────────────────▶│  session, filter, execve(2)
 *
 * A filter that takes privileges to load is loaded inside, and so the clone is born before it gives these up.
 * Source: pid_namespaces(7), ptrace(2) "Ptrace access mode checking", PR_SET_DUMPABLE in prctl(2).
 */
import { host } from "#host";
import { EPERM } from "../errors/errno.ts";
import { at, RegError, toErrorData } from "../errors/errors.ts";
import { checked } from "../libc/call.ts";
import * as C from "../libc/constants.ts";
import { close, open } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import { poll } from "../libc/poll.ts";
import {
  clone3,
  closeFrom,
  endChild,
  hasEnded,
  inChild,
  isChild,
  lookAtEnd,
  prctl,
  setns,
  waitFor,
} from "../libc/process.ts";
import { controlTerminal } from "../linux/tty.ts";
import type { JoinedNamespace } from "../oci/plan/namespaces.ts";
import { Channel } from "./channel.ts";
import type { FromInit, ToInit } from "./protocol.ts";
import { newSession } from "./steps/become-user.ts";

const SIGKILL = 9;
/** How long a process may say nothing until it is asked whether it is still there. */
const LOOK_MS = 1000;

/** The runtime's end of the channel with a process that it has started. */
export type RuntimeChannel = Channel<ToInit, FromInit>;

/** The other end. */
export type InitChannel = Channel<FromInit, ToInit>;

/** A process that was started for a container. */
export interface Spawned {
  /** As this process sees it. It changes when the process that was prepared outside is born inside. */
  pid: number;
  readonly channel: RuntimeChannel;
}

/**
 * Runs what a clone is there for, and ends it. An error goes to the runtime; it must not unwind into the caller, which in this process
 * would take back what the runtime has made.
 */
export function inClone(channel: number, action: () => never): never {
  return inChild(action, (error) =>
    new Channel<FromInit, ToInit>(channel).send({ type: "error", error: toErrorData(error) }),
  );
}

/** Nothing in namespaces that this process, or a clone of it, enters may trace it (CVE-2016-9962): to be called before. */
export function becomeUntraceable(): void {
  prctl(C.PR_SET_DUMPABLE, "PR_SET_DUMPABLE", 0);
}

/** A namespace to join, opened while its path still means what the caller meant. */
export interface OpenedNamespace extends JoinedNamespace {
  readonly fd: number;
}

/** Opens namespaces. Throws with the field of the one that cannot be opened. */
export function openNamespaces(join: readonly JoinedNamespace[]): OpenedNamespace[] {
  return join.map((namespace) => ({
    ...namespace,
    fd: at(namespace.field, () => open(namespace.path, C.O_RDONLY)),
  }));
}

/**
 * Joins namespaces, and closes them; a pid namespace then waits for the clone. What the user namespace does not own cannot be joined from
 * inside it, and what only its root may join cannot be joined from outside: so each is tried before, and again after.
 */
export function joinNamespaces(opened: readonly OpenedNamespace[]): void {
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

/** How a process that was prepared outside gets into the pid namespace. */
export class Birth {
  readonly #channel: InitChannel;
  readonly #kept: readonly number[];
  readonly #firstOwn: number;
  #expected: boolean;
  #hasTerminal = false;

  /** `expected`: there is a pid namespace to be born in. `kept`: descriptors from `firstOwn` on that go along, besides the channel. */
  constructor(channel: InitChannel, kept: readonly number[], firstOwn: number, expected: boolean) {
    this.#channel = channel;
    this.#kept = kept;
    this.#firstOwn = firstOwn;
    this.#expected = expected;
  }

  /** The standard descriptors are a terminal now, which is to control the session of who is born. */
  takeTerminal(): void {
    if (this.#expected) this.#hasTerminal = true;
    else controlTerminal();
  }

  /**
   * Returns inside the pid namespace, once: by then nothing may be open here that the program is not to have. Where no pid
   * namespace was joined, this process is the one.
   */
  happen(): void {
    if (!this.#expected) return;
    this.#expected = false;
    closeFrom(this.#firstOwn, [this.#channel.fd, ...this.#kept]);
    const pid = clone3(C.CLONE_PARENT);
    if (pid !== 0) {
      this.#channel.send({ type: "born", pid });
      libc._exit(0);
    }
    if (this.#channel.read() === undefined) throw runtimeGone();
    newSession();
    if (this.#hasTerminal) controlTerminal();
  }
}

/** Whether what is being made is still wanted. */
export interface Wanted {
  /** Readable when there may be something to check. */
  readonly fd: number;
  /** Throws when the caller wants an end. */
  readonly check: () => void;
}

/**
 * The next message of a process, unless its caller loses interest before it comes. undefined when it has closed its end, or has ended: one that
 * was killed between the birth of its clone and its message of that leaves the channel to the clone, which waits for us.
 */
export function receive<Received>(
  { pid, channel }: { readonly pid: number; readonly channel: Channel<never, Received> },
  wanted?: Wanted,
): ReturnType<Channel<never, Received>["receive"]> {
  for (let ended = false; ; ) {
    const [readable, asked] = poll(
      [
        [channel.fd, C.POLLIN],
        [wanted?.fd, C.POLLIN],
      ],
      ended ? 0 : LOOK_MS,
    );
    if (readable) return channel.receive(); // what is there already counts: a signal may be for the program that has just started
    if (asked) wanted?.check();
    if (ended) return undefined;
    ended = hasEnded(pid); // it may have said something last of all: so there is one more look
  }
}

/**
 * The process that was started ends, and another has taken its place. One that was taken over from inside a namespace could name any
 * pid: only a child of ours is believed.
 */
export function replaceBy(spawned: Spawned, pid: number, ready = () => {}): void {
  if (pid === spawned.pid || !isChild(pid)) throw new RegError("EPROTO", `process ${pid} is not one that reg has made`);
  const outside = spawned.pid;
  spawned.pid = pid;
  ready();
  waitFor(outside);
}

/** The runtime's part in a birth. */
export function welcome(spawned: Spawned, pid: number): void {
  // First of all, so that the other works on while the kernel takes the old process apart.
  replaceBy(spawned, pid, () => spawned.channel.tell({ type: "proceed" }));
}

/** Why a process is not ready and never will be, when it could not say so itself: most often it is the OOM killer. It is left to be reaped, see killSpawned. */
export function endedEarly({ pid }: Spawned, name: string): RegError {
  const status = lookAtEnd(pid);
  const how = "signal" in status ? `was killed by signal ${status.signal}` : `exited with status ${status.code}`;
  const hint =
    "signal" in status && status.signal === SIGKILL ? "is linux.resources.memory.limit too small?" : undefined;
  return new RegError("ECHILD", `${name} ${how} before it was ready`, hint === undefined ? {} : { hint });
}

export function runtimeGone(): RegError {
  return new RegError("EPIPE", "the runtime has gone");
}

/** Takes a spawned process back: it is killed and reaped. */
export function killSpawned({ pid, channel }: Spawned): void {
  channel.close();
  endChild(pid);
}

/** Joins a pid namespace, which is for children only. */
export function joinPidNamespace(fd: number): void {
  setns(fd, C.CLONE_NEWPID, "the pid namespace");
}
