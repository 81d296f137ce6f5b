/** User namespaces that nobody lives in: what an id-mapped mount takes its mapping from. Source: user_namespaces(7). */
import { ENOENT } from "../errors/errno.ts";
import * as C from "../libc/constants.ts";
import { isErrno, open, readLink, readText, writeText } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import { clone3, inChild, prctl, waitFor } from "../libc/process.ts";

const SIGKILL = 9;

/**
 * A descriptor of a new user namespace with these contents of uid_map and gid_map. A child is born in it and ends before
 * this returns; the descriptor keeps the namespace. Native host only.
 */
export function mappedUserNamespace(uidMap: string, gidMap: string): number {
  const child = clone3(C.CLONE_NEWUSER);
  if (child === 0)
    inChild(() => {
      prctl(C.PR_SET_PDEATHSIG, "PR_SET_PDEATHSIG", SIGKILL);
      for (;;) libc.poll(null, 0, -1);
    });
  try {
    writeText(`/proc/${child}/uid_map`, uidMap);
    writeText(`/proc/${child}/gid_map`, gidMap);
    return open(`/proc/${child}/ns/user`, C.O_RDONLY);
  } finally {
    libc.kill(child, SIGKILL);
    waitFor(child);
  }
}

/** Whether whoever calls has no rights over the host: a user, or root of a user namespace, as which rootless engines call. */
export function isRootless(): boolean {
  return libc.geteuid() !== 0 || isInUserNamespace();
}

/** What the kernel calls the first user namespace, whose number is fixed (PROC_USER_INIT_INO). */
const INITIAL = "user:[4026531837]";

/** Whether this process is in another user namespace than the first, and root in it not the host's. */
export function isInUserNamespace(): boolean {
  try {
    if (readLink("/proc/self/ns/user") === INITIAL) return false;
    return readText("/proc/self/uid_map").split(/\s+/).filter(Boolean).join(" ") !== "0 0 4294967295";
  } catch (error) {
    if (isErrno(error, ENOENT)) return false; // a kernel without user namespaces
    throw error;
  }
}
