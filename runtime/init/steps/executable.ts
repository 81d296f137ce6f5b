/** Finding the program that the process runs, as execvp(3) would, and saying well why it cannot be run. */
import { host } from "#host";
import { EACCES, errnoText } from "../../errors/errno.ts";
import { RegError } from "../../errors/errors.ts";
import * as C from "../../libc/constants.ts";
import { readTextIfExists, statIfExists } from "../../libc/file.ts";
import { libc } from "../../libc/libc.ts";

const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** The value of a variable in a list of NAME=value. */
export function environmentValue(env: readonly string[], name: string): string | undefined {
  return env.find((entry) => entry.startsWith(`${name}=`))?.slice(name.length + 1);
}

/**
 * The path to execute. Runs with the process's own credentials and directory. The texts are those of runc: Podman tells
 * exit codes 126 and 127 apart by them.
 */
export function findExecutable(name: string, env: readonly string[]): string {
  const field = "/process/args/0";
  if (name === "") throw new RegError("ENOENT", 'exec: "": executable file not found in $PATH', { field });
  if (name.includes("/")) {
    const problem = whyNotExecutable(name);
    if (problem === undefined) return name;
    const text = problem === EACCES ? errnoText(EACCES) : `stat ${name}: ${errnoText(problem)}`;
    throw new RegError(problem === EACCES ? "EACCES" : "ENOENT", `exec: "${name}": ${text}`, { field });
  }
  let denied = false;
  for (const directory of (environmentValue(env, "PATH") ?? DEFAULT_PATH).split(":")) {
    const path = `${directory === "" ? "." : directory}/${name}`;
    const problem = whyNotExecutable(path);
    if (problem === undefined) return path;
    if (problem === EACCES) denied = true;
  }
  if (denied) throw new RegError("EACCES", `exec: "${name}": ${errnoText(EACCES)}`, { field });
  throw new RegError("ENOENT", `exec: "${name}": executable file not found in $PATH`, {
    field,
    hint: "is the program in the container's root filesystem, and PATH set in process.env?",
  });
}

/** undefined when this process may execute the file; else the errno that says why not. */
function whyNotExecutable(path: string): number | undefined {
  if (libc.faccessat(C.AT_FDCWD, path, C.X_OK, 0) === -1) return host.errno();
  return statIfExists(path, C.AT_FDCWD, true)?.type === C.S_IFREG ? undefined : EACCES;
}

/** The environment with HOME, which is taken from /etc/passwd when it is not set (as runc); "/" when that has no such user. */
export function withHome(env: readonly string[], uid: number): readonly string[] {
  const home = environmentValue(env, "HOME");
  if (home !== undefined && home !== "") return env;
  const entry = (readTextIfExists("/etc/passwd") ?? "").split("\n").find((line) => line.split(":")[2] === String(uid));
  return [...env.filter((variable) => !variable.startsWith("HOME=")), `HOME=${entry?.split(":")[5] || "/"}`];
}
