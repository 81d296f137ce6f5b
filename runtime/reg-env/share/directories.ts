/** Directories of layers, opened below the store's base without following a symlink or leaving the file system, and kept open for a while. */
import * as C from "../../libc/constants.ts";
import { close, openat2 } from "../../libc/file.ts";
import { type Bytes, toBuffer, toText } from "./bytes.ts";

const INSIDE = C.RESOLVE_BENEATH | C.RESOLVE_NO_SYMLINKS | C.RESOLVE_NO_MAGICLINKS | C.RESOLVE_NO_XDEV;
const MOST_OPEN = 200;

export class Directories {
  readonly #base: number;
  readonly #open = new Map<Bytes, number>();

  /** `base` is the descriptor of the store's base. */
  constructor(base: number) {
    this.#base = base;
  }

  /** The descriptor of a directory, which stays this object's. Throws SyscallError when it is not there any more. */
  open(path: Bytes): number {
    const known = this.#open.get(path);
    if (known !== undefined) {
      this.#open.delete(path);
      this.#open.set(path, known); // the one that was used last goes last
      return known;
    }
    const fd = openat2(this.#base, toText(path), C.O_RDONLY | C.O_DIRECTORY | C.O_NOFOLLOW, INSIDE);
    for (const [oldest, oldFd] of this.#open) {
      if (this.#open.size < MOST_OPEN) break;
      close(oldFd);
      this.#open.delete(oldest);
    }
    this.#open.set(path, fd);
    return fd;
  }

  /** What node:fs can name a file in it by. */
  file(directory: Bytes, name: Bytes): Buffer {
    return toBuffer(`/proc/self/fd/${this.open(directory)}/${name}`);
  }

  close(): void {
    for (const fd of this.#open.values()) close(fd);
    this.#open.clear();
  }
}

/** The directory that a path is in, and its last name. */
export function split(path: Bytes): readonly [directory: Bytes, name: Bytes] {
  const slash = path.lastIndexOf("/");
  return [path.slice(0, Math.max(slash, 0)), path.slice(slash + 1)];
}
