/** From a process that has just entered a container to the user's process, all but the execve(2): for init and for `exec`. */
import { host } from "#host";
import { ENOENT, EPERM } from "../../errors/errno.ts";
import { at, RegError, SyscallError } from "../../errors/errors.ts";
import * as C from "../../libc/constants.ts";
import { isErrno, openat2, withFd } from "../../libc/file.ts";
import { libc } from "../../libc/libc.ts";
import { prctl } from "../../libc/process.ts";
import { openProc, writeProc } from "../../linux/procfs.ts";
import type { ProcessPlan } from "../../oci/plan/process.ts";
import { changeUser, dropBoundingSet, ownStandardDescriptors, setCapabilities, setRlimits } from "./credentials.ts";
import { findExecutable, withHome } from "./executable.ts";
import { setPersonality, setScheduling } from "./scheduling.ts";

const UID_MAPPINGS = { field: "/linux/uidMappings", hint: "map a host id to containerID 0" } as const;
const GID_MAPPINGS = { field: "/linux/gidMappings", hint: "map a host id to containerID 0" } as const;

/** What execve(2) gets. */
export interface Program {
  readonly path: string;
  readonly args: readonly string[];
  readonly env: readonly string[];
}

/** The program starts with no signal blocked, and SIGPIPE as it should be: Node ignores it, and that would be inherited. */
export function resetSignals(): void {
  const SIG_SETMASK = 2;
  const SIGPIPE = 13;
  libc.sigprocmask(SIG_SETMASK, new Uint8Array(128), null);
  libc.signal(SIGPIPE, 0);
}

/** setsid(2); a process that leads a group has its session already. */
export function newSession(): void {
  if (libc.setsid() === -1 && host.errno() !== EPERM) throw new SyscallError("setsid(2)", "init", host.errno());
}

/** In a user namespace the ids of the caller mean nothing: root of the namespace has its files. */
export function becomeRoot(): void {
  if (libc.setresgid(0, 0, 0) === -1) throw new SyscallError("setresgid(2)", "0", host.errno(), GID_MAPPINGS);
  if (libc.setresuid(0, 0, 0) === -1) throw new SyscallError("setresuid(2)", "0", host.errno(), UID_MAPPINGS);
}

/**
 * Takes on the process's labels, scheduling, user and capabilities, enters its directory, and finds its program with the
 * rights that it then has. `proc` is a descriptor of a verified /proc; `beforeCredentials` runs while it is still root.
 */
export function becomeUser(
  process: ProcessPlan,
  proc: number,
  personality: { readonly domain: string } | undefined,
  beforeCredentials: () => void,
): Program {
  if (process.apparmorProfile !== undefined) setAppArmorProfile(proc, process.apparmorProfile);
  if (process.noNewPrivileges) prctl(C.PR_SET_NO_NEW_PRIVS, "PR_SET_NO_NEW_PRIVS", 1);
  setScheduling(process);
  setPersonality(personality);
  if (process.selinuxLabel !== undefined)
    at("/process/selinuxLabel", () => writeProc(proc, "self/attr/exec", process.selinuxLabel ?? ""));
  setRlimits(process);
  ownStandardDescriptors(process);
  // Before the user changes, for directories that only root may enter; after it too, for those that only the user may.
  const entered = libc.chdir(process.cwd) === 0;
  if (entered) verifyDirectory(process.cwd);
  beforeCredentials(); // a filter may forbid what is above
  dropBoundingSet(process.capabilities);
  changeUser(process, setGroupsDenied);
  if (!entered) enterDirectory(process.cwd);
  setCapabilities(process.capabilities);
  libc.umask(process.umask);
  const env = withHome(process.env, process.uid);
  return { path: findExecutable(process.args[0] ?? "", env), args: process.args, env };
}

function setGroupsDenied(): boolean {
  try {
    return withFd(openProc(), (proc) =>
      withFd(openat2(proc, "self/setgroups", C.O_RDONLY, C.RESOLVE_BENEATH), (fd) => {
        const word = new Uint8Array(8);
        return libc.read(fd, word, 8) > 0 && host.decode(word).startsWith("deny");
      }),
    );
  } catch (error) {
    if (error instanceof RegError) return false;
    throw error;
  }
}

function setAppArmorProfile(proc: number, profile: string): void {
  at("/process/apparmorProfile", () => {
    try {
      writeProc(proc, "self/attr/apparmor/exec", `exec ${profile}`);
    } catch (error) {
      if (!isErrno(error, ENOENT)) throw error;
      writeProc(proc, "self/attr/exec", `exec ${profile}`); // Linux before 5.8
    }
  });
}

function enterDirectory(path: string): void {
  at("/process/cwd", () => {
    if (libc.chdir(path) === -1) throw new SyscallError("chdir(2)", path, host.errno());
  });
  verifyDirectory(path);
}

/** A working directory outside the root, through a leaked descriptor, shows as one that getcwd(2) cannot name (CVE-2024-21626). */
function verifyDirectory(path: string): void {
  const buffer = new Uint8Array(4096);
  const found = libc.getcwd(buffer, buffer.length);
  if (found !== 0 && buffer[0] === 0x2f) return;
  throw new RegError("EPERM", `process.cwd ${path} is outside the container's root`, { field: "/process/cwd" });
}
