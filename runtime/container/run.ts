/** `reg run`: create and start in one; in the foreground it stays, forwards signals and the terminal, and passes the status on. */
import { fromErrorData } from "../errors/errors.ts";
import { receive } from "../init/spawned.ts";
import type { ExitStatus } from "../libc/process.ts";
import { writePidFile } from "./caller.ts";
import { type Built, build } from "./create.ts";
import { removeStopped } from "./delete.ts";
import { Foreground } from "./foreground.ts";
import type { Interrupt } from "./interrupt.ts";
import { NotifyRelay } from "./notify.ts";
import type { CreateOptions } from "./plan.ts";
import { poststart } from "./start.ts";

export interface RunOptions extends CreateOptions {
  /** Return when the process has started. */
  readonly detach: boolean;
  /** Leave the stopped container, for `reg delete`. */
  readonly keep: boolean;
}

/** Runs a container. Returns how its process ended; undefined when detached. */
export function run(options: RunOptions): ExitStatus | undefined {
  const { detach, warn } = options;
  let foreground: Foreground | undefined;
  const built = build(options, detach, false, () => {
    // Signals that come while the container is built end that, or wait until there is somebody to forward them to.
    foreground = detach ? undefined : new Foreground();
    return foreground;
  });
  const { directory } = built.container;
  let status: ExitStatus | undefined;
  let relay: NotifyRelay | undefined;
  try {
    if (options.pidFile !== undefined) writePidFile(options.pidFile, built.pid);
    relay = options.notifySocket === undefined ? undefined : new NotifyRelay(directory.path, options.notifySocket);
    startNow(built, foreground);
    directory.unlock(); // for as long as it runs, it is anybody's to pause, update or delete
    poststart(built.container);
    if (foreground === undefined) {
      relay?.waitForReady(built.pid, warn);
      return undefined;
    }
    status = foreground.wait(built.pid, built.terminal, relay, warn);
  } catch (error) {
    if (directory.lockIfThere()) built.rollback.run(); // otherwise somebody has deleted it
    throw error;
  }
  if (!options.keep) removeStopped(built.container, built.plan, warn);
  directory.close();
  return status;
}

/** No exec fifo is needed when the one who starts is the one who created: the channel says it, and shows the execve(2). */
function startNow({ pid, channel, told }: Built, interrupt: Interrupt | undefined): void {
  if (!told) channel.send({ type: "start" });
  const answer = receive({ pid, channel }, interrupt); // the channel closes on exec
  channel.close();
  if (answer?.message.type === "error") throw fromErrorData(answer.message.error);
}
