/**
 * /proc, held as a descriptor and verified: what is written to it decides about security labels and kernel parameters,
 * so a fake one or something mounted over a file must be noticed (CVE-2019-16884, CVE-2025-52881).
 */
import { host } from "#host";
import { RegError } from "../errors/errors.ts";
import * as C from "../libc/constants.ts";
import { close, filesystemType, open, openat2, withFd, writeAll } from "../libc/file.ts";

/** Opens /proc as O_PATH. Throws RegError when it is not a procfs. */
export function openProc(): number {
  const fd = open("/proc", C.O_PATH | C.O_DIRECTORY);
  if (filesystemType(fd) === C.PROC_SUPER_MAGIC) return fd;
  close(fd);
  throw new RegError("EINVAL", "/proc is not a procfs", { hint: "mount it: mount -t proc proc /proc" });
}

/** Writes to a file of the procfs: no symlink is followed, and nothing may be mounted over it. */
export function writeProc(proc: number, path: string, text: string): void {
  const resolve = C.RESOLVE_BENEATH | C.RESOLVE_NO_XDEV | C.RESOLVE_NO_MAGICLINKS;
  withFd(openat2(proc, path, C.O_WRONLY, resolve), (fd) => writeAll(fd, host.encode(text), `/proc/${path}`));
}
