/** The runtime while its container runs in the foreground: signals and terminal go through, its end is awaited. */
import { host } from "#host";
import { checked } from "../libc/call.ts";
import * as C from "../libc/constants.ts";
import { close, withFd } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import { Struct } from "../libc/memory.ts";
import { poll } from "../libc/poll.ts";
import { type ExitStatus, openPidfd, reapOthers, waitFor } from "../libc/process.ts";
import { SIGNALFD_SIGINFO, SIGSET } from "../libc/structs.ts";
import { isTerminal, keepNewlines, makeRaw } from "../linux/tty.ts";
import { type Interrupt, interrupted } from "./interrupt.ts";
import type { NotifyRelay, Warn } from "./notify.ts";
import { type Flow, TerminalRelay } from "./terminal-relay.ts";

const SIGKILL = 9;
const SIGCHLD = 17;
const SIGSTOP = 19;
const SIGTTIN = 21;
const SIGTTOU = 22;
const SIGURG = 23;
const SIGWINCH = 28;
/**
 * What the kernel sends for our own faults, or cannot be caught, or stops a job that has a terminal and is in the background, until the
 * shell has it in front: not for the container.
 */
const NOT_FORWARDED: readonly number[] = [4, 5, 6, 7, 8, SIGKILL, 11, SIGCHLD, SIGSTOP, SIGTTIN, SIGTTOU, 31];

/** SIGHUP, SIGINT, SIGQUIT, SIGTERM: before there is a container to have them, they end its making. */
const ENDING: readonly number[] = [1, 2, 3, 15];

/** Collects signals from its construction on, and forwards them while `wait` runs. */
export class Foreground implements Interrupt {
  readonly #signals: number;
  /** Came before `wait`. */
  readonly #early: number[] = [];

  constructor() {
    // Processes that the container's init leaves behind without a pid namespace are ours to reap.
    libc.prctl(C.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    if (host.kind === "node") {
      this.#signals = -1; // they are the embedding program's, and go to whichever thread the kernel likes
      return;
    }
    // All but what is a fault of our own; init unblocks them again for the program.
    const mask = new Struct(SIGSET.size);
    for (let signal = 1; signal <= 64; signal++) {
      if (NOT_FORWARDED.includes(signal) && signal !== SIGCHLD) continue;
      const offset = (signal - 1) >> 3;
      mask.setU8(offset, mask.u8(offset) | (1 << ((signal - 1) & 7)));
    }
    const SIG_BLOCK = 0;
    checked(libc.sigprocmask(SIG_BLOCK, mask.bytes, null), "sigprocmask(2)", "all signals");
    this.#signals = checked(libc.signalfd(-1, mask.bytes, C.O_NONBLOCK | C.O_CLOEXEC), "signalfd(2)", "all signals");
  }

  get fd(): number {
    return this.#signals;
  }

  /** Throws when a signal has come that asks for the end; others wait for the container. */
  check(): void {
    this.#receive((signal) => {
      if (ENDING.includes(signal)) throw interrupted(signal);
      this.#early.push(signal);
    });
  }

  /** The terminal outside adds the "\r". */
  takeTerminal(master: number): void {
    keepNewlines(master);
  }

  /** Waits for the process to end. `terminal` is the master of the container's terminal, which takes over ours. */
  wait(pid: number, terminal: number | undefined, notify?: NotifyRelay, warn?: Warn): ExitStatus {
    const restore = terminal !== undefined && isTerminal(0) ? makeRaw(0) : () => {};
    let relay: TerminalRelay | undefined;
    try {
      if (terminal !== undefined) relay = new TerminalRelay(terminal);
      relay?.resize();
      return this.#serve(pid, relay, notify, warn);
    } finally {
      restore();
      relay?.close();
      close(this.#signals);
      if (terminal !== undefined) close(terminal);
    }
  }

  #serve(pid: number, relay: TerminalRelay | undefined, notify?: NotifyRelay, warn?: Warn): ExitStatus {
    for (const signal of this.#early) this.#handle(signal, pid, relay);
    const pidfd = openPidfd(pid); // not SIGCHLD: on Node, a thread of libuv's may get it
    if (pidfd === undefined) return waitFor(pid);
    return withFd(pidfd, () => {
      for (;;) {
        const [signalled, input, output, ended, notified] = poll([
          [this.#signals, C.POLLIN],
          relay?.input.awaited ?? [undefined, 0],
          relay?.output.awaited ?? [undefined, 0],
          [pidfd, C.POLLIN],
          [notify?.fd, C.POLLIN],
        ]);
        if (output) relay?.output.move();
        if (input) relay?.input.move();
        if (signalled) this.#receive((signal) => this.#handle(signal, pid, relay));
        if (notified) notify?.pass(libc.getpid(), warn); // the service is this process, as long as it stays
        if (!ended) continue;
        if (relay !== undefined) this.#drain(relay.output);
        return waitFor(pid);
      }
    });
  }

  /** What the process wrote just before its end. Who does not read it may send a signal. */
  #drain(output: Flow): void {
    let unwanted = false;
    while (!unwanted) {
      const [signalled, ready] = poll([[this.#signals, C.POLLIN], output.awaited], output.isHeldUp ? -1 : 0);
      if (!signalled && !ready) return;
      if (ready) output.move();
      if (signalled) this.#receive((signal) => (unwanted ||= ENDING.includes(signal)));
    }
  }

  #receive(handle: (signal: number) => void): void {
    const info = new Struct(SIGNALFD_SIGINFO.size);
    while (libc.read(this.#signals, info.bytes, SIGNALFD_SIGINFO.size) === SIGNALFD_SIGINFO.size)
      handle(info.u32(SIGNALFD_SIGINFO.ssi_signo));
  }

  #handle(signal: number, pid: number, relay: TerminalRelay | undefined): void {
    if (signal === SIGCHLD) reapOthers(pid);
    else if (signal === SIGWINCH && relay !== undefined) relay.resize();
    else if (signal !== SIGURG) libc.kill(pid, signal);
  }
}
