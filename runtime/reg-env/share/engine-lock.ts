/**
 * The lock that an engine holds while it changes or mounts layers: a record lock on all of a file. Ours belongs to the descriptor, not to the
 * process (OFD), and excludes theirs whichever kind they take. Source: fcntl(2), "Open file description locks".
 */
import { host } from "#host";
import { EACCES, EAGAIN, EINTR } from "../../errors/errno.ts";
import { SyscallError } from "../../errors/errors.ts";
import * as C from "../../libc/constants.ts";
import { close, open } from "../../libc/file.ts";
import { libc } from "../../libc/libc.ts";
import { Struct } from "../../libc/memory.ts";
import { FLOCK } from "../../libc/structs.ts";

/** Runs `action` while no engine can take the lock; `onWait` is called when one has it. Without a lock file it just runs. */
export function withEngineLock<T>(path: string | undefined, onWait: () => void, action: () => T): T {
  if (path === undefined) return action();
  const fd = open(path, C.O_RDWR | C.O_NOFOLLOW);
  try {
    if (!tryLock(fd, path, C.F_OFD_SETLK)) {
      onWait();
      while (!tryLock(fd, path, C.F_OFD_SETLKW));
    }
    return action();
  } finally {
    close(fd); // and unlock
  }
}

/** False when it is taken, or a signal came. */
function tryLock(fd: number, path: string, command: number): boolean {
  const lock = new Struct(FLOCK.size).setU16(FLOCK.l_type, C.F_WRLCK); // from the beginning to the end
  if (libc.syscall(C.SYS_fcntl, fd, command, lock.bytes, 0, 0) !== -1) return true;
  const errno = host.errno();
  if (errno === EAGAIN || errno === EACCES || errno === EINTR) return false;
  throw new SyscallError("fcntl(2)", `lock ${path}`, errno);
}
