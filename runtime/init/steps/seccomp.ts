/**
 * The system call filter. It is compiled, or found in the cache, before the process is there, and loaded at one of three
 * points:
 *
 *   without no-new-privileges   before the credentials change, because it takes CAP_SYS_ADMIN
 *   with a listener             when all is in place and the runtime still there, which hands the listener over
 *   otherwise                   last: between it and execve(2) there are only hooks, which it is to hold for
 */
import { at } from "../../errors/errors.ts";
import * as C from "../../libc/constants.ts";
import { close } from "../../libc/file.ts";
import { compileFilter, loadFilter } from "../../linux/seccomp.ts";
import { cachedProgram } from "../../linux/seccomp-cache.ts";
import { planFilter } from "../../oci/plan/seccomp.ts";
import type { SeccompRequest, SeccompTask } from "../task.ts";

/** Where compiled filters lie: no container can have this name. */
const CACHE = "@seccomp";

/** The task with the filter that it asks for. Only the native host has the compiler. */
export function withFilter<Task extends { seccompRequest?: SeccompRequest; seccomp?: SeccompTask }>(task: Task): Task {
  const { seccompRequest, seccomp } = task;
  if (seccompRequest === undefined || seccomp !== undefined) return task;
  return { ...task, seccomp: prepare(seccompRequest) };
}

function prepare({ plan: { profile, flags, listener }, root }: SeccompRequest): SeccompTask {
  const program = cachedProgram(`${root}/${CACHE}`, JSON.stringify(profile), () =>
    at("/linux/seccomp", () => compileFilter(planFilter(profile))),
  );
  return { program, flags, listens: listener !== undefined };
}

/** When the filter is loaded. */
export type SeccompPoint = "before credentials" | "ready" | "last";

/** Whether the filter is loaded while there are privileges to do it, before the credentials change. */
export function loadsFirst(seccomp: SeccompTask | undefined, noNewPrivileges: boolean): boolean {
  return seccomp !== undefined && !noNewPrivileges;
}

/** Loads the filter if this is the point for it. `send` gets the listener. */
export function loadSeccomp(
  seccomp: SeccompTask | undefined,
  point: SeccompPoint,
  noNewPrivileges: boolean,
  send: (listener: number) => void,
): void {
  if (seccomp === undefined) return;
  const { program, flags, listens } = seccomp;
  if (point !== (!noNewPrivileges ? "before credentials" : listens ? "ready" : "last")) return;
  const listener = loadFilter(program, listens ? flags | C.SECCOMP_FILTER_FLAG_NEW_LISTENER : flags);
  if (!listens) return;
  send(listener);
  close(listener);
}
