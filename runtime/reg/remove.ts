/** Removing a directory with all that is in it, never through a symlink. */
import { ENOENT } from "../errors/errno.ts";
import * as C from "../libc/constants.ts";
import { isErrno, open, readDirectory, rmdir, stat, unlink, withFd } from "../libc/file.ts";

/** rm -rf of an entry of an open directory; one that is gone is fine. */
export function removeAll(name: string, directory: number, type = stat(name, directory).type): void {
  if (type !== C.S_IFDIR) {
    unlink(name, directory);
    return;
  }
  try {
    withFd(open(name, C.O_RDONLY | C.O_DIRECTORY | C.O_NOFOLLOW, 0, directory), (fd) => {
      for (const entry of readDirectory(fd))
        removeAll(entry.name, fd, entry.type === 0 ? stat(entry.name, fd).type : entry.type);
    });
  } catch (error) {
    if (isErrno(error, ENOENT)) return;
    throw error;
  }
  rmdir(name, directory);
}
