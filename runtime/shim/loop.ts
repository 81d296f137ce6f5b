/** The shim's one loop: descriptors that are ready, and times that have come. Nothing that it calls may wait. */
import { host } from "#host";
import * as C from "../libc/constants.ts";
import { Epoll } from "../libc/epoll.ts";
import { nowMs } from "../linux/cgroup/wait.ts";

/** After so many events or calls memory is looked through; and when nothing has happened for a while. */
const COLLECT_EVENTS = 64;
const COLLECT_IDLE_MS = 200;
/** The set of those who go first, among the others. */
const FIRST = 0;

/** A watched descriptor. Stop watching before it is closed. */
export interface Watch {
  /** Changes the EPOLL* set that is waited for. */
  change(events: number): void;
  stop(): void;
}

export interface Timer {
  cancel(): void;
}

interface Entry {
  events: number;
  readonly ready: (events: number) => void;
}

interface Due {
  readonly atMs: number;
  readonly action: () => void;
}

export class Loop {
  readonly #epoll = new Epoll();
  /** Who waits for an answer does not wait for all that happened before: these are looked for between any two callbacks. */
  readonly #first = new Epoll();
  /** By tokens that are not used again, so that an event of a descriptor that was closed meets nobody. */
  readonly #entries = new Map<number, Entry>();
  #token = FIRST;
  #timers: Due[] = [];
  /** What was done since memory was looked through. */
  #busy = 0;
  /** Whether nothing was done since what is free was given back. */
  #trimmed = true;
  readonly #report: (error: unknown) => void;

  /** `report` hears of what goes wrong in a callback; the loop goes on. */
  constructor(report: (error: unknown) => void) {
    this.#report = report;
    this.#epoll.add(this.#first.fd, C.EPOLLIN, FIRST);
  }

  /** Calls `ready` whenever one of `events` has happened to the descriptor (level-triggered; errors and hang-up always). */
  watch(fd: number, events: number, ready: (events: number) => void): Watch {
    return this.#watch(this.#epoll, fd, events, ready);
  }

  /** The same, before all that is watched otherwise. What it calls is to be short. */
  watchFirst(fd: number, events: number, ready: (events: number) => void): Watch {
    return this.#watch(this.#first, fd, events, ready);
  }

  #watch(epoll: Epoll, fd: number, events: number, ready: (events: number) => void): Watch {
    this.#token = (this.#token + 1) >>> 0 || FIRST + 1;
    const token = this.#token;
    const entry: Entry = { events, ready };
    epoll.add(fd, events, token);
    this.#entries.set(token, entry);
    return {
      change: (changed) => {
        if (changed === entry.events || !this.#entries.has(token)) return;
        entry.events = changed;
        epoll.change(fd, changed, token);
      },
      stop: () => {
        if (this.#entries.delete(token)) epoll.remove(fd);
      },
    };
  }

  /** Calls `action` once, after so long. */
  after(delayMs: number, action: () => void): Timer {
    const due: Due = { atMs: nowMs() + delayMs, action };
    const index = this.#timers.findIndex(({ atMs }) => atMs > due.atMs);
    this.#timers.splice(index < 0 ? this.#timers.length : index, 0, due);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((each) => each !== due);
      },
    };
  }

  /** For `await`. */
  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => this.after(delayMs, resolve));
  }

  /** Waits and calls, for ever: who wants to end ends the process. */
  run(): never {
    for (;;) {
      host.runJobs();
      const next = this.#timers[0];
      let timeoutMs = next === undefined ? -1 : Math.max(0, Math.ceil(next.atMs - nowMs()));
      if (!this.#trimmed && (timeoutMs === -1 || timeoutMs > COLLECT_IDLE_MS)) timeoutMs = COLLECT_IDLE_MS;
      let idle = true;
      this.#epoll.wait(timeoutMs, (token, happened) => {
        idle = false;
        this.#callFirst();
        if (token !== FIRST) this.#happened(token, happened);
      });
      if (idle && !this.#trimmed && timeoutMs === COLLECT_IDLE_MS) this.#collect(true);
      if (this.#timers[0] !== undefined) this.#callDue(nowMs());
    }
  }

  #callDue(nowIs: number): void {
    for (let due = this.#timers[0]; due !== undefined && due.atMs <= nowIs; due = this.#timers[0]) {
      this.#timers.shift();
      this.#call(due.action);
      this.#callFirst();
    }
  }

  #callFirst(): void {
    this.#first.wait(0, (token, happened) => this.#happened(token, happened));
  }

  #happened(token: number, happened: number): void {
    this.worked();
    const entry = this.#entries.get(token);
    if (entry !== undefined) this.#call(() => entry.ready(happened));
  }

  /** Something was done that leaves memory to be collected. */
  worked(): void {
    this.#busy++;
    this.#trimmed = false;
    // To look through memory takes as long as there is memory: what is watched says how much that is.
    if (this.#busy >= Math.max(COLLECT_EVENTS, 2 * this.#entries.size)) this.#collect(false);
  }

  #collect(trim: boolean): void {
    this.#busy = 0;
    this.#trimmed = trim;
    host.collect(trim);
  }

  #call(action: () => void): void {
    try {
      action();
    } catch (error) {
      this.#report(error);
    }
    host.runJobs();
  }
}
