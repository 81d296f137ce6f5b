/**
 * The shim's children: workers, containers' inits and further processes, and orphans of a container that has no pid namespace
 * of its own. All are reaped; those that somebody expects are reported.
 */
import { host } from "#host";
import * as C from "../libc/constants.ts";
import { libc } from "../libc/libc.ts";
import { Struct } from "../libc/memory.ts";

/** What a shell would say: the exit status, or 128 + signal. */
type Ended = (status: number) => void;

export class Children {
  readonly #expected = new Map<number, Ended>();

  /** Calls `ended` when the process has ended. To be called before `reap` can find it. */
  expect(pid: number, ended: Ended): void {
    this.#expected.set(pid, ended);
  }

  /** Nobody asks any more how the process ends. False when it has been reaped, and its number may be another's. */
  forget(pid: number): boolean {
    return this.#expected.delete(pid);
  }

  /**
   * Reaps what has ended, but not more than `most`: then true says that there may be others. waitpid(2). A worker comes before the
   * processes that it leaves behind: these are put at the end of the list of children, in the same moment in which the worker becomes a zombie.
   */
  reap(most: number): boolean {
    const raw = new Struct(4);
    for (let count = 0; count < most; count++) {
      const pid = libc.waitpid(-1, raw.bytes, C.WNOHANG);
      if (pid <= 0) return false; // none has ended, or there is none
      const signal = raw.i32(0) & 0x7f;
      const ended = this.#expected.get(pid);
      this.#expected.delete(pid);
      ended?.(signal === 0 ? (raw.i32(0) >> 8) & 0xff : 128 + signal);
      host.runJobs(); // what follows from the end of a worker comes before the end of what it has left behind
    }
    return true;
  }
}
