/** The shim's signals, read from a descriptor like everything else. Source: signalfd(2). */
import { checked } from "../libc/call.ts";
import * as C from "../libc/constants.ts";
import { libc } from "../libc/libc.ts";
import { Struct } from "../libc/memory.ts";
import { SIGNALFD_SIGINFO, SIGSET } from "../libc/structs.ts";
import type { Loop } from "./loop.ts";

const SIG_BLOCK = 0;
const SIG_SETMASK = 2;

export const SIGINT = 2;
export const SIGKILL = 9;
export const SIGUSR1 = 10;
export const SIGTERM = 15;
export const SIGCHLD = 17;
const SIGPIPE = 13;

function maskOf(...signals: readonly number[]): Uint8Array {
  const mask = new Struct(SIGSET.size);
  for (const signal of signals) {
    const offset = (signal - 1) >> 3;
    mask.setU8(offset, mask.u8(offset) | (1 << ((signal - 1) & 7)));
  }
  return mask.bytes;
}

/** Calls `arrived` for the signals that the shim takes. SIGPIPE is blocked: a reader that has gone is an errno. */
export function watchSignals(loop: Loop, arrived: (signal: number) => void): void {
  const mask = maskOf(SIGINT, SIGUSR1, SIGTERM, SIGCHLD);
  checked(
    libc.sigprocmask(SIG_BLOCK, maskOf(SIGINT, SIGUSR1, SIGTERM, SIGCHLD, SIGPIPE), null),
    "sigprocmask(2)",
    "the shim's signals",
  );
  const fd = checked(libc.signalfd(-1, mask, C.O_NONBLOCK | C.O_CLOEXEC), "signalfd(2)", "the shim's signals");
  const info = new Struct(SIGNALFD_SIGINFO.size);
  loop.watch(fd, C.EPOLLIN, () => {
    while (libc.read(fd, info.bytes, info.bytes.length) === SIGNALFD_SIGINFO.size)
      arrived(info.u32(SIGNALFD_SIGINFO.ssi_signo));
  });
}

/** As the shim was born: for a process that is not to be the shim any more. */
export function unblockSignals(): void {
  libc.sigprocmask(SIG_SETMASK, maskOf(), null); // cannot fail for a mask of ours
}
