/**
 * Which descriptors are whose. A container gets 0, 1 and 2, and those from 3 on that its caller preserves; a number among them that is not
 * open stays so, as Podman needs it. What this process opens must never have one of these numbers, or the container would get it.
 * Source: sd_listen_fds(3); the `--preserve-fds` of runc.
 */
import { RegError } from "../errors/errors.ts";
import { checked } from "../libc/call.ts";
import * as C from "../libc/constants.ts";
import { close } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import { Struct } from "../libc/memory.ts";
import { closeHeld } from "../libc/process.ts";
import { RLIMIT } from "../libc/structs.ts";

/**
 * Opens /dev/null as descriptors 0, 1 and 2 where they are closed, so that no later file lands there. A container may write to it; what
 * this process itself has to say must not vanish there, and fails.
 */
export function fillStandardDescriptors(forContainer: boolean): void {
  const flags = forContainer ? C.O_RDWR : C.O_RDONLY;
  for (const fd of [0, 1, 2])
    if (libc.fcntl(fd, C.F_GETFD, 0) === -1)
      checked(libc.openat(C.AT_FDCWD, "/dev/null", flags, 0), "openat(2)", "/dev/null");
}

/** What this process and init open at the same time, with much to spare. */
const OWN = 64;
const RLIMIT_NOFILE = 7;
/** Where native-shim/seal.c leaves what it holds open. */
const HELD_FROM = 500;

/**
 * Fills the holes among descriptors 3 to 2 + count, for as long as this process and its clones live, with objects that lead nowhere and that
 * execve(2) closes. To be called before anything is opened. Throws when the limit of open files leaves no room above them.
 */
export function setAside(count: number): void {
  if (count === 0) return;
  const end = 3 + count;
  const limit = new Struct(RLIMIT.size);
  checked(libc.prlimit(0, RLIMIT_NOFILE, null, limit.bytes), "prlimit(2)", "RLIMIT_NOFILE");
  const most = limit.u64(RLIMIT.rlim_cur);
  if (end + OWN > most)
    throw new RegError("EMFILE", `cannot preserve ${count} descriptors: this process may have ${most} open files`, {
      hint: "ulimit -n raises the limit",
    });
  if (end > HELD_FROM) closeHeld();
  // The kernel gives the lowest number that is free.
  for (;;) {
    const fd = checked(libc.eventfd(0, C.O_CLOEXEC), "eventfd(2)", "a descriptor that is not open");
    if (fd < end) continue;
    close(fd);
    return;
  }
}
