/** Waiting for descriptors. Source: poll(2). */
import { host } from "#host";
import { EINTR } from "../errors/errno.ts";
import { SyscallError } from "../errors/errors.ts";
import { libc } from "./libc.ts";
import { Struct } from "./memory.ts";
import { POLLFD } from "./structs.ts";

/** A descriptor and the POLL* events to wait for; undefined takes its place in the result and waits for nothing. */
export type Polled = readonly [fd: number | undefined, events: number];

/**
 * poll(2): waits until one of the descriptors has an event, or `timeoutMs` is over (-1: for ever); begins anew when a signal
 * comes. Returns what happened to each, in order: POLL* sets, all 0 when the time was over.
 */
export function poll(polled: readonly Polled[], timeoutMs = -1): readonly number[] {
  const table = new Struct(polled.length * POLLFD.size);
  polled.forEach(([fd, events], index) => {
    table.setI32(index * POLLFD.size + POLLFD.fd, fd ?? -1).setU16(index * POLLFD.size + POLLFD.events, events);
  });
  while (libc.poll(table.bytes, polled.length, timeoutMs) === -1)
    if (host.errno() !== EINTR) throw new SyscallError("poll(2)", `${polled.length} descriptors`, host.errno());
  return polled.map((_, index) => table.u16(index * POLLFD.size + POLLFD.revents));
}
