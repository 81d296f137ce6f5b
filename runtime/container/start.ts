/** `reg start`: lets init run the user's process (runtime-spec runtime.md, "Lifecycle" 6 to 9). */
import { host } from "#host";
import { type ErrorData, fromErrorData, RegError } from "../errors/errors.ts";
import { alreadyRunning, startCreating, startStopped } from "../errors/messages.ts";
import * as C from "../libc/constants.ts";
import { close, read, withFd } from "../libc/file.ts";
import { poll } from "../libc/poll.ts";
import { openPidfd } from "../libc/process.ts";
import { runHooksToTheEnd } from "../oci/hooks.ts";
import { Container } from "./container.ts";
import { killContainer } from "./kill.ts";
import { NotifyRelay } from "./notify.ts";

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

/**
 * Opens the other end of the exec fifo, on which init blocks. It writes "0" and goes on; the fifo closes with its
 * execve(2). Anything else that comes is an error, as data.
 */
function openGate({ directory, state }: Container): void {
  const pidfd = openPidfd(state.pid ?? 0);
  if (pidfd === undefined) throw startStopped();
  try {
    withFd(directory.openExecFifo(), (fifo) => {
      let said = "";
      const buffer = new Uint8Array(4096);
      for (;;) {
        const [readable] = poll([
          [fifo, C.POLLIN],
          [pidfd, C.POLLIN],
        ]);
        if (!readable && said === "") throw startStopped(); // init ended instead of writing
        const count = readable ? read(fifo, buffer) : 0;
        if (count === 0) break;
        if (said === "") {
          directory.removeExecFifo();
          directory.unlock(); // started: others need not wait for the hooks that init runs now
        }
        said += host.decode(buffer.subarray(0, count));
      }
      if (said.length > 1) {
        poll([[pidfd, C.POLLIN]], END_MS); // it is about to end, and the caller about to delete the container
        throw fromErrorData(JSON.parse(said.slice(1)) as ErrorData);
      }
      if (said === "") throw new RegError("EPIPE", "container init ended before it was started");
    });
  } finally {
    close(pidfd);
  }
}
