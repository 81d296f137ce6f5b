/** Which security modules are in force. A kernel without one has nowhere to put its labels. Sources: apparmor(7), selinux(8). */

import { ENOENT } from "../errors/errno.ts";
import { isErrno, readText } from "../libc/file.ts";

export interface SecurityModules {
  readonly hasAppArmor: () => boolean;
  readonly hasSelinux: () => boolean;
}

export function hasAppArmor(): boolean {
  return textOf("/sys/module/apparmor/parameters/enabled").startsWith("Y");
}

export function hasSelinux(): boolean {
  return /\bselinuxfs$/m.test(textOf("/proc/filesystems"));
}

function textOf(path: string): string {
  try {
    return readText(path);
  } catch (error) {
    if (isErrno(error, ENOENT)) return "";
    throw error;
  }
}
