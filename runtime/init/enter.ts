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
import { clone3, closeFrom, inChild, prctl, setns } from "../libc/process.ts";
import { controlTerminal } from "../linux/tty.ts";
import type { JoinedNamespace } from "../oci/plan/namespaces.ts";
import { Channel } from "./channel.ts";
import type { FromInit, ToInit } from "./protocol.ts";
import { newSession } from "./steps/become-user.ts";

/** The other end of a RuntimeChannel. */
export type InitChannel = Channel<FromInit, ToInit>;

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

export function runtimeGone(): RegError {
  return new RegError("EPIPE", "the runtime has gone");
}

/** Joins a pid namespace, which is for children only. */
export function joinPidNamespace(fd: number): void {
  setns(fd, C.CLONE_NEWPID, "the pid namespace");
}
