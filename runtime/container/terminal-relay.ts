/** Between the terminal of a container in the foreground and our own standard input and output. */
import { EAGAIN, EBADF, EIO } from "../errors/errno.ts";
import { checked } from "../libc/call.ts";
import * as C from "../libc/constants.ts";
import { Epoll } from "../libc/epoll.ts";
import { isErrno, read, write } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import type { Polled } from "../libc/poll.ts";
import { isTerminal, setWindowSize, windowSize } from "../linux/tty.ts";

const CONTROL_D = 4;
const LINE_FEED = 10;

export class TerminalRelay {
  readonly #master: number;
  readonly input: Flow;
  readonly output: Output;

  constructor(master: number) {
    this.#master = master;
    checked(libc.fcntl(master, C.F_SETFL, C.O_NONBLOCK), "fcntl(2)", "the terminal");
    this.input = new Input(master);
    this.output = new Output(master);
  }

  resize(): void {
    const size = windowSize(0) ?? windowSize(1);
    if (size !== undefined) setWindowSize(this.#master, size);
  }

  close(): void {
    this.output.close();
  }
}

/** So many fit into a pipe that poll(2) says can be written to. Our own descriptors are others' too: they stay as they are, and may block. */
const COPY_BYTES = 4096;

/** Bytes from one descriptor to another, each when it is ready: who does not read holds up this only, not the signals nor the end. */
export abstract class Flow {
  readonly #to: number;
  readonly #subject: string;
  readonly #buffer = new Uint8Array(COPY_BYTES);
  /** Has been read, and is to be written. */
  #pending: Uint8Array = this.#buffer.subarray(0, 0);

  constructor(to: number, subject: string) {
    this.#to = to;
    this.#subject = subject;
  }

  /** What poll(2) is to wait for, before `move`. */
  get awaited(): Polled {
    return this.isHeldUp ? [this.#to, C.POLLOUT] : this.source;
  }

  /** Whether there is something that whoever it is for has not taken yet. */
  get isHeldUp(): boolean {
    return this.#pending.length > 0;
  }

  /** What poll(2) is to wait for, before `take`. */
  protected abstract readonly source: Polled;
  /** Reads more into `buffer`; returns what is to be written. */
  protected abstract take(buffer: Uint8Array): Uint8Array;

  /** Writes what is pending, or reads more. */
  move(): void {
    try {
      if (this.isHeldUp) this.#write();
      else this.#pending = this.take(this.#buffer);
    } catch (error) {
      if (!isErrno(error, EAGAIN)) throw error;
    }
  }

  /** A terminal that has been hung up has no reader: what is for it is lost, and nobody waits for it. */
  #write(): void {
    try {
      this.#pending = this.#pending.subarray(write(this.#to, this.#pending, this.#subject));
    } catch (error) {
      if (!isErrno(error, EIO)) throw error;
      this.#pending = this.#pending.subarray(this.#pending.length);
    }
  }
}

/** Our input, whose end becomes that of the terminal's. */
class Input extends Flow {
  /** Else the last line may lack its end. What was typed in part when a terminal was hung up is nobody's command. */
  readonly #typed = isTerminal(0);
  #inLine = false;
  #ended = false;

  constructor(master: number) {
    super(master, "the terminal");
  }

  get source(): Polled {
    return [this.#ended ? undefined : 0, C.POLLIN];
  }

  take(buffer: Uint8Array): Uint8Array {
    const count = readUnless([EIO, EBADF], 0, buffer) ?? 0; // hung up, or for writing only, as nohup(1) leaves it
    this.#ended = count === 0;
    // In a line, the first passes on what there is of it.
    if (this.#ended) return new Uint8Array(this.#inLine && !this.#typed ? [CONTROL_D, CONTROL_D] : [CONTROL_D]);
    this.#inLine = buffer[count - 1] !== LINE_FEED;
    return buffer.subarray(0, count);
  }
}

/** The container's output. Its programs may close the terminal, all of them, and open it again later. */
class Output extends Flow {
  readonly #master: number;
  /** Tells when something happens to a terminal that nobody has open; poll(2) would tell for ever that nobody has. */
  #changes: Epoll | undefined;
  #closed = false;

  constructor(master: number) {
    super(1, "standard output");
    this.#master = master;
  }

  get source(): Polled {
    return [this.#closed ? this.#changes?.fd : this.#master, C.POLLIN];
  }

  take(buffer: Uint8Array): Uint8Array {
    if (this.#closed) this.#changes?.wait(0, () => {});
    const count = readUnless([EIO], this.#master, buffer);
    this.#closed = count === undefined;
    if (this.#closed && this.#changes === undefined) {
      this.#changes = new Epoll();
      this.#changes.add(this.#master, C.EPOLLIN | C.EPOLLET, 0); // what has happened meanwhile is told at once
    }
    return buffer.subarray(0, count ?? 0);
  }

  close(): void {
    this.#changes?.close();
  }
}

/** read(2); undefined when it fails with one of `errnos`. */
function readUnless(errnos: readonly number[], fd: number, buffer: Uint8Array): number | undefined {
  try {
    return read(fd, buffer);
  } catch (error) {
    if (isErrno(error, ...errnos)) return undefined;
    throw error;
  }
}
