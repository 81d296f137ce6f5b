/** Waiting for many descriptors. Source: epoll(7). */
import { host } from "#host";
import { EINTR } from "../errors/errno.ts";
import { SyscallError } from "../errors/errors.ts";
import { checked } from "./call.ts";
import * as C from "./constants.ts";
import { close } from "./file.ts";
import { libc } from "./libc.ts";
import { Struct } from "./memory.ts";
import { EPOLL_EVENT } from "./structs.ts";

/** How many events one `wait` gives at most. */
const BATCH = 32;

/** A set of descriptors. What happened is told by the number that each was added with. */
export class Epoll {
  /** Readable when there are events to be had by `wait`. */
  readonly fd: number;
  readonly #table = new Struct(BATCH * EPOLL_EVENT.size);
  readonly #event = new Struct(EPOLL_EVENT.size);

  constructor() {
    this.fd = checked(libc.epoll_create1(C.O_CLOEXEC), "epoll_create1(2)", "EPOLL_CLOEXEC");
  }

  /** `events` is the EPOLL* set; `token` up to 2^32 - 1. Throws SyscallError EPERM for a regular file, which is always ready. */
  add(fd: number, events: number, token: number): void {
    this.#control(C.EPOLL_CTL_ADD, fd, events, token);
  }

  change(fd: number, events: number, token: number): void {
    this.#control(C.EPOLL_CTL_MOD, fd, events, token);
  }

  remove(fd: number): void {
    this.#control(C.EPOLL_CTL_DEL, fd, 0, 0);
  }

  #control(operation: number, fd: number, events: number, token: number): void {
    this.#event.setU32(EPOLL_EVENT.events, events).setU32(EPOLL_EVENT.data, token);
    checked(libc.epoll_ctl(this.fd, operation, fd, this.#event.bytes), "epoll_ctl(2)", `descriptor ${fd}`);
  }

  /** Waits for events, for `timeoutMs` at most (-1: for ever). Calls `each` for those that came; a signal ends the wait too. */
  wait(timeoutMs: number, each: (token: number, events: number) => void): void {
    const count = libc.epoll_wait(this.fd, this.#table.bytes, BATCH, timeoutMs);
    if (count === -1 && host.errno() !== EINTR) throw new SyscallError("epoll_wait(2)", "events", host.errno());
    for (let index = 0; index < count; index++) {
      const at = index * EPOLL_EVENT.size;
      each(this.#table.u32(at + EPOLL_EVENT.data), this.#table.u32(at + EPOLL_EVENT.events));
    }
  }

  close(): void {
    close(this.fd);
  }
}
