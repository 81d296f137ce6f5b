/**
 * /proc, held as a descriptor and verified: what is written to it decides about security labels and kernel parameters,
 * so a fake one or something mounted over a file must be noticed (CVE-2019-16884, CVE-2025-52881).
 */
import { host } from "#host";
import { EINVAL } from "../errors/errno.ts";
import { RegError } from "../errors/errors.ts";
import { checked } from "../libc/call.ts";
import * as C from "../libc/constants.ts";
import { close, filesystemType, isErrno, open, openat2, readLink, withFd, writeAll } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import { cloneTree, detachedFilesystem } from "../libc/mount.ts";
import { setns } from "../libc/process.ts";
import { fdPath } from "./path.ts";

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

/**
 * Refuses a mount whose target is in a procfs, though its path does not say so: a link of the image leads there, and a file of the container's would
 * stand for one of the kernel's. What the path says was checked with config.json.
 */
export function refuseProc(target: number, path: string): void {
  if (path === "/proc" || path.startsWith("/proc/")) return;
  if (filesystemType(target) !== C.PROC_SUPER_MAGIC) return;
  throw new RegError("EPERM", `mount on ${path}: in the rootfs it leads into a procfs`);
}

/** Refuses another filesystem in the place of /proc: labels and parameters would be read and written there (CVE-2019-16884). */
export function refuseFakeProc(tree: number, path: string): void {
  if (!path.endsWith("/proc") || filesystemType(tree) === C.PROC_SUPER_MAGIC) return;
  const parts: string[] = [];
  for (const part of path.split("/"))
    if (part === "..") parts.pop();
    else if (part !== "") parts.push(part);
  if (parts.length === 1) throw new RegError("EPERM", `bind mount on ${path}: its source is no proc filesystem`);
}

/** A pid namespace: a descriptor, and the path that it was opened by. */
export interface PidNamespace {
  readonly fd: number;
  readonly path: string;
}

/** A procfs with the processes of a pid namespace that this process is not in, mounted nowhere yet. `data`: its mount options. */
export function procOf(processes: PidNamespace, data: string): number {
  const options = Object.fromEntries(
    data.split(",").flatMap((option) => {
      const equals = option.indexOf("=");
      if (option === "") return [];
      return [equals < 0 ? [option, ""] : [option.slice(0, equals), option.slice(equals + 1)]];
    }),
  );
  try {
    return detachedFilesystem("proc", { pidns: fdPath(processes.fd), ...options }, 0); // Linux 6.17
  } catch (error) {
    if (!isErrno(error, EINVAL)) throw error;
    return procBorrowed(processes);
  }
}

/**
 * Older kernels make a procfs only for who is inside. One of the processes there has it mounted: a copy of that mount shows the same, and what it shows
 * is asked of the kernel, not of whoever mounted it.
 */
function procBorrowed({ fd, path }: PidNamespace): number {
  const place = /^(\/proc\/\d+)\/ns\/pid$/.exec(path)?.[1];
  if (place === undefined)
    throw new RegError("EINVAL", `mount proc for the pid namespace ${path}: this kernel cannot`, {
      hint: "name it as /proc/PID/ns/pid, or use Linux 6.17",
    });
  const tree = inMountNamespace(`${place}/ns/mnt`, () => {
    const resolve = C.RESOLVE_NO_SYMLINKS;
    return withFd(openat2(C.AT_FDCWD, "/proc", C.O_PATH | C.O_DIRECTORY, resolve), (proc) =>
      cloneTree("", false, proc),
    );
  });
  try {
    // The first process of the namespace is in it; nothing mounted over the way can hide that.
    const isProc = filesystemType(tree) === C.PROC_SUPER_MAGIC;
    if (isProc && firstNamespace(tree) === readLink(fdPath(fd))) return tree;
    throw new RegError("EINVAL", `${place}/root/proc does not show the processes of ${path}`, {
      hint: "the process must have proc mounted at /proc; Linux 6.17 does without",
    });
  } catch (error) {
    close(tree);
    throw error;
  }
}

function firstNamespace(proc: number): string {
  return withFd(openat2(proc, "1/ns", C.O_PATH | C.O_DIRECTORY, C.RESOLVE_BENEATH | C.RESOLVE_NO_XDEV), (directory) =>
    readLink("pid", directory),
  );
}

/** Runs `action` in another mount namespace, at its root, and comes back to where this process was. */
function inMountNamespace<T>(path: string, action: () => T): T {
  const opened = ["/proc/self/ns/mnt", "/"].map((own) =>
    open(own, own === "/" ? C.O_PATH | C.O_DIRECTORY : C.O_RDONLY),
  );
  const [own = -1, root = -1] = opened;
  try {
    withFd(open(path, C.O_RDONLY), (other) => setns(other, C.CLONE_NEWNS, path));
    try {
      return action();
    } finally {
      setns(own, C.CLONE_NEWNS, "the mount namespace before");
      checked(libc.fchdir(root), "fchdir(2)", "the root before");
      checked(libc.chroot("."), "chroot(2)", "the root before");
    }
  } finally {
    for (const fd of opened) close(fd);
  }
}
