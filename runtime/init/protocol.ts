/**
 * Messages between the runtime and init, over a SOCK_SEQPACKET pair; one JSON object a message.
 *
 *   runtime                               init
 *      │  cgroups, id maps                  │  mounts, devices, hostname ...
 *      │── network (+ namespace) ──────────▶│  only when the runtime makes it; awaited before sysfs is mounted
 *      │── proceed ────────────────────────▶│  awaited before its ids or its cgroup are needed
 *      │  limits, state.json                │  cgroup mounts
 *      │◀───────────────────────────── time │  only with time offsets in a user namespace, which the runtime writes
 *      │── proceed ────────────────────────▶│
 *      │◀──────────────────────────── hooks │  only with prestart, createRuntime or createContainer hooks
 *      │── proceed ────────────────────────▶│
 *      │◀──────────────── console (+ pty) ──│  only with a terminal
 *      │◀─────────── seccomp (+ listener) ──│  only with SCMP_ACT_NOTIFY
 *      │◀───────────────────── born (+ pid) │  only when a pid namespace is joined, see enter.ts
 *      │── proceed ────────────────────────▶│
 *      │◀──────────────────────────── ready │  everything but the user's process is in place
 *      │  memory limit, pid file            │
 *      │── park ───────────────────────────▶│  init waits at the exec fifo (create), or
 *      │── start ──────────────────────────▶│  goes on at once (run); sent before ready when nothing hangs on that
 *      │◀────────────── error, or the end ──│  the end: execve(2) has succeeded, or init is parked
 *
 * When the runtime dies, init finds the channel closed at the next message it awaits, and ends.
 */
import type { ErrorData } from "../errors/errors.ts";
import type { MovedDevice } from "../linux/net-device.ts";

export type ToInit =
  | { readonly type: "network" }
  | { readonly type: "proceed"; readonly netDevices?: readonly MovedDevice[] }
  | { readonly type: "park" }
  | { readonly type: "start" };

export type FromInit =
  | { readonly type: "pid"; readonly pid: number }
  | { readonly type: "born"; readonly pid: number }
  | { readonly type: "time" }
  | { readonly type: "hooks" }
  | { readonly type: "console" }
  | { readonly type: "seccomp" }
  | { readonly type: "ready" }
  | { readonly type: "error"; readonly error: ErrorData };
