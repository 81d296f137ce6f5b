/**
 * The state directory: <root>/<id>, made by whoever creates the container, gone when it is deleted. Its mkdir(2) is the
 * claim on the id, a flock(2) on it keeps two commands on one container apart, and its files are replaced whole.
 *
 *   creating.json  StateFile without a pid, until init is there and it becomes
 *   state.json     (another file: ext4 flushes what a rename replaces, and create would wait for the disk)
 *   config.json    the text that the container was made from, for `exec`
 *   exec.fifo      there from create to start
 *   notify/        the socket for sd_notify(3), when the runtime was started with one
 */
import { host } from "#host";
import { EACCES, EEXIST, EINTR, ENAMETOOLONG, ENOENT, ENOSPC, ENOTDIR, ENXIO } from "../errors/errno.ts";
import { RegError, SyscallError } from "../errors/errors.ts";
import { alreadyExists, doesNotExist, invalidId } from "../errors/messages.ts";
import * as C from "../libc/constants.ts";
import {
  close,
  type DirectoryEntry,
  type FileStatus,
  isErrno,
  mkdirAll,
  open,
  readDirectory,
  readTextIfExists,
  replaceFile,
  rmdir,
  stat,
  unlink,
  withFd,
  writeAll,
} from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import type { CgroupState } from "../linux/cgroup/types.ts";
import type { ResctrlState } from "../linux/resctrl.ts";
import type { Config, Hooks } from "../oci/config.ts";
import * as valid from "../oci/generated/fast.generated.ts";
import { dropNulls } from "../oci/validate.ts";

/** What state.json keeps. The status is not in it: it is asked of the kernel. */
export interface StateFile {
  readonly ociVersion: string;
  readonly id: string;
  /** init's process, in the pid namespace of the creator; absent while it is being created. */
  readonly pid?: number;
  /** init's start time, ticks since boot: a pid alone may belong to another process by now. */
  readonly startTime?: number;
  readonly bundle: string;
  readonly rootfs: string;
  /** RFC 3339, UTC. */
  readonly created: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly ownerUid: number;
  readonly cgroup: CgroupState;
  /** Directories of the resctrl filesystem; absent without linux.intelRdt. */
  readonly resctrl?: ResctrlState;
  /** init is not the first process of a pid namespace: its end is not that of the others. */
  readonly sharesPids?: true;
  /** `exec` too leaves the caller's session keyring as it is. */
  readonly noNewKeyring?: true;
  /** It comes from a checkpoint: CRIU has put it into a time namespace, whatever config.json says. */
  readonly restored?: true;
  /** poststart and poststop, which run when the bundle may be gone. */
  readonly hooks: Pick<Hooks, "poststart" | "poststop">;
}

const STATE = "state.json";
const FIRST_STATE = "creating.json";
const CONFIG = "config.json";
const EXEC_FIFO = "exec.fifo";
/** Mounted into containers that are to tell a service manager how they are, see notify.ts. */
export const NOTIFY_DIRECTORY = "notify";

/** Throws RegError for what cannot be the name of a directory, or could lead out of the root. */
export function checkId(id: string): void {
  if (!/^[\w+.-]{1,255}$/.test(id) || id === "." || id === "..") throw invalidId(id);
}

/** One container's directory, open. */
export class StateDirectory {
  readonly path: string;
  readonly #fd: number;

  private constructor(path: string, fd: number) {
    this.path = path;
    this.#fd = fd;
  }

  /** Claims the id by making its directory, locked. Throws RegError when it is taken. */
  static claim(root: string, id: string): StateDirectory {
    checkId(id);
    const path = `${root}/${id}`;
    try {
      mkdirAll(root, 0o711);
      close(openRoot(root));
    } catch (error) {
      throw explainRoot(error, root);
    }
    if (libc.mkdirat(C.AT_FDCWD, path, 0o711) === -1) {
      const errno = host.errno();
      if (errno === EEXIST) throw alreadyExists(id);
      if (errno === ENAMETOOLONG) throw invalidId(id);
      throw explainRoot(new SyscallError("mkdirat(2)", path, errno), root);
    }
    let directory: StateDirectory | undefined;
    try {
      directory = new StateDirectory(path, open(path, C.O_RDONLY | C.O_DIRECTORY));
      directory.lock();
      return directory;
    } catch (error) {
      directory?.close();
      libc.unlinkat(C.AT_FDCWD, path, C.AT_REMOVEDIR); // empty, or another's by now: then it stays
      throw error;
    }
  }

  /** Opens an existing container's directory. Throws RegError "does not exist". */
  static open(root: string, id: string): StateDirectory {
    checkId(id);
    let directory: number;
    try {
      directory = openRoot(root);
    } catch (error) {
      throw unopened(error, root, id);
    }
    return withFd(directory, () => StateDirectory.openIn(directory, root, id));
  }

  /** As open, for an id that has been checked, with `directory` the descriptor of the root that openRoot believes. */
  static openIn(directory: number, root: string, id: string): StateDirectory {
    const path = `${root}/${id}`;
    let fd: number;
    try {
      fd = open(id, C.O_RDONLY | C.O_DIRECTORY | C.O_NOFOLLOW, 0, directory);
    } catch (error) {
      throw unopened(error, root, id);
    }
    try {
      believe(stat("", fd), path);
      return new StateDirectory(path, fd);
    } catch (error) {
      close(fd);
      throw error;
    }
  }

  /**
   * Waits for others who change this container. Held while the state changes, and not while anything runs that may take
   * long; it ends with the descriptor, however this process ends. Throws RegError "does not exist" when it was deleted meanwhile.
   */
  lock(): void {
    if (!this.lockIfThere()) throw doesNotExist(this.path.slice(this.path.lastIndexOf("/") + 1));
  }

  /** As lock; false when the container was deleted meanwhile. */
  lockIfThere(): boolean {
    while (libc.flock(this.#fd, C.LOCK_EX) === -1)
      if (host.errno() !== EINTR) throw new SyscallError("flock(2)", this.path, host.errno());
    return stat("", this.#fd).links > 0;
  }

  /** As lock, without waiting; false when somebody has it. */
  tryLock(): boolean {
    return libc.flock(this.#fd, C.LOCK_EX | C.LOCK_NB) === 0;
  }

  /** Lets others go on, also when a process that was cloned meanwhile still has the descriptor. */
  unlock(): void {
    if (libc.flock(this.#fd, C.LOCK_UN) === -1) throw new SyscallError("flock(2)", this.path, host.errno());
  }

  /**
   * state.json; undefined in a directory whose creator died before it wrote one, or while it did: the first one is written in
   * place. Throws RegError when it is there and is not what reg writes.
   */
  read(): StateFile | undefined {
    const text = readTextIfExists(STATE, this.#fd);
    if (text === undefined) return this.readFirst();
    const state = this.#stateOf(text);
    if (state === undefined) throw damaged(this.path, STATE);
    return state;
  }

  /** What was known of the container before it was made. */
  readFirst(): StateFile | undefined {
    const text = readTextIfExists(FIRST_STATE, this.#fd);
    return text === undefined ? undefined : this.#stateOf(text);
  }

  /** What reg itself wrote for this container; undefined for anything else. */
  #stateOf(text: string): StateFile | undefined {
    const state = parsed(text);
    if (!valid.container(state) || text.includes("\\u0000")) return undefined;
    const { id } = state as StateFile;
    return this.path.endsWith(`/${id}`) && !id.includes("/") ? (state as StateFile) : undefined;
  }

  /** The first state.json: what `delete` needs to find everything, written before anything is made. */
  writeFirst(state: StateFile, config: string): void {
    const files = [
      [FIRST_STATE, JSON.stringify(state)],
      [CONFIG, config],
    ] as const;
    try {
      for (const [name, text] of files)
        withFd(open(name, C.O_WRONLY | C.O_CREAT | C.O_EXCL, 0o600, this.#fd), (fd) =>
          writeAll(fd, host.encode(text), `${this.path}/${name}`),
        );
    } catch (error) {
      throw explainRoot(error, this.path);
    }
  }

  write(state: StateFile): void {
    replaceFile(STATE, JSON.stringify(state), 0o600, this.#fd);
  }

  /** The config.json that the container was made from; it was validated then. Throws RegError when it is not there any more. */
  readConfig(): Config {
    const text = readTextIfExists(CONFIG, this.#fd);
    const config = text === undefined ? undefined : parsed(text);
    if (text === undefined || typeof config !== "object" || config === null) throw damaged(this.path, CONFIG);
    if (text.includes(": null") || text.includes(":null")) dropNulls(config);
    return config as Config;
  }

  /**
   * Makes exec.fifo and returns a descriptor for both directions: init, who inherits it, waits for a byte of `start`'s, and needs no name of it
   * in a root that is another by then.
   */
  makeExecFifo(): number {
    if (libc.mknodat(this.#fd, EXEC_FIFO, C.S_IFIFO | 0o600, 0) === -1)
      throw new SyscallError("mknodat(2)", `${this.path}/${EXEC_FIFO}`, host.errno());
    return open(EXEC_FIFO, C.O_RDWR | C.O_NOFOLLOW, 0, this.#fd);
  }

  hasExecFifo(): boolean {
    return libc.faccessat(this.#fd, EXEC_FIFO, 0, 0) === 0;
  }

  /** Whether the container was created with a socket for sd_notify(3). */
  hasNotify(): boolean {
    return libc.faccessat(this.#fd, NOTIFY_DIRECTORY, 0, 0) === 0;
  }

  /** The writing end; undefined when init has gone, who holds the other. */
  openExecFifo(): number | undefined {
    try {
      return open(EXEC_FIFO, C.O_WRONLY | C.O_NONBLOCK | C.O_NOFOLLOW, 0, this.#fd);
    } catch (error) {
      if (isErrno(error, ENXIO)) return undefined;
      throw error;
    }
  }

  removeExecFifo(): void {
    unlink(EXEC_FIFO, this.#fd);
  }

  /** Removes the directory with all that is in it; one that is gone is fine. */
  remove(): void {
    for (const name of [STATE, FIRST_STATE, CONFIG, EXEC_FIFO]) libc.unlinkat(this.#fd, name, 0);
    if (libc.unlinkat(C.AT_FDCWD, this.path, C.AT_REMOVEDIR) === 0) return;
    // A command that was killed may have left a file half written.
    emptyDirectory(this.path);
    rmdir(this.path);
  }

  close(): void {
    close(this.#fd);
  }
}

/** Removes what is in a directory, such as the one with the container's sd_notify socket; no symlink is followed. */
function emptyDirectory(path: string, parent = C.AT_FDCWD): void {
  withFd(open(path, C.O_RDONLY | C.O_DIRECTORY | C.O_NOFOLLOW, 0, parent), (fd) => {
    for (const { name, type } of readDirectory(fd)) {
      if (type !== C.S_IFDIR) unlink(name, fd);
      else {
        emptyDirectory(name, fd);
        rmdir(name, fd);
      }
    }
  });
}

/** The error for a container whose directory can not be opened, which is named whole. */
function unopened(error: unknown, root: string, id: string): unknown {
  if (isErrno(error, ENOENT, ENOTDIR)) return doesNotExist(id);
  return error instanceof SyscallError ? new SyscallError(error.syscall, `${root}/${id}`, error.errno) : error;
}

/** The directory of all containers' state, O_PATH. Throws RegError when others than its user could have put something there. */
function openRoot(root: string): number {
  const flags = C.O_PATH | C.O_DIRECTORY;
  let fd: number;
  try {
    fd = open(root, flags | C.O_NOFOLLOW);
  } catch (error) {
    const link = isErrno(error, ENOTDIR) ? stat(root) : undefined;
    if (link?.type !== C.S_IFLNK) throw error;
    believeOwner(link, root);
    fd = open(root, flags);
  }
  try {
    believe(stat("", fd), root);
    return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
}

/** State says which processes get signals, which cgroups go and what runs as a hook: only the caller and root may write it. */
function believe(status: FileStatus, path: string): void {
  believeOwner(status, path);
  const STICKY = 0o1000; // others may add entries, and not touch those of their owners
  if ((status.mode & 0o022) !== 0 && (status.mode & STICKY) === 0)
    throw new RegError("EPERM", `state directory ${path} is not believed: others can write to it`, {
      hint: `chmod go-w ${path}, or choose another directory with --root`,
    });
}

function believeOwner({ uid }: FileStatus, path: string): void {
  if (uid === 0 || uid === libc.geteuid()) return;
  throw new RegError("EPERM", `state directory ${path} is not believed: it belongs to user ${uid}`, {
    hint: "act as that user, or choose another directory with --root",
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function damaged(path: string, file: string): RegError {
  const id = path.slice(path.lastIndexOf("/") + 1);
  return new RegError("EINVAL", `container "${id}": ${path}/${file} is missing or damaged`, {
    hint: `reg delete --force ${id} removes what can be found of it`,
  });
}

/** The ids below a root, sorted; none when the root does not exist. */
export function listIds(root: string): string[] {
  return withIds(root, (ids) => ids) ?? [];
}

/** Gives `action` the ids below a root, sorted, and the root's descriptor, for openIn; undefined when the root does not exist. */
export function withIds<T>(root: string, action: (ids: string[], directory: number) => T): T | undefined {
  let directory: number;
  try {
    directory = openRoot(root);
  } catch (error) {
    if (isErrno(error, ENOENT)) return undefined;
    throw error;
  }
  return withFd(directory, () => {
    const entries = withFd(open(".", C.O_RDONLY | C.O_DIRECTORY, 0, directory), readDirectory);
    const isId = ({ name, type }: DirectoryEntry) => type === C.S_IFDIR && /^[\w+.-]+$/.test(name);
    return action(entries.flatMap((entry) => (isId(entry) ? [entry.name] : [])).sort(), directory);
  });
}

function explainRoot(error: unknown, root: string): unknown {
  if (!(error instanceof SyscallError)) return error;
  const hint =
    error.errno === EACCES
      ? "run as root, or choose a directory of your own with --root"
      : error.errno === ENOSPC
        ? `the filesystem of ${root} is full`
        : `--root names the directory for container state`;
  return new RegError(error.code, `state directory: ${error.message}`, { hint, cause: error });
}
