/**
 * sd_notify(3) for containers: the manager's socket is not in a container, so it gets one of its own, at which the runtime
 * listens until the container says READY=1. That is passed on, with the id of the process to watch.
 *
 *   create   makes <state>/notify and mounts it; the program finds NOTIFY_SOCKET=/run/notify/notify.sock
 *   start    binds the socket there, starts the program, and stays until it is ready
 */
import { host } from "#host";
import { RegError } from "../errors/errors.ts";
import { checked } from "../libc/call.ts";
import * as C from "../libc/constants.ts";
import { close, mkdirIfMissing, open, withFd } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import { Struct } from "../libc/memory.ts";
import { poll } from "../libc/poll.ts";
import { openPidfd } from "../libc/process.ts";
import { bindDatagram, connectUnix, receiveMessage, sendMessage } from "../libc/socket.ts";
import { NOTIFY_DIRECTORY } from "./store.ts";

const SOCKET = "notify.sock";
const MESSAGE_LIMIT_BYTES = 4096;
/** How long the manager may take to read what it was sent: as systemd-notify. */
const BARRIER_MS = 30_000;

/** Told about what is odd and no error. */
export type Warn = (message: string) => void;

export function makeNotifyDirectory(stateDirectory: string): void {
  mkdirIfMissing(`${stateDirectory}/${NOTIFY_DIRECTORY}`, 0o755);
}

/** The container's end: bound from the construction on, so that no message is lost. */
export class NotifyRelay {
  readonly fd: number;
  readonly #manager: string;

  /** `manager` is the runtime's own $NOTIFY_SOCKET. Throws SyscallError ENOENT when the container was created without. */
  constructor(stateDirectory: string, manager: string) {
    this.#manager = manager;
    const path = `${stateDirectory}/${NOTIFY_DIRECTORY}`;
    this.fd = withFd(open(path, C.O_PATH | C.O_DIRECTORY), (directory) => {
      libc.unlinkat(directory, SOCKET, 0); // of a start that failed
      // By descriptor: the path of a state directory may be longer than the address of a socket.
      const fd = bindDatagram(`/proc/self/fd/${directory}/${SOCKET}`);
      libc.fchmodat(directory, SOCKET, 0o777, 0); // whoever the container's user is
      return fd;
    });
  }

  close(): void {
    close(this.fd);
  }

  /** Waits until the container is ready, or its process has ended. */
  waitForReady(pid: number, warn?: Warn): void {
    const pidfd = openPidfd(pid);
    if (pidfd === undefined) return;
    withFd(pidfd, () => {
      for (;;) {
        const [said, ended] = poll([
          [this.fd, C.POLLIN],
          [pidfd, C.POLLIN],
        ]);
        if (said && this.pass(pid, warn, awaitManager)) return;
        if (!said && ended) return;
      }
    });
  }

  /**
   * Takes one message; true when it was READY=1, which is passed on with the process to watch. A manager that does not
   * listen is only warned of: the container runs. `afterwards` is for who ends soon.
   */
  pass(mainPid: number, warn?: Warn, afterwards: (manager: number) => void = () => undefined): boolean {
    const received = receiveMessage(this.fd, MESSAGE_LIMIT_BYTES);
    const { payload = new Uint8Array(0), descriptors = [] } = received ?? {};
    for (const fd of descriptors) close(fd); // a BARRIER=1 of the container's own
    const ready = host
      .decode(payload)
      .split("\n")
      .find((line) => line.startsWith("READY="));
    if (ready === undefined) return false;
    try {
      const manager = connectUnix(this.#manager, C.SOCK_DGRAM);
      withFd(manager, () => {
        sendMessage(manager, host.encode(`${ready}\n`));
        sendMessage(manager, host.encode(`MAINPID=${mainPid}\n`));
        afterwards(manager);
      });
    } catch (error) {
      if (!(error instanceof RegError)) throw error;
      warn?.(`NOTIFY_SOCKET: ${error.message}`);
    }
    return true;
  }
}

/** Returns when the manager has read everything: it looks at the sender, who must not have ended by then. */
function awaitManager(manager: number): void {
  const ends = new Struct(8);
  checked(libc.pipe2(ends.bytes, C.O_CLOEXEC), "pipe2(2)", "BARRIER=1");
  const [readEnd, writeEnd] = [ends.i32(0), ends.i32(4)];
  withFd(readEnd, () => {
    withFd(writeEnd, () => sendMessage(manager, host.encode("BARRIER=1"), [writeEnd]));
    const [closed] = poll([[readEnd, C.POLLIN]], BARRIER_MS);
    if (!closed) throw new RegError("ETIMEDOUT", "the service manager did not take READY=1 within 30 s");
  });
}
