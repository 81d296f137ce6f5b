/** The mounts of a mount namespace. Source: proc_pid_mountinfo(5). */
import { readText } from "../libc/file.ts";

export interface MountInfo {
  readonly id: number;
  /** What of its filesystem is shown: "/" is all of it. */
  readonly root: string;
  /** Seen from the root of the process whose mountinfo it is. */
  readonly mountpoint: string;
  readonly type: string;
}

/** Parses the text of /proc/PID/mountinfo. */
export function parseMountinfo(text: string): MountInfo[] {
  return text.split("\n").flatMap((line) => {
    const [id, , , root, mountpoint] = line.split(" ");
    const [type = ""] = line.slice(line.indexOf(" - ") + 3).split(" ");
    if (root === undefined || mountpoint === undefined) return [];
    return [{ id: Number(id), root: unescaped(root), mountpoint: unescaped(mountpoint), type }];
  });
}

/** Space, tab, newline and backslash are octal there. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}

/** The id of the mount that an open file is on, as mountinfo has it. */
export function mountIdOf(fd: number): number {
  return Number(/^mnt_id:\s*(\d+)/m.exec(readText(`/proc/self/fdinfo/${fd}`))?.[1] ?? -1);
}
