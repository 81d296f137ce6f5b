/** Finding the program that the process runs, as execvp(3) would, and saying well why it cannot be run. */
import { host } from "#host";
import { EACCES, ENOENT, errnoText } from "../../errors/errno.ts";
import { RegError } from "../../errors/errors.ts";
import * as C from "../../libc/constants.ts";
import { stat, statIfExists, tryOpenat2, withFd } from "../../libc/file.ts";
import { libc } from "../../libc/libc.ts";

const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The value of a variable in a list of NAME=value. */
export function environmentValue(env: readonly string[], name: string): string | undefined {
  return env.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1);
}

/**
 * The path to execute; `problemOf` judges files. Runs in the process's own directory. The texts are those of runc: Podman tells
 * exit codes 126 and 127 apart by them.
 */
export function findExecutable(name: string, env: readonly string[], problemOf: Problem): string {
  const field = "/process/args/0";
  if (name === "") throw new RegError("ENOENT", 'exec: "": executable file not found in $PATH', { field });
  if (name.includes("/")) {
    const problem = problemOf(name);
    if (problem === undefined) return name;
    const text = problem === EACCES ? errnoText(EACCES) : `stat ${name}: ${errnoText(problem)}`;
    throw new RegError(problem === EACCES ? "EACCES" : "ENOENT", `exec: "${name}": ${text}`, { field });
  }
  let denied = false;
  for (const directory of (environmentValue(env, "PATH") ?? DEFAULT_PATH).split(":")) {
    const path = `${directory === "" ? "." : directory}/${name}`;
    const problem = problemOf(path);
    if (problem === undefined) return path;
    if (problem === EACCES) denied = true;
  }
  if (denied) throw new RegError("EACCES", `exec: "${name}": ${errnoText(EACCES)}`, { field });
  throw new RegError("ENOENT", `exec: "${name}": executable file not found in $PATH`, {
    field,
    hint: "is the program in the container's root filesystem, and PATH set in process.env?",
  });
}

/** Why a file cannot be executed: an errno; undefined when it can. */
type Problem = (path: string) => number | undefined;

/** Asks the kernel, for this process with its present capabilities. */
export const mayExecute: Problem = (path) => {
  if (libc.faccessat(C.AT_FDCWD, path, C.X_OK, C.AT_EACCESS) === -1) return host.errno();
  return statIfExists(path, C.AT_FDCWD, true)?.type === C.S_IFREG ? undefined : EACCES;
};

/** Looks at the file alone, where the rights of the process are not known yet: its execve(2) has the last word. */
export const isExecutable: Problem = (path) => {
  const status = statIfExists(path, C.AT_FDCWD, true);
  if (status === undefined) return ENOENT;
  return status.type === C.S_IFREG && (status.mode & 0o111) !== 0 ? undefined : EACCES;
};

/** The environment with HOME, which is taken from /etc/passwd when it is not set (as runc); "/" when that has no such user. */
export function withHome(env: readonly string[], uid: number): readonly string[] {
  const home = environmentValue(env, "HOME");
  if (home !== undefined && home !== "") return env;
  return [...env.filter((variable) => !variable.startsWith("HOME=")), `HOME=${homeOf(readPasswd(), uid) || "/"}`];
}

/** What is read of /etc/passwd. It is the image's, so its size is no measure of its worth. */
const PASSWD_LIMIT_BYTES = 256 * 1024;

/**
 * The image's /etc/passwd, as far as it is a regular file: a link out of the root (through /proc too), a FIFO or a missing file are none. What is only a
 * comfort keeps no container from starting.
 */
function readPasswd(): string {
  const resolve = C.RESOLVE_IN_ROOT | C.RESOLVE_NO_MAGICLINKS;
  const fd = tryOpenat2(C.AT_FDCWD, "/etc/passwd", C.O_RDONLY | C.O_NONBLOCK | C.O_NOCTTY, resolve);
  if (fd === -1) return "";
  return withFd(fd, () => {
    const status = stat("", fd);
    if (status.type !== C.S_IFREG) return "";
    const bytes = new Uint8Array(Math.min(status.sizeBytes, PASSWD_LIMIT_BYTES));
    let length = 0;
    for (let count = 1; count > 0 && length < bytes.length; length += Math.max(count, 0))
      count = libc.read(fd, bytes.subarray(length), bytes.length - length);
    return host.decode(bytes.subarray(0, length));
  });
}

/** The sixth field of the line whose third is `uid`, passwd(5). Every byte is looked at once or twice. */
export function homeOf(passwd: string, uid: number): string | undefined {
  const wanted = `:${uid}:`;
  for (let found = passwd.indexOf(wanted); found !== -1; found = passwd.indexOf(wanted, found + 1)) {
    const start = passwd.lastIndexOf("\n", found) + 1;
    const end = passwd.indexOf("\n", found);
    const fields = passwd.slice(start, end === -1 ? passwd.length : end).split(":");
    if (fields[2] === String(uid)) return fields[5];
    if (end === -1) return undefined;
    found = end - 1; // the rest of this line has been looked at
  }
  return undefined;
}
