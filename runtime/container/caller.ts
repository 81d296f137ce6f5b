/** What the caller gets of a new process: its pid in a file; its terminal and a pidfd, over sockets. */
import { host } from "#host";
import { RegError } from "../errors/errors.ts";
import { notRunning } from "../errors/messages.ts";
import * as C from "../libc/constants.ts";
import { close, replaceFile, statIfExists, withFd, writeText } from "../libc/file.ts";
import { openPidfd } from "../libc/process.ts";
import { connectUnix, sendMessage } from "../libc/socket.ts";
import type { Rollback } from "./rollback.ts";

/**
 * Writes the pid without a newline, as containerd's shim wants it. A file is replaced, for whoever waits for it; what is none, such as
 * /dev/stdout or a pipe, is written to: another one in its place would be read by nobody.
 */
export function writePidFile(path: string, pid: number): void {
  about("pid file", () => {
    const isFile = (statIfExists(path, C.AT_FDCWD, true)?.type ?? C.S_IFREG) === C.S_IFREG;
    if (isFile) replaceFile(path, String(pid), 0o644);
    else writeText(path, String(pid));
  });
}

/** Runs `action`; its error says what the path in it was for. */
export function about<T>(what: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof RegError)) throw error;
    const hint = error.hint === undefined ? {} : { hint: error.hint };
    throw new RegError(error.code, `${what}: ${error.message}`, { cause: error, ...hint });
  }
}

/** A connection to the console socket; undefined when none was given. */
export function connectIfGiven(path: string | undefined, rollback: Rollback): number | undefined {
  if (path === undefined) return undefined;
  const fd = about("console socket", () => connectUnix(path));
  rollback.add(() => close(fd));
  return fd;
}

/** Hands the master of a process's terminal to whoever listens at the console socket, and closes both here. */
export function handOverTerminal(consoleSocket: number, master: number): void {
  about("console socket", () => sendMessage(consoleSocket, host.encode("/dev/ptmx"), [master]));
  close(master);
  close(consoleSocket);
}

/** Hands over a pidfd of the process: `payload` says whether the receiver may signal it or join its namespaces too. */
export function sendPidfd(path: string, pid: number, payload: "standard" | "setns"): void {
  const pidfd = openPidfd(pid);
  if (pidfd === undefined) throw notRunning();
  withFd(pidfd, () =>
    withFd(
      about("pidfd socket", () => connectUnix(path)),
      (socket) => about("pidfd socket", () => sendMessage(socket, host.encode(payload), [pidfd])),
    ),
  );
}
