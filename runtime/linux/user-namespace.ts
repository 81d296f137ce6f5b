/** User namespaces that nobody lives in: what an id-mapped mount takes its mapping from. Source: user_namespaces(7). */
import * as C from "../libc/constants.ts";
import { open, writeText } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import { clone3, prctl, waitFor } from "../libc/process.ts";

const SIGKILL = 9;

/**
 * A descriptor of a new user namespace with these contents of uid_map and gid_map. A child is born in it and ends before
 * this returns; the descriptor keeps the namespace. Native host only.
 */
export function mappedUserNamespace(uidMap: string, gidMap: string): number {
  const child = clone3(C.CLONE_NEWUSER);
  if (child === 0) {
    prctl(C.PR_SET_PDEATHSIG, "PR_SET_PDEATHSIG", SIGKILL);
    for (;;) libc.poll(null, 0, -1);
  }
  try {
    writeText(`/proc/${child}/uid_map`, uidMap);
    writeText(`/proc/${child}/gid_map`, gidMap);
    return open(`/proc/${child}/ns/user`, C.O_RDONLY);
  } finally {
    libc.kill(child, SIGKILL);
    waitFor(child);
  }
}
