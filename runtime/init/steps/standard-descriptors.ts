/** Standard input, output and error, where the caller gave the host's null device. */

import { EBADF } from "../../errors/errno.ts";
import { checked } from "../../libc/call.ts";
import * as C from "../../libc/constants.ts";
import { close, isErrno, open, stat, withFd } from "../../libc/file.ts";
import { libc } from "../../libc/libc.ts";
import { openInRootIfExists } from "../../linux/path.ts";

/** False for a descriptor that is closed. */
function isNull(fd: number): boolean {
  try {
    const { type, rdevMajor, rdevMinor } = stat("", fd);
    return type === C.S_IFCHR && rdevMajor === 1 && rdevMinor === 3;
  } catch (error) {
    if (isErrno(error, EBADF)) return false;
    throw error;
  }
}

/**
 * Replaces it by the container's own, for reading and writing (as runc and crun): a caller may have opened its own for reading alone, and
 * /proc/self/fd/0 of the container would show a file of the host. A container without one keeps the caller's. `proc` is a verified /proc.
 */
export function reopenNull(root: number, proc: number): void {
  const given = [0, 1, 2].filter(isNull);
  if (given.length === 0) return;
  const place = openInRootIfExists(root, "/dev/null", C.O_PATH | C.O_NOFOLLOW);
  if (place === undefined) return;
  withFd(place, () => {
    if (!isNull(place)) return;
    const own = open(`self/fd/${place}`, C.O_RDWR, 0, proc);
    for (const fd of given) checked(libc.dup3(own, fd, 0), "dup3(2)", "/dev/null");
    close(own);
  });
}
