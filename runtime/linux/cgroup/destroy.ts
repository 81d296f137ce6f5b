/** Removing cgroup directories, with whatever cgroups the container made below. */
import { host } from "#host";
import { EBUSY, ENOENT } from "../../errors/errno.ts";
import { RegError, SyscallError } from "../../errors/errors.ts";
import * as C from "../../libc/constants.ts";
import { libc } from "../../libc/libc.ts";
import { childrenOf, readControl } from "./file.ts";
import { listPids } from "./processes.ts";
import { napUs, nowMs, waitForControl, waitForExits } from "./wait.ts";

/** rmdir of one cgroup. False when something is still in it. */
function tryRemove(path: string): boolean {
  if (libc.unlinkat(C.AT_FDCWD, path, C.AT_REMOVEDIR) === 0) return true;
  const errno = host.errno();
  if (errno === ENOENT) return true;
  if (errno === EBUSY) return false;
  throw new SyscallError("unlinkat(2)", path, errno);
}

/**
 * Removes a cgroup and those below. Waits for processes that are dying; they were killed by the caller.
 * Throws RegError EBUSY, with the ids of those that stay, after the deadline. One system call in the usual case.
 */
export function removeCgroup(path: string, deadlineMs: number): void {
  if (tryRemove(path)) return;
  for (let napped = 0; ; ) {
    for (const name of childrenOf(path)) removeCgroup(`${path}/${name}`, deadlineMs);
    if (tryRemove(path)) return;
    const pids = listPids(path, false);
    if (nowMs() > deadlineMs)
      throw new RegError("EBUSY", `remove cgroup ${path}: device or resource busy (EBUSY)`, {
        hint: pids.length > 0 ? `still running in it: ${pids.join(", ")}` : "the kernel has not let go of it yet",
      });
    if (pids.length === 0) napUs(100 << Math.min(napped++, 8));
    else if (readControl(`${path}/cgroup.events`) === undefined) waitForExits(pids, deadlineMs);
    else waitForControl(`${path}/cgroup.events`, (text) => text.includes("populated 0"), deadlineMs);
  }
}
