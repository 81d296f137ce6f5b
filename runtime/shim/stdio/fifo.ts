/**
 * Fifos of the caller's, which must be opened without waiting, and outlive the caller: containerd may restart.
 * Source: fifo(7); what happens in which order was measured.
 */
import { host } from "#host";
import { ENOENT, ENXIO } from "../../errors/errno.ts";
import { SyscallError } from "../../errors/errors.ts";
import * as C from "../../libc/constants.ts";
import { close, isErrno, open } from "../../libc/file.ts";
import { libc } from "../../libc/libc.ts";
import type { Loop, Timer } from "../loop.ts";

const FIRST_RETRY_MS = 1;
const LAST_RETRY_MS = 1000;

/**
 * The writing end of a fifo, when somebody reads it. Until then nothing may be written, as it would be gone if both ends were
 * closed: so it is tried again and again, no inotify event tells of a reader that waits. With it a reading end is held: without
 * the caller, writing then waits for the next one, instead of failing.
 */
export class FifoWriter {
  readonly #path: string;
  readonly #loop: Loop;
  #opened: ((fd: number) => void) | undefined;
  #fds: number[] = [];
  #timer: Timer | undefined;

  constructor(path: string, loop: Loop) {
    this.#path = path;
    this.#loop = loop;
  }

  /** Begins to open it, for who reads and waits for a writer. Throws SyscallError when it can not be opened at all. */
  meet(): void {
    this.#try(FIRST_RETRY_MS);
  }

  /** Calls `opened` when it is open, perhaps at once. Throws as `meet`. */
  open(opened: (fd: number) => void): void {
    this.#opened = opened;
    const [fd] = this.#fds;
    this.#timer?.cancel();
    if (fd === undefined) this.#try(FIRST_RETRY_MS);
    else opened(fd);
  }

  #try(retryMs: number): void {
    const fd = libc.openat(C.AT_FDCWD, this.#path, C.O_WRONLY | C.O_NONBLOCK | C.O_CLOEXEC, 0);
    if (fd === -1) {
      if (host.errno() !== ENXIO) throw new SyscallError("openat(2)", this.#path, host.errno());
      this.#later(retryMs);
      return;
    }
    this.#timer = undefined;
    try {
      this.#fds = [fd, open(this.#path, C.O_RDONLY | C.O_NONBLOCK)];
    } catch (error) {
      close(fd); // it is tried again
      throw error;
    }
    this.#opened?.(fd);
  }

  #later(retryMs: number): void {
    this.#timer = this.#loop.after(retryMs, () => this.#retry(Math.min(retryMs * 2, LAST_RETRY_MS)));
  }

  #retry(retryMs: number): void {
    try {
      this.#try(retryMs);
    } catch (error) {
      if (isErrno(error, ENOENT)) return; // the caller has taken the fifo away: nobody will come to read it
      this.#later(retryMs); // without descriptors: there may be some again
      throw error;
    }
  }

  /** Lets go of the reading end: when no other is left, writing fails. */
  release(): void {
    for (const fd of this.#fds.splice(1)) close(fd);
  }

  close(): void {
    this.#timer?.cancel();
    for (const fd of this.#fds) close(fd);
    this.#fds = [];
  }
}

/** The reading end of a fifo, and a writing end that is held: a caller that goes without CloseIO does not end the input. */
export class FifoReader {
  readonly fd: number;
  #held: number | undefined;

  constructor(path: string) {
    this.fd = open(path, C.O_RDONLY | C.O_NONBLOCK);
    try {
      this.#held = open(path, C.O_WRONLY | C.O_NONBLOCK);
    } catch (error) {
      close(this.fd);
      throw error;
    }
  }

  /** When the caller too has closed it, what is still in it is the last. */
  release(): void {
    if (this.#held !== undefined) close(this.#held);
    this.#held = undefined;
  }

  close(): void {
    this.release();
    close(this.fd);
  }
}
