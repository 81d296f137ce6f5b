/** `reg start`: lets init run the user's process (runtime-spec runtime.md, "Lifecycle" 6 to 9). */
import { host } from "#host";
import { parseErrorData, RegError } from "../errors/errors.ts";
import { alreadyRunning, startCreating, startStopped } from "../errors/messages.ts";
import * as C from "../libc/constants.ts";
import { close, open, readAll, withFd, writeAll } from "../libc/file.ts";
import { poll } from "../libc/poll.ts";
import { openPidfd } from "../libc/process.ts";
import { fdPath } from "../linux/path.ts";
import { runHooksToTheEnd } from "../oci/hooks.ts";
import { Container } from "./container.ts";
import { killContainer } from "./kill.ts";
import { NotifyRelay } from "./notify.ts";
import type { StateDirectory } from "./store.ts";

export interface StartOptions {
  readonly root: string;
  readonly id: string;
  /** The caller's $NOTIFY_SOCKET: returns only when the container has said READY=1. */
  readonly notifySocket?: string;
  readonly warn?: (message: string) => void;
}

const SIGKILL = 9;
/** Longer than init takes to end after it has said why. */
const END_MS = 10_000;

/** Starts a created container. Returns when its process has been executed; throws what kept it from that. */
export function start({ root, id, notifySocket, warn }: StartOptions): void {
  const container = openCreated(root, id);
  let relay: NotifyRelay | undefined;
  try {
    const status = container.status();
    if (status === "stopped") throw startStopped();
    if (status === "creating") throw startCreating();
    if (status !== "created") throw alreadyRunning();
    if (notifySocket !== undefined && container.directory.hasNotify())
      relay = new NotifyRelay(container.directory.path, notifySocket);
    openGate(container);
    poststart(container);
  } finally {
    container.directory.close();
  }
  relay?.waitForReady(container.state.pid ?? 0, warn);
}

/** Locked. One that is still being created is not waited for: a hook that starts its own container would wait for ever. */
function openCreated(root: string, id: string): Container {
  const container = Container.open(root, id);
  container.directory.close();
  if (container.status() === "creating") throw startCreating();
  return Container.openLocked(root, id);
}

/** A poststart hook that fails is an error, and ends the container (runtime-spec 1.3). */
export function poststart(container: Container): void {
  const [failure] = runHooksToTheEnd("poststart", container.state.hooks, container.describe("running"));
  if (failure === undefined) return;
  try {
    killContainer(container, SIGKILL);
  } catch (error) {
    if (!(error instanceof RegError && error.code === "ESRCH")) throw error; // it has ended by itself
  }
  throw failure;
}

/** What init waits for. */
const GO = "0";

/** Lets init go on, and waits until it has started its program. */
function openGate(container: Container): void {
  const pidfd = openPidfd(container.state.pid ?? 0);
  if (pidfd === undefined) throw startStopped();
  withFd(pidfd, () => {
    const gate = new Gate(container);
    gate.open();
    poll([
      [gate.fd, 0], // POLLERR: nobody reads any more
      [pidfd, C.POLLIN],
    ]);
    const failure = gate.close();
    if (failure === undefined) return;
    poll([[pidfd, C.POLLIN]], END_MS); // it is about to end, and the caller about to delete the container
    throw failure;
  });
}

/**
 * The exec fifo, at which init waits. Its end closes with its execve(2), or when it ends; what it has written until then is why
 * it could not start the program.
 */
export class Gate {
  /** It has an error (POLLERR) when nobody reads any more: then it is to be closed. */
  readonly fd: number;
  readonly #directory: StateDirectory;

  /** Throws "cannot start a container that has stopped" without a fifo. */
  constructor({ directory }: Container) {
    const fd = directory.openExecFifo();
    if (fd === undefined) throw startStopped();
    this.fd = fd;
    this.#directory = directory;
  }

  /** Lets init go on. */
  open(): void {
    // With a reader of our own, an init that ends just now is no SIGPIPE.
    withFd(this.#reader(), () => writeAll(this.fd, host.encode(GO)));
    this.#directory.removeExecFifo();
    this.#directory.unlock(); // started: others need not wait for the hooks that init runs now
  }

  #reader(): number {
    return open(fdPath(this.fd), C.O_RDONLY | C.O_NONBLOCK);
  }

  /** Returns what kept init from running its program, if anything did. */
  close(): RegError | undefined {
    const answer = this.#reader();
    close(this.fd);
    const said = host.decode(withFd(answer, () => readAll(answer, "the exec fifo")));
    if (said === "") return undefined;
    return said === GO ? startStopped() : parseErrorData(said);
  }
}
