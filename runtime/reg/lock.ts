/**
 * The store's lock. Whoever adds or uses something holds it shared, so that gc, which holds it alone, sees nothing half done: what is
 * in tmp/ then belongs to nobody, and what no environment names is not about to be named. The kernel drops it with the
 * process. Source: flock(2).
 */
import { host } from "#host";
import { EAGAIN, EINTR } from "../errors/errno.ts";
import { SyscallError } from "../errors/errors.ts";
import * as C from "../libc/constants.ts";
import { close, open } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import { lockPath } from "./layout.ts";
import { explainStore } from "./trust.ts";

/** Waits until no gc is at work. Returns a descriptor; to close it is to unlock. Throws RegError where there is no store. */
export function lockShared(storeDir: string): number {
  return lock(storeDir, C.LOCK_SH);
}

/** Waits until nobody else works with the store; `onWait` is called when there is somebody. */
export function lockExclusive(storeDir: string, onWait: () => void = () => undefined): number {
  return lock(storeDir, C.LOCK_EX, onWait);
}

function lock(storeDir: string, operation: number, onWait?: () => void): number {
  const fd = openLock(storeDir);
  try {
    if (onWait !== undefined) {
      if (libc.flock(fd, operation | C.LOCK_NB) === 0) return fd;
      if (host.errno() === EAGAIN) onWait();
    }
    while (libc.flock(fd, operation) === -1)
      if (host.errno() !== EINTR) throw new SyscallError("flock(2)", lockPath(storeDir), host.errno());
    return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
}

function openLock(storeDir: string): number {
  try {
    return open(lockPath(storeDir), C.O_RDONLY);
  } catch (error) {
    throw explainStore(error, storeDir);
  }
}
