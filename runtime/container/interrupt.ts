/** What a caller who stays has to do with a process that is being made: he may want it no more, and its terminal is to be his. */
import { RegError } from "../errors/errors.ts";
import type { Channel } from "../init/channel.ts";
import * as C from "../libc/constants.ts";
import { poll } from "../libc/poll.ts";

export interface Interrupt {
  /** Readable when there may be something to check. */
  readonly fd: number;
  /** Throws what `interrupted` makes when the caller wants an end. */
  readonly check: () => void;
  /** Sets up the terminal that the caller will relay, before the program writes to it. */
  readonly takeTerminal: (master: number) => void;
}

export function interrupted(signal: number): RegError {
  return new RegError("EINTR", `interrupted by signal ${signal}`);
}

/** The next message of init, unless the caller loses interest before it comes. */
export function receive<Received>(
  channel: Channel<never, Received>,
  interrupt: Interrupt | undefined,
): ReturnType<Channel<never, Received>["receive"]> {
  for (let heard = interrupt === undefined; !heard; ) {
    const [readable, asked] = poll([
      [channel.fd, C.POLLIN],
      [interrupt?.fd, C.POLLIN],
    ]);
    heard = Boolean(readable); // what is there already counts: a signal may be for the program that has just started
    if (asked && !heard) interrupt?.check();
  }
  return channel.receive();
}
