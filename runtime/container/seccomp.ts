/** The listener of SCMP_ACT_NOTIFY, handed to whoever answers. Source: runtime-spec config-linux.md "The Container Process State". */
import { host } from "#host";
import { at, RegError } from "../errors/errors.ts";
import * as C from "../libc/constants.ts";
import { close, withFd } from "../libc/file.ts";
import { connectUnix, sendMessage } from "../libc/socket.ts";
import type { State } from "../oci/config.ts";
import type { SeccompListener } from "../oci/plan/seccomp.ts";

/**
 * A profile without SCMP_ACT_NOTIFY has no listener to hand over, whatever listenerPath says. Whoever waits at the socket sees a connection that
 * ends (as with crun); that nobody does is no fault (as with runc).
 */
export function dismissListener(path: string | undefined): void {
  if (path === undefined) return;
  try {
    close(connectUnix(path, C.SOCK_STREAM | C.SOCK_NONBLOCK));
  } catch (error) {
    if (!(error instanceof RegError)) throw error;
  }
}

/** Sends the listener of process `pid` to the socket of config.json, and closes it here. */
export function handOverListener(
  listener: SeccompListener | undefined,
  descriptors: readonly number[],
  pid: number,
  state: State,
): void {
  const processState = {
    ociVersion: state.ociVersion,
    fds: ["seccompFd"],
    pid,
    ...(listener?.metadata ? { metadata: listener.metadata } : {}),
    state,
  };
  try {
    if (listener !== undefined)
      at("/linux/seccomp/listenerPath", () =>
        withFd(connectUnix(listener.path), (socket) =>
          sendMessage(socket, host.encode(JSON.stringify(processState)), descriptors),
        ),
      );
  } finally {
    for (const descriptor of descriptors) close(descriptor);
  }
}
