/**
 * What the standard descriptors of a container were: a pipe or file of the host's, whose place another takes when it is restored. A
 * checkpoint keeps it as descriptors.json, as runc and crun do: three strings, of which they understand "pipe:[INODE]".
 */
import { host } from "#host";
import { ENOENT } from "../../errors/errno.ts";
import { RegError } from "../../errors/errors.ts";
import * as C from "../../libc/constants.ts";
import { isErrno, open, readAll, readLink, readText, stat, withFd, writeAll } from "../../libc/file.ts";
import { napUs } from "../../linux/cgroup/wait.ts";

const FILE = "descriptors.json";

/** So often, with a nap in between, a descriptor is looked at that may only have been lent. */
const LOOKS = 20;
const NAP_US = 1000;

/**
 * What init has as 0, 1 and 2; "" for one that is closed. A shell makes its standard output a file of the container's for the time of
 * `echo text > file`, and has the other as a descriptor that is not known: what comes from outside is waited for, for a moment.
 */
export function findDescriptors(pid: number): string[] {
  return [0, 1, 2].map((fd) => {
    let found = describeIfOpen(pid, fd);
    for (let looks = 1; looks < LOOKS && (found === "" || found.startsWith("/")); looks++) {
      napUs(NAP_US);
      found = describeIfOpen(pid, fd);
    }
    return found;
  });
}

function describeIfOpen(pid: number, fd: number): string {
  try {
    // Held, so that all that is asked is of the same file.
    return withFd(open(`/proc/${pid}/fd/${fd}`, C.O_PATH), (held) => describe(pid, held));
  } catch (error) {
    if (isErrno(error, ENOENT)) return "";
    throw error;
  }
}

/** A pipe or socket by its link; a file that is on none of the container's mounts as CRIU names external files. */
function describe(pid: number, held: number): string {
  const link = readLink(`/proc/self/fd/${held}`);
  if (!link.startsWith("/")) return link;
  const { type, inode } = stat("", held);
  const mountId = Number(/^mnt_id:\s*(\d+)/m.exec(readText(`/proc/self/fdinfo/${held}`))?.[1] ?? -1);
  const isInside = new RegExp(`^${mountId} `, "m").test(readText(`/proc/${pid}/mountinfo`));
  if (isInside || (type !== C.S_IFREG && type !== C.S_IFCHR && type !== C.S_IFIFO)) return link;
  return `file[${mountId.toString(16)}:${inode.toString(16)}]`;
}

/** Those of which CRIU must be told when it saves. */
export function externalFiles(descriptors: readonly string[]): string[] {
  return [...new Set(descriptors.filter((key) => key.startsWith("file[")))];
}

export function writeDescriptors(images: number, descriptors: readonly string[]): void {
  const flags = C.O_WRONLY | C.O_CREAT | C.O_TRUNC | C.O_NOFOLLOW;
  withFd(open(FILE, flags, 0o600, images), (fd) => writeAll(fd, host.encode(JSON.stringify(descriptors)), FILE));
}

/** The keys of descriptors that take the place of those of the checkpoint, by their numbers. Throws RegError for what is no checkpoint. */
export function readDescriptors(images: number): ReadonlyMap<string, number> {
  let text: string;
  try {
    const fd = open(FILE, C.O_RDONLY | C.O_NOFOLLOW, 0, images);
    text = host.decode(withFd(fd, () => readAll(fd, FILE, 64 * 1024)));
  } catch (error) {
    if (!isErrno(error, ENOENT)) throw error;
    throw new RegError("ENOENT", `the checkpoint has no file ${FILE}: no such file or directory`, {
      hint: "--image-path names the directory that reg checkpoint, runc or crun has written",
    });
  }
  let list: unknown;
  try {
    list = JSON.parse(text);
  } catch {
    // Told below as what it is.
  }
  if (!Array.isArray(list)) throw new RegError("EINVAL", `the checkpoint's file ${FILE} is damaged`);
  const keys = new Map<string, number>();
  list.slice(0, 3).forEach((key, fd) => {
    if (typeof key === "string" && /^(pipe:|file\[)/.test(key)) keys.set(key, fd);
  });
  return keys;
}
