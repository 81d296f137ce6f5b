/** Waiting for what a child says. Source: poll(2), waitid(2). */
import * as C from "./constants.ts";
import { poll } from "./poll.ts";
import { hasEnded } from "./process.ts";

/** How long a child may say nothing until it is asked whether it is still there. */
const LOOK_MS = 1000;

/** Ends a wait early: `check` throws when its caller wants that, and is asked whenever `fd` is readable. */
export interface EarlyEnd {
  readonly fd: number;
  readonly check: () => void;
}

/**
 * Waits until there is something to receive from a socket that a child has the other end of, were it that this has been closed. False when the
 * child has ended and left nothing to receive: another that has its end, and may itself be waiting for us, would keep it open for ever.
 */
export function hear(socket: number, child: number, earlyEnd: EarlyEnd | undefined): boolean {
  for (let ended = false; ; ) {
    const [readable, asked] = poll(
      [
        [socket, C.POLLIN],
        [earlyEnd?.fd, C.POLLIN],
      ],
      ended ? 0 : LOOK_MS,
    );
    if (readable) return true; // what is there already counts: a signal may be for the program that has just started
    if (asked) earlyEnd?.check();
    if (ended) return false;
    ended = hasEnded(child); // it may have said something last of all: so there is one more look
  }
}
