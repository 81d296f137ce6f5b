/**
 * Whether a store is believed: what is in it becomes the files of containers, so nobody but the caller and root may be able to change it. And where
 * the store of a caller is who names none.
 */
import { host } from "#host";
import { EACCES, ENOENT, ENOTDIR } from "../errors/errno.ts";
import { RegError } from "../errors/errors.ts";
import * as C from "../libc/constants.ts";
import { type FileStatus, isErrno, open, readLink, stat, withFd } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import { fdPath } from "../linux/path.ts";
import { DEFAULT_STORE, describeStore } from "./layout.ts";

const STICKY = 0o1000; // others may add entries, and not touch those of their owners

/** Who root of the host is for this process: in a user namespace it has no number of its own, but is whoever owns the root directory. */
export function uidOfRoot(): number {
  return stat("/").uid;
}

/** Root's store, or a user's own: $XDG_DATA_HOME/reg. So it is for root of a user namespace, as rootless engines start the runtime. */
export function defaultStore(): string {
  if (libc.geteuid() === 0 && uidOfRoot() === 0) return DEFAULT_STORE;
  const data = variable("XDG_DATA_HOME");
  if (data?.startsWith("/") === true) return `${data}/reg`;
  const home = variable("HOME");
  return home?.startsWith("/") === true ? `${home}/.local/share/reg` : DEFAULT_STORE;
}

function variable(name: string): string | undefined {
  return host.environ.find((each) => each.startsWith(`${name}=`))?.slice(name.length + 1);
}

/**
 * The path of a store's directory without symlinks, every part of which was seen to belong to the caller or root. Throws RegError when others
 * could change what is there, or put another directory in its place, and when there is no store.
 */
export function believedStore(storeDir: string): string {
  return withFd(openDirectory(storeDir), (fd) => {
    const path = readLink(fdPath(fd));
    const own = stat("", fd);
    believeOwner(own, path, storeDir);
    if ((own.mode & 0o022) !== 0) throw disbelieved(storeDir, "others can write to it", `chmod go-w ${path}`);
    // Whoever owns a directory on the way can put another one in the place of the next.
    for (let end = path.lastIndexOf("/"); end >= 0; end = end === 0 ? -1 : path.lastIndexOf("/", end - 1)) {
      const parent = path.slice(0, end) || "/";
      const status = stat(parent);
      believeOwner(status, parent, storeDir);
      if ((status.mode & STICKY) !== 0) continue;
      if ((status.mode & 0o002) !== 0)
        throw disbelieved(storeDir, `everybody can write to ${parent}`, `chmod o-w ${parent}`);
      // A user's own group, and root's, have no other members.
      if ((status.mode & 0o020) !== 0 && status.gid !== 0 && status.gid !== libc.getegid())
        throw disbelieved(storeDir, `group ${status.gid} can write to ${parent}`, `chmod g-w ${parent}`);
    }
    return path;
  });
}

function openDirectory(storeDir: string): number {
  try {
    return open(storeDir, C.O_PATH | C.O_DIRECTORY);
  } catch (error) {
    throw explainStore(error, storeDir);
  }
}

/** The error for a store that is not there, or that this user may not look into; any other stays what it is. */
export function explainStore(error: unknown, storeDir: string): unknown {
  if (isErrno(error, ENOENT, ENOTDIR))
    return new RegError("ENOENT", `there is nothing at ${describeStore(storeDir)}`, {
      hint: "reg-env generate and reg-env install make it; store and domain are chosen with --store and --domain",
      cause: error,
    });
  if (!isErrno(error, EACCES)) return error;
  return new RegError("EACCES", `open ${describeStore(storeDir)}: permission denied (EACCES)`, {
    hint: "a store is for its owner alone, so that nobody else can change what containers run; without --store a user has an own one",
    cause: error,
  });
}

function believeOwner({ uid }: FileStatus, path: string, storeDir: string): void {
  if (uid === 0 || uid === libc.geteuid() || uid === uidOfRoot()) return;
  throw disbelieved(storeDir, `${path} belongs to user ${uid}`, "act as that user, or choose another store");
}

function disbelieved(storeDir: string, why: string, hint: string): RegError {
  return new RegError("EPERM", `${describeStore(storeDir)} is not believed: ${why}`, { hint });
}
