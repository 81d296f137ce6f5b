/**
 * The shim's log: the fifo `log` of the bundle, whose lines containerd prints among its own. With no reader, or one that is
 * stuck, lines are lost: nothing waits for a log.
 */
import { host } from "#host";
import * as C from "../libc/constants.ts";
import { libc } from "../libc/libc.ts";

let fd = -1;

/** Opens the log of a bundle; without one, nothing is logged. */
export function openLog(path: string): void {
  fd = libc.openat(C.AT_FDCWD, path, C.O_WRONLY | C.O_NONBLOCK | C.O_CLOEXEC, 0);
}

/** One line, in the form of containerd's own. */
export function log(level: "info" | "warning" | "error", text: string): void {
  if (fd < 0) return;
  const line = host.encode(
    `time=${JSON.stringify(new Date().toISOString())} level=${level} msg=${JSON.stringify(text)}\n`,
  );
  libc.write(fd, line, line.length); // best effort, see above
}
