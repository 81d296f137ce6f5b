/** What a caller who stays has to do with a process that is being made: he may want it no more, and its terminal is to be his. */
import { RegError } from "../errors/errors.ts";
import type { EarlyEnd } from "../libc/hear.ts";

export interface Interrupt extends EarlyEnd {
  /** Sets up the terminal that the caller will relay, before the program writes to it. */
  readonly takeTerminal: (master: number) => void;
}

export function interrupted(signal: number): RegError {
  return new RegError("EINTR", `interrupted by signal ${signal}`);
}
