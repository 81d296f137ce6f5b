/** The extended attributes that belong to a file's meaning, and not to the machine that it was taken from. Source: xattr(7). */
import { host } from "#host";
import { EOPNOTSUPP } from "../../errors/errno.ts";
import { SyscallError } from "../../errors/errors.ts";
import { libc } from "../../libc/libc.ts";
import { toHex } from "../../reg/digest.ts";

const LARGEST_BYTES = 65_536; // XATTR_SIZE_MAX, XATTR_LIST_MAX
/** One for all files. */
const buffer = new Uint8Array(LARGEST_BYTES);

/** File capabilities, access lists, and what users set. Labels (security.selinux) are the policy of one machine. */
function isKept(name: string): boolean {
  if (name.startsWith("user.")) return !name.startsWith("user.overlay.");
  return name === "security.capability" || name === "system.posix_acl_access";
}

/** Those of an open file, by name, in hexadecimal; undefined when there is none. */
export function readXattrs(fd: number, path: string): Record<string, string> | undefined {
  const length = libc.flistxattr(fd, buffer, buffer.length);
  if (length === 0) return undefined;
  if (length === -1) {
    if (host.errno() === EOPNOTSUPP) return undefined;
    throw new SyscallError("flistxattr(2)", path, host.errno());
  }
  const names = host.decode(buffer.subarray(0, length)).split("\0").filter(isKept).sort();
  if (names.length === 0) return undefined;
  return Object.fromEntries(names.map((name) => [name, readXattr(fd, name, path)]));
}

function readXattr(fd: number, name: string, path: string): string {
  const length = libc.fgetxattr(fd, name, buffer, buffer.length);
  if (length === -1) throw new SyscallError("fgetxattr(2)", `${name} of ${path}`, host.errno());
  return toHex(buffer.subarray(0, length));
}
