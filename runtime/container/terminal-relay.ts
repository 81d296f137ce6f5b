/** Between the terminal of a container in the foreground and our own standard input and output. */
import { EAGAIN, EIO } from "../errors/errno.ts";
import { checked } from "../libc/call.ts";
import * as C from "../libc/constants.ts";
import { isErrno, read, write } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import type { Polled } from "../libc/poll.ts";
import { setWindowSize, windowSize } from "../linux/tty.ts";

export class TerminalRelay {
  readonly #master: number;
  readonly input: Flow;
  readonly output: Flow;

  constructor(master: number) {
    this.#master = master;
    checked(libc.fcntl(master, C.F_SETFL, C.O_NONBLOCK), "fcntl(2)", "the terminal");
    const CONTROL_D = 4; // the end of our input is the end of the terminal's
    this.input = new Flow(0, master, new Uint8Array([CONTROL_D]));
    this.output = new Flow(master, 1);
  }

  resize(): void {
    const size = windowSize(0) ?? windowSize(1);
    if (size !== undefined) setWindowSize(this.#master, size);
  }
}

/** So many fit into a pipe that poll(2) says can be written to. Our own descriptors are others' too: they stay as they are, and may block. */
const COPY_BYTES = 4096;

/** Bytes from one descriptor to another, each when it is ready: who does not read holds up this only, not the signals nor the end. */
export class Flow {
  readonly #from: number;
  readonly #to: number;
  readonly #buffer = new Uint8Array(COPY_BYTES);
  /** Has been read, and is to be written. */
  #pending: Uint8Array = this.#buffer.subarray(0, 0);
  /** What is written when all else has been. */
  readonly #last: Uint8Array;
  #ended = false;

  constructor(from: number, to: number, last = new Uint8Array(0)) {
    this.#from = from;
    this.#to = to;
    this.#last = last;
  }

  /** What poll(2) is to wait for, before `move`. */
  get awaited(): Polled {
    if (this.isHeldUp) return [this.#to, C.POLLOUT];
    return [this.#ended ? undefined : this.#from, C.POLLIN];
  }

  /** Whether there is something that whoever it is for has not taken yet. */
  get isHeldUp(): boolean {
    return this.#pending.length > 0;
  }

  /** Writes what is pending, or reads more. */
  move(): void {
    try {
      if (this.isHeldUp) this.#write();
      else this.#read();
    } catch (error) {
      if (!isErrno(error, EAGAIN)) throw error;
    }
  }

  #read(): void {
    const count = untilHungUp(() => read(this.#from, this.#buffer));
    this.#ended = count === 0;
    this.#pending = this.#ended ? this.#last : this.#buffer.subarray(0, count);
  }

  #write(): void {
    const count = untilHungUp(() => write(this.#to, this.#pending));
    this.#ended ||= count === 0;
    this.#pending = this.#pending.subarray(count === 0 ? this.#pending.length : count);
  }
}

/** How many bytes went; 0 when a terminal says by EIO that its other side is closed. */
function untilHungUp(transfer: () => number): number {
  try {
    return transfer();
  } catch (error) {
    if (isErrno(error, EIO)) return 0;
    throw error;
  }
}
