/** Copies from one descriptor to another as both are ready, inside the kernel where it can: splice(2). */
import { host } from "#host";
import { EAGAIN, EINTR, EINVAL, EIO } from "../../errors/errno.ts";
import * as C from "../../libc/constants.ts";
import { libc } from "../../libc/libc.ts";
import { poll } from "../../libc/poll.ts";
import type { Loop, Watch } from "../loop.ts";

const CHUNK_BYTES = 64 * 1024;
/** After so many chunks others have their turn. */
const TURN = 4;
const COPY_BYTES = 4096;

export interface PumpOptions {
  readonly loop: Loop;
  readonly from: number;
  /** Where to; undefined while it is not open, then `opened` tells. A file, or a descriptor that does not block. */
  readonly to?: number;
  /** Everything has been copied, or the other side does not take it. Called once; the descriptors are the owner's to close. */
  readonly ended: () => void;
  /** The source is the master of a terminal: nobody has it open for the moment is not its end. */
  readonly terminal?: boolean;
}

export class Pump {
  readonly #options: PumpOptions;
  #to: number | undefined;
  readonly #source: Watch;
  #sink: Watch | undefined;
  /** Whether splice(2) works between these two. */
  #splices = true;
  /** What was read and could not be written yet, without splice. */
  #pending: Uint8Array | undefined;
  #running = true;
  /** The process at the terminal has ended. */
  #last = false;

  constructor(options: PumpOptions) {
    this.#options = options;
    this.#to = options.to;
    // Edge-triggered: a terminal without a process says that it hangs for as long as it does.
    this.#source = options.loop.watch(options.from, C.EPOLLIN | C.EPOLLET, () => this.#turn());
  }

  opened(to: number): void {
    this.#to = to;
    this.#turn();
  }

  /** The process has ended: a terminal that hangs has said all. */
  finish(): void {
    this.#last = true;
    this.#turn();
  }

  /** Stops for good, without `ended`. */
  stop(): void {
    this.#running = false;
    this.#source.stop();
    this.#sink?.stop();
  }

  #turn(): void {
    const to = this.#to;
    if (to === undefined || this.#sink !== undefined) return;
    for (let chunk = 0; this.#running; chunk++) {
      if (chunk === TURN) {
        this.#options.loop.after(0, () => this.#turn());
        return;
      }
      const moved = this.#splices ? this.#splice(to) : this.#copy(to);
      if (moved === "more") continue;
      if (moved === "end") this.#end();
      if (moved === "full") this.#awaitSink(to);
      return;
    }
  }

  #end(): void {
    this.stop();
    this.#options.ended();
  }

  #awaitSink(to: number): void {
    this.#sink = this.#options.loop.watch(to, C.EPOLLOUT, () => {
      this.#sink?.stop();
      this.#sink = undefined;
      this.#turn();
    });
  }

  #splice(to: number): "more" | "end" | "empty" | "full" {
    const { from } = this.#options;
    const count = libc.splice(from, null, to, null, CHUNK_BYTES, C.SPLICE_F_MOVE | C.SPLICE_F_NONBLOCK);
    if (count > 0) return "more";
    if (count === 0) return "end";
    const errno = host.errno();
    if (errno === EINTR) return "more";
    if (errno === EINVAL) {
      this.#splices = false;
      return "more";
    }
    if (errno === EAGAIN) return this.#isReadable() ? "full" : "empty";
    return this.#failed(errno);
  }

  #copy(to: number): "more" | "end" | "empty" | "full" {
    if (this.#pending === undefined) {
      if (!this.#isReadable()) return "empty";
      const buffer = new Uint8Array(COPY_BYTES);
      const count = libc.read(this.#options.from, buffer, buffer.length);
      if (count === 0) return "end";
      if (count === -1) return this.#stumbled();
      this.#pending = buffer.subarray(0, count);
    }
    const count = libc.write(to, this.#pending, this.#pending.length);
    if (count === -1) return host.errno() === EAGAIN ? "full" : this.#stumbled();
    this.#pending = count === this.#pending.length ? undefined : this.#pending.subarray(count);
    return "more";
  }

  #stumbled(): "more" | "end" | "empty" {
    const errno = host.errno();
    if (errno === EINTR) return "more";
    return errno === EAGAIN ? "empty" : this.#failed(errno);
  }

  /** EIO is what a terminal says that no process has open. Any other errno means that nobody takes it any more. */
  #failed(errno: number): "end" | "empty" {
    return errno === EIO && this.#options.terminal === true && !this.#last ? "empty" : "end";
  }

  /** Whether reading would not wait: there is something, or the end. */
  #isReadable(): boolean {
    const [events = 0] = poll([[this.#options.from, C.POLLIN]], 0);
    return events !== 0;
  }
}
