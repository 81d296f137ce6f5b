/** The processes of a cgroup: listing and signalling them. */
import { host } from "#host";
import { ESRCH } from "../../errors/errno.ts";
import { SyscallError } from "../../errors/errors.ts";
import { libc } from "../../libc/libc.ts";
import { childrenOf, readLongControl } from "./file.ts";

/** Process ids in the cgroup directory, and with `recursive` in those below it. None when it is not there. */
export function listPids(path: string, recursive: boolean): number[] {
  // A threaded cgroup of v2 has no cgroup.procs to read.
  const text = readLongControl(`${path}/cgroup.procs`) ?? readLongControl(`${path}/cgroup.threads`) ?? "";
  const pids: number[] = [];
  for (const line of text.split("\n")) if (line !== "") pids.push(Number(line));
  if (recursive) for (const name of childrenOf(path)) pids.push(...listPids(`${path}/${name}`, true));
  return pids;
}

/** kill(2) of each process; those that are gone are left out. Returns how many there were. */
export function signalAll(pids: readonly number[], signal: number): number {
  let count = 0;
  for (const pid of pids) {
    if (pid <= 0) continue; // of a pid namespace that does not see it; 0 would be our own group
    if (libc.kill(pid, signal) === 0) count++;
    else if (host.errno() !== ESRCH) throw new SyscallError("kill(2)", `process ${pid}`, host.errno());
  }
  return count;
}
