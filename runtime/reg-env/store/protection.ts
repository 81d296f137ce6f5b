/**
 * How the objects of a store are kept from being changed: who writes to one writes into all containers. A store directory is
 * closed to all but its owner, containers get trees by read-only mounts or as the lower layer of an overlay, and beyond that:
 *
 *   fs-verity   where the filesystem has it: the kernel refuses to write, and checks what it reads. Linux 5.4
 *   mode        elsewhere: files of root that only root could write have no write permission at all
 *
 * The immutable flag (chattr +i) is of no use here: it forbids link(2) too, and trees are made of links.
 */
import * as fs from "node:fs";
import { host } from "#host";
import { EINVAL, ENOSYS, EOPNOTSUPP, EPERM } from "../../errors/errno.ts";
import { SyscallError } from "../../errors/errors.ts";
import * as C from "../../libc/constants.ts";
import { open, withFd } from "../../libc/file.ts";
import { libc } from "../../libc/libc.ts";
import { Struct } from "../../libc/memory.ts";
import { FSVERITY_ENABLE_ARG } from "../../libc/structs.ts";

export type Protection = "fs-verity" | "mode";

const ENOTTY = 25;
const EEXIST = 17; // it has it already
const FS_VERITY_HASH_ALG_SHA256 = 1;

/** Tries it on a file in the store's own filesystem. */
export function detectProtection(temporary: string): Protection {
  fs.writeFileSync(temporary, "fs-verity?", { flag: "wx", mode: 0o600 });
  try {
    return enableVerity(temporary) ? "fs-verity" : "mode";
  } finally {
    fs.rmSync(temporary);
  }
}

/** ioctl FS_IOC_ENABLE_VERITY; false where there is no such thing. The file must not be open for writing anywhere. */
export function enableVerity(path: string): boolean {
  const argument = new Struct(FSVERITY_ENABLE_ARG.size)
    .setU32(FSVERITY_ENABLE_ARG.version, 1)
    .setU32(FSVERITY_ENABLE_ARG.hash_algorithm, FS_VERITY_HASH_ALG_SHA256)
    .setU32(FSVERITY_ENABLE_ARG.block_size, 4096);
  return withFd(open(path, C.O_RDONLY), (fd) => {
    if (libc.ioctl(fd, C.FS_IOC_ENABLE_VERITY, argument.bytes) === 0) return true;
    const errno = host.errno();
    if (errno === EEXIST) return true;
    if ([ENOTTY, EOPNOTSUPP, ENOSYS, EINVAL, EPERM].includes(errno)) return false;
    throw new SyscallError("ioctl(2)", `FS_IOC_ENABLE_VERITY on ${path}`, errno);
  });
}

/** The permission bits that an object is stored with. */
export function storedMode(protection: Protection, mode: number, uid: number): number {
  return protection === "mode" && uid === 0 && (mode & 0o022) === 0 ? mode & ~0o222 : mode;
}
