/**
 * What can wait is done by a worker: a fork of the shim, which has booted already. It says what it has to say in messages,
 * with descriptors beside them, and ends. Processes that it leaves behind become children of the shim, which is their
 * subreaper; as they do so only when the worker has ended, the shim knows of them before they can end.
 */
import { host } from "#host";
import { EAGAIN } from "../errors/errno.ts";
import { type ErrorData, fromErrorData, RegError, toErrorData } from "../errors/errors.ts";
import * as C from "../libc/constants.ts";
import { close, isErrno } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import { closeFrom, closeHeld, fork } from "../libc/process.ts";
import { receiveMessage, sendMessage, socketPair } from "../libc/socket.ts";
import type { Children } from "./children.ts";
import type { Loop, Watch } from "./loop.ts";
import { unblockSignals } from "./signals.ts";

/**
 * So many at once keep the processors busy; more would only take them from the shim, which has to answer meanwhile, and memory. A worker that
 * has not ended after a while waits for something: it is not counted, and so nobody waits for it.
 */
const AT_ONCE = 4;
const COUNTED_MS = 100;
const LIMIT_BYTES = 64 * 1024;
/** Characters: a config with a thousand faults has a long one. */
const LONGEST_MESSAGE = 8192;

type Answer = { readonly note: unknown } | { readonly error: ErrorData } | { readonly result: unknown };

/** How a worker tells things before its end. */
export type Tell<Note> = (note: Note, descriptors?: readonly number[]) => void;

export interface Job<Note, Result> {
  /** Descriptors that the worker keeps, beside 0 to 2; all others it closes at once. */
  readonly keep?: readonly number[];
  /** Runs in the worker. May block; must not use the loop. What it gives or throws crosses as JSON. */
  readonly work: (tell: Tell<Note>) => Result | Promise<Result>;
  /** Runs in the worker when the shim has its result: what nobody needs to wait for. */
  readonly afterwards?: () => void;
  /** Runs in the shim when the worker has all that it gets from it. Must not throw. */
  readonly begun?: () => void;
  /** Runs in the shim for each note, at once. The descriptors are its own to close. */
  readonly note?: (note: Note, descriptors: readonly number[]) => void;
}

/** A job for a worker that is forked before it is known what exactly is to be done, or whether. */
export interface Ahead<Order, Prepared, Note, Result> {
  /** Runs in the worker at once. That it fails is no fault: then the work goes without. */
  readonly prepare: () => Prepared;
  /** Runs in the worker when it has been given its order, and descriptors, which are its own. */
  readonly work: (
    order: Order,
    descriptors: readonly number[],
    prepared: Prepared | undefined,
    tell: Tell<Note>,
  ) => Result | Promise<Result>;
  readonly afterwards?: () => void;
}

/** A fork of this process that waits for its order. It ends when it is dismissed, and when this process does. */
export class Standby<Order> {
  /** Our end; undefined when it has got its order, or has gone. */
  #fd: number | undefined;
  readonly #left: () => void;
  /** What is to be called at its end. */
  ended: () => void = () => {};

  constructor(fd: number, left: () => void) {
    this.#fd = fd;
    this.#left = left;
  }

  /** Gives it its order. The descriptor by which it answers; undefined when it has gone. */
  give(order: Order, descriptors: readonly number[]): number | undefined {
    const fd = this.#fd;
    if (fd === undefined) return undefined;
    const payload = host.encode(JSON.stringify(order));
    try {
      if (payload.length > LIMIT_BYTES) throw new RegError("E2BIG", "the order is too long");
      sendMessage(fd, payload, descriptors);
    } catch (error) {
      if (!(error instanceof RegError)) throw error;
      this.dismiss();
      return undefined;
    }
    this.#leave();
    return fd;
  }

  dismiss(): void {
    if (this.#fd !== undefined) close(this.#fd);
    this.#leave();
  }

  #leave(): void {
    if (this.#fd !== undefined) this.#left();
    this.#fd = undefined;
  }
}

export class Workers {
  readonly #loop: Loop;
  readonly #children: Children;
  /** What is to be forked. */
  readonly #due: (() => void)[] = [];
  #counted = 0;
  /** How many wait for their order. */
  #waiting = 0;
  /** Turns an error of the worker into one that can be told, see main.ts. */
  readonly explain: (error: unknown) => Promise<unknown>;

  constructor(loop: Loop, children: Children, explain: (error: unknown) => Promise<unknown>) {
    this.#loop = loop;
    this.#children = children;
    this.explain = explain;
  }

  /**
   * Forks a worker, or gives its order to one that waits. Resolves with its result, which is the last that it tells; rejects with its
   * error.
   */
  run<Note, Result, Order = never>(
    job: Job<Note, Result>,
    ahead?: { readonly by: () => Standby<Order> | undefined; readonly order: Order },
  ): Promise<Result> {
    return new Promise((resolve, reject) => {
      this.#due.push(() => {
        try {
          const standby = ahead?.by();
          const fd = ahead && standby?.give(ahead.order, job.keep ?? []);
          if (standby === undefined || fd === undefined) this.#fork(job, resolve, reject);
          else standby.ended = this.#listen(fd, job, resolve, reject);
          job.begun?.();
        } catch (error) {
          reject(error);
        }
      });
      this.#next();
    });
  }

  /** Forks a worker that waits for its order, unless enough do so; then what is to be done later is done by one that is forked then. */
  ahead<Order, Prepared, Note, Result>(
    job: Ahead<Order, Prepared, Note, Result>,
    ready: (standby: Standby<Order>) => void,
  ): void {
    this.#due.push(() => {
      const standby = this.aheadNow(job);
      if (standby !== undefined) ready(standby);
    });
    this.#next();
  }

  /** The same, at once: for when nothing is waited for in the shim, see #next. */
  aheadNow<Order, Prepared, Note, Result>(job: Ahead<Order, Prepared, Note, Result>): Standby<Order> | undefined {
    if (this.#waiting >= AT_ONCE) return undefined;
    let spawned: readonly [pid: number, socket: number];
    try {
      spawned = this.#spawn([], (socket) =>
        this.#be(socket, (tell: Tell<Note>) => this.#await(socket, job, tell), job.afterwards),
      );
    } catch (error) {
      if (error instanceof RegError) return undefined; // whoever wants the work done forks again, and says why that fails
      throw error;
    }
    const [pid, ours] = spawned;
    this.#waiting++;
    const standby = new Standby<Order>(ours, () => this.#waiting--);
    this.#children.expect(pid, () => {
      standby.dismiss();
      standby.ended();
    });
    return standby;
  }

  /** In the worker: gets ready, waits for its order, works. */
  #await<Order, Prepared, Note, Result>(
    socket: number,
    { prepare, work }: Ahead<Order, Prepared, Note, Result>,
    tell: Tell<Note>,
  ): Result | Promise<Result> {
    let prepared: Prepared | undefined;
    try {
      prepared = prepare();
    } catch (error) {
      if (!(error instanceof RegError)) throw error; // the work will say it, should it still be so
    }
    const received = receiveMessage(socket, LIMIT_BYTES);
    if (received === undefined) libc._exit(0);
    const { payload, descriptors } = received as NonNullable<typeof received>;
    return work(JSON.parse(host.decode(payload)) as Order, descriptors, prepared, tell);
  }

  /** One at a time, from the loop, between all else: what promises wait for in the shim must not happen in the worker too. */
  #next(): void {
    this.#loop.after(0, () => {
      if (this.#counted >= AT_ONCE) return;
      this.#due.shift()?.();
      if (this.#due.length > 0) this.#next();
    });
  }

  /** Counts one more, until the function is called that this returns, or it has been working for too long. */
  #count(): () => void {
    let counts = true;
    const forget = () => {
      if (!counts) return;
      counts = false;
      this.#counted--;
      if (this.#due.length > 0) this.#next();
    };
    this.#counted++;
    const timer = this.#loop.after(COUNTED_MS, forget);
    return () => {
      timer.cancel();
      forget();
    };
  }

  #fork<Note, Result>(
    job: Job<Note, Result>,
    resolve: (result: Result) => void,
    reject: (error: unknown) => void,
  ): void {
    const [pid, ours] = this.#spawn(job.keep ?? [], (socket) => this.#be(socket, job.work, job.afterwards));
    this.#children.expect(pid, this.#listen(ours, job, resolve, reject));
  }

  /** Forks a worker that is `be`, with nothing open but what is kept. Returns our end of the socket between us. */
  #spawn(keep: readonly number[], be: (socket: number) => never): readonly [pid: number, socket: number] {
    const [ours, theirs] = socketPair(C.SOCK_SEQPACKET);
    try {
      const pid = fork("a worker", () => {
        closeHeld(); // by their numbers, which later would be another's
        closeFrom(3, [theirs, ...keep]);
        return be(theirs);
      });
      return [pid, ours];
    } catch (error) {
      close(ours);
      throw error;
    } finally {
      close(theirs);
    }
  }

  /** Takes what a worker tells from now on. What is returned is to be called at its end. */
  #listen<Note, Result>(
    fd: number,
    { note }: Job<Note, Result>,
    resolve: (result: Result) => void,
    reject: (error: unknown) => void,
  ): () => void {
    const answers = new Answers<Note, Result>(fd, this.#loop, { note, resolve, reject });
    const ended = this.#count();
    return () => {
      ended();
      answers.end();
      reject(new RegError("ECHILD", "the shim's worker ended before it was done")); // without an effect, if it was
    };
  }

  /** In the worker: works, says how it went, ends. */
  #be<Note, Result>(
    socket: number,
    work: Job<Note, Result>["work"],
    afterwards: Job<Note, Result>["afterwards"],
  ): never {
    const say = (answer: Answer, descriptors: readonly number[] = []) =>
      sendMessage(socket, host.encode(JSON.stringify(answer)), descriptors);
    unblockSignals();
    const done = async () => {
      try {
        say({ result: (await work((note, descriptors) => say({ note }, descriptors))) ?? null });
        afterwards?.();
      } catch (error) {
        const { message, ...rest } = toErrorData(await this.explain(error));
        say({ error: { ...rest, message: message.slice(0, LONGEST_MESSAGE) } });
      }
    };
    done().then(
      () => libc._exit(0),
      () => libc._exit(1), // the shim has gone: nobody is left to hear it
    );
    host.runJobs();
    libc._exit(1); // whatever it awaits will not come
    throw new Error("unreachable");
  }
}

interface Listener<Note, Result> {
  readonly note: Job<Note, Result>["note"];
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/** What comes from a worker. */
class Answers<Note, Result> {
  readonly #fd: number;
  readonly #watch: Watch;
  readonly #listener: Listener<Note, Result>;

  constructor(fd: number, loop: Loop, listener: Listener<Note, Result>) {
    this.#fd = fd;
    this.#listener = listener;
    this.#watch = loop.watch(fd, C.EPOLLIN, () => {
      if (!this.#take()) this.#watch.stop();
    });
  }

  /** Takes one message. False when there is none. */
  #take(): boolean {
    let received: ReturnType<typeof receiveMessage>;
    try {
      received = receiveMessage(this.#fd, LIMIT_BYTES, C.MSG_DONTWAIT);
    } catch (error) {
      if (isErrno(error, EAGAIN)) return false;
      throw error;
    }
    if (received === undefined) return false;
    const answer = JSON.parse(host.decode(received.payload)) as Answer;
    if ("note" in answer) this.#listener.note?.(answer.note as Note, received.descriptors);
    else if ("error" in answer) this.#listener.reject(fromErrorData(answer.error));
    else this.#listener.resolve(answer.result as Result);
    return true;
  }

  /** The worker has ended: takes what is left. */
  end(): void {
    while (this.#take());
    this.#watch.stop();
    close(this.#fd);
  }
}
