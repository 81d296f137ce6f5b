/**
 * Where share makes links and copies before it renames them into place: a directory beside the layers, in which no engine looks, and which is
 * there only while share is at work. One share works on a store at a time.
 *
 * A rename changes the time of the directory that it happens in, and engines compare it with the image's. So before a batch of renames their
 * directories' times are written to a journal, and afterwards set again; whoever was killed in between, the next one reads the
 * journal first.
 */
import * as fs from "node:fs";
import { host } from "#host";
import { EAGAIN, EINTR, ENOENT } from "../../errors/errno.ts";
import { RegError, SyscallError } from "../../errors/errors.ts";
import { checked } from "../../libc/call.ts";
import * as C from "../../libc/constants.ts";
import { close, fileTimes, open } from "../../libc/file.ts";
import { libc } from "../../libc/libc.ts";
import { cString } from "../../libc/memory.ts";
import { fromHex } from "../../reg/copy.ts";
import { toHex } from "../../reg/digest.ts";
import { type Bytes, toText } from "./bytes.ts";
import { Directories, split } from "./directories.ts";

const FOLDER = ".reg-share";
const JOURNAL = "journal";

/** A line of the journal: a directory's times before the batch, or a file whose several names are about to change. */
type Entry =
  | { readonly directory: Bytes; readonly inode: number; readonly times: string }
  | { readonly paths: readonly Bytes[]; readonly from: number; readonly to: number };

export interface Recovered {
  /** Directories whose time was set again. */
  readonly directories: number;
  /** Links and copies that had not got to their place. */
  readonly leftovers: number;
}

export class Workplace {
  readonly directories: Directories;
  readonly #base: string;
  readonly #baseFd: number;
  #folderFd = -1;
  #journalFd = -1;
  #count = 0;

  /** Waits for another share at work in the store; `onWait` is called when there is one. */
  constructor(base: string, onWait: () => void) {
    this.#base = base;
    this.#baseFd = open(base, C.O_RDONLY | C.O_DIRECTORY);
    this.directories = new Directories(this.#baseFd);
    try {
      lock(this.#baseFd, base, onWait);
    } catch (error) {
      close(this.#baseFd);
      throw error;
    }
  }

  /** Makes the directory, and does what a share that was killed has left to do. To be called with the engine's lock held. */
  begin(): Recovered {
    const made = libc.mkdirat(this.#baseFd, FOLDER, 0o700) === 0;
    const folder = open(FOLDER, C.O_RDONLY | C.O_DIRECTORY | C.O_NOFOLLOW, 0, this.#baseFd);
    const { uid, mode } = fs.fstatSync(folder);
    if (uid !== process.geteuid?.() || (mode & 0o077) !== 0) {
      close(folder);
      throw new RegError("EPERM", `${this.#base}/${FOLDER} belongs to somebody else`, {
        hint: "it is what another reg-env share works in; if there is none, remove it",
      });
    }
    this.#folderFd = folder;
    this.#journalFd = open(JOURNAL, C.O_RDWR | C.O_CREAT | C.O_NOFOLLOW, 0o600, this.#folderFd);
    return made ? { directories: 0, leftovers: 0 } : this.#recover();
  }

  /** How the directory can be named, which has all that is temporary. */
  get folder(): string {
    return `/proc/self/fd/${this.#folderFd}`;
  }

  /** A path for something that is not finished, never used before. */
  temporary(): string {
    return `${this.folder}/${this.#count++}`;
  }

  /**
   * Puts what is at `temporary` in the place of the file `inode` at `path`, and removes that. The two change places in one step: a name that is gone is
   * not made again, in a directory that an engine may be removing at this moment, and what was there is looked at once more when nobody
   * can change it. Throws ENOENT when it is not that file. Source: renameat2(2), RENAME_EXCHANGE.
   */
  exchange(temporary: string, path: Bytes, inode: number): void {
    const [directory, name] = split(path);
    const target = this.directories.open(directory);
    const own = temporary.slice(temporary.lastIndexOf("/") + 1);
    const swap = () => {
      const names = [cString(own), cString(toText(name))] as const;
      const { SYS_renameat2, RENAME_EXCHANGE } = C;
      checked(
        libc.syscall(SYS_renameat2, this.#folderFd, names[0], target, names[1], RENAME_EXCHANGE),
        "renameat2(2)",
        toText(path),
      );
    };
    swap();
    if (fs.lstatSync(temporary).ino !== inode) {
      swap();
      throw new SyscallError("renameat2(2)", toText(path), ENOENT);
    }
    fs.unlinkSync(temporary);
  }

  /**
   * Runs `action`, which exchanges things with those at the `paths`, and gives their directories their times back. `several` names files that have
   * more than one name in a layer, of which a batch must not change only some.
   */
  batch(
    paths: Iterable<Bytes>,
    several: readonly { readonly paths: readonly Bytes[]; readonly from: number; readonly to: number }[],
    action: () => void,
  ): void {
    const entries: Entry[] = [...several];
    for (const directory of new Set([...paths].map((path) => split(path)[0]))) {
      const fd = this.directories.open(directory);
      entries.push({ directory, inode: fs.fstatSync(fd).ino, times: toHex(fileTimes(".", fd)) });
    }
    fs.writeSync(this.#journalFd, entries.map((entry) => `${JSON.stringify(entry)}\n`).join(""), 0);
    fs.fdatasyncSync(this.#journalFd);
    try {
      action();
    } finally {
      this.#restore(entries);
      fs.ftruncateSync(this.#journalFd, 0);
    }
  }

  /** Removes the directory, and lets others work. */
  close(): void {
    this.directories.close();
    if (this.#journalFd !== -1) close(this.#journalFd);
    if (this.#folderFd !== -1) {
      this.#clear();
      fs.unlinkSync(`/proc/self/fd/${this.#folderFd}/${JOURNAL}`);
      close(this.#folderFd);
      fs.rmdirSync(`/proc/self/fd/${this.#baseFd}/${FOLDER}`);
    }
    close(this.#baseFd);
  }

  #recover(): Recovered {
    const entries = readJournal(this.#journalFd);
    for (const entry of entries) if ("paths" in entry) this.#finish(entry);
    const directories = this.#restore(entries);
    const leftovers = this.#clear();
    fs.ftruncateSync(this.#journalFd, 0);
    return { directories, leftovers };
  }

  /** Of the names of one file, some are the new one's already: the others become it too. */
  #finish({ paths, from, to }: { paths: readonly Bytes[]; from: number; to: number }): void {
    const numbers = paths.map((path) => this.#inodeAt(path));
    const done = paths[numbers.indexOf(to)];
    if (done === undefined) return;
    for (const [index, path] of paths.entries()) {
      if (numbers[index] !== from) continue;
      const temporary = this.temporary();
      fs.linkSync(this.directories.file(...split(done)), temporary);
      this.exchange(temporary, path, from);
    }
  }

  #inodeAt(path: Bytes): number | undefined {
    try {
      return fs.lstatSync(this.directories.file(...split(path)), { throwIfNoEntry: false })?.ino;
    } catch (error) {
      if (error instanceof SyscallError) return undefined; // the layer is gone
      throw error;
    }
  }

  /** A directory that is gone, or another by now, needs no time. */
  #restore(entries: readonly Entry[]): number {
    let count = 0;
    for (const entry of entries) {
      if (!("directory" in entry)) continue;
      let fd: number;
      try {
        fd = this.directories.open(entry.directory);
      } catch (error) {
        if (error instanceof SyscallError) continue;
        throw error;
      }
      if (fs.fstatSync(fd).ino !== entry.inode) continue;
      checked(libc.utimensat(fd, ".", fromHex(entry.times), 0), "utimensat(2)", entry.directory);
      count++;
    }
    return count;
  }

  /** Removes all but the journal, and that at the end. */
  #clear(): number {
    const folder = `/proc/self/fd/${this.#folderFd}`;
    const names = fs.readdirSync(folder).filter((name) => name !== JOURNAL);
    for (const name of names) fs.unlinkSync(`${folder}/${name}`);
    return names.length;
  }
}

function lock(fd: number, base: string, onWait: () => void): void {
  if (libc.flock(fd, C.LOCK_EX | C.LOCK_NB) === 0) return;
  if (host.errno() === EAGAIN) onWait();
  while (libc.flock(fd, C.LOCK_EX) === -1)
    if (host.errno() !== EINTR) throw new SyscallError("flock(2)", base, host.errno());
}

/** The last line may be cut off: what it was written for did not begin. */
function readJournal(fd: number): Entry[] {
  return fs
    .readFileSync(fd, "utf8")
    .split("\n")
    .flatMap((line) => {
      try {
        return line === "" ? [] : [JSON.parse(line) as Entry];
      } catch {
        return [];
      }
    });
}
