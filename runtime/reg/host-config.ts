/**
 * The host's configuration: what annotations `org.reg.*` may ask for. Annotations come from those who wrote an image or a pod,
 * so that they get the least by default; the `reg` object of config.json comes from whoever calls the runtime as root.
 *
 *   { "annotations": { "domains": ["tenant-a"], "stores": ["/srv/reg"], "writableDirectory": true, "workdir": true } }
 */
import { host } from "#host";
import { ENOENT } from "../errors/errno.ts";
import { RegError } from "../errors/errors.ts";
import * as C from "../libc/constants.ts";
import { isErrno, open, readAll, stat, withFd } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import type { HostConfig } from "../oci/config.ts";
import { parseHostConfig } from "../oci/parse.ts";

export const HOST_CONFIG = "/etc/reg/reg.json";

const LIMIT_BYTES = 1024 * 1024;

/**
 * Reads and validates the file; one that is not there allows nothing. Throws RegError when anybody but root and the caller could
 * have written it, InvalidDocument with every fault of it.
 */
export function readHostConfig(path = HOST_CONFIG): HostConfig {
  let fd: number;
  try {
    fd = open(path, C.O_RDONLY | C.O_NONBLOCK); // not to wait for the writer of a fifo
  } catch (error) {
    if (isErrno(error, ENOENT) && path === HOST_CONFIG) return {};
    throw error;
  }
  const text = withFd(fd, () => {
    refuseForeign(fd, path);
    return host.decode(readAll(fd, path, LIMIT_BYTES));
  });
  return parseHostConfig(text, path);
}

/** In a user namespace, root of the host has no number of its own: it is whoever owns the root directory. */
function refuseForeign(fd: number, path: string): void {
  const { type, mode, uid } = stat("", fd);
  const trusted = uid === 0 || uid === libc.geteuid() || uid === stat("/").uid;
  if (type !== C.S_IFREG || !trusted || (mode & 0o022) !== 0)
    throw new RegError("EPERM", `${path} is not believed: others than root can write it`, {
      hint: `it has to be a file: chown root ${path}; chmod 644 ${path}`,
    });
}
