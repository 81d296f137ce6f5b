/** A process that was started for a container, as the runtime sees it until it is ready: what it says, who takes its place, how it ended. */
import { RegError } from "../errors/errors.ts";
import { type EarlyEnd, hear } from "../libc/hear.ts";
import { endChild, isChild, lookAtEnd, waitFor } from "../libc/process.ts";
import type { Channel } from "./channel.ts";
import type { FromInit, ToInit } from "./protocol.ts";

const SIGKILL = 9;

/** The runtime's end of the channel with a process that it has started. */
export type RuntimeChannel = Channel<ToInit, FromInit>;

/** A process that was started for a container. */
export interface Spawned {
  /** As this process sees it. It changes when the process that was prepared outside is born inside. */
  pid: number;
  readonly channel: RuntimeChannel;
}

/** The next message of a process. undefined when it has closed its end of the channel, or has ended, see hear. */
export function receive<Received>(
  { pid, channel }: { readonly pid: number; readonly channel: Channel<never, Received> },
  earlyEnd?: EarlyEnd,
): ReturnType<Channel<never, Received>["receive"]> {
  return hear(channel.fd, pid, earlyEnd) ? channel.receive() : undefined;
}

/**
 * The process that was started ends, and another has taken its place. One that was taken over from inside a namespace could name any
 * pid: only a child of ours is believed.
 */
export function replaceBy(spawned: Spawned, pid: number, ready = () => {}): void {
  if (pid === spawned.pid || !isChild(pid)) throw new RegError("EPROTO", `process ${pid} is not one that reg has made`);
  const outside = spawned.pid;
  spawned.pid = pid;
  ready();
  waitFor(outside);
}

/** The runtime's part in a birth. */
export function welcome(spawned: Spawned, pid: number): void {
  // First of all, so that the other works on while the kernel takes the old process apart.
  replaceBy(spawned, pid, () => spawned.channel.tell({ type: "proceed" }));
}

/** Why a process is not ready and never will be, when it could not say so itself: most often it is the OOM killer. It is left to be reaped, see killSpawned. */
export function endedEarly({ pid }: Spawned, name: string): RegError {
  const status = lookAtEnd(pid);
  const how = "signal" in status ? `was killed by signal ${status.signal}` : `exited with status ${status.code}`;
  const hint =
    "signal" in status && status.signal === SIGKILL ? "is linux.resources.memory.limit too small?" : undefined;
  return new RegError("ECHILD", `${name} ${how} before it was ready`, hint === undefined ? {} : { hint });
}

/** Takes a spawned process back: it is killed and reaped. */
export function killSpawned({ pid, channel }: Spawned): void {
  channel.close();
  endChild(pid);
}
