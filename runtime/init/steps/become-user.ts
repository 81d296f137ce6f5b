/** From a process that has just entered a container to the user's process, all but the execve(2): for init and for `exec`. */
import { host } from "#host";
import { ENOENT, EPERM } from "../../errors/errno.ts";
import { at, RegError, SyscallError } from "../../errors/errors.ts";
import * as C from "../../libc/constants.ts";
import { close, isErrno, tryOpenat2, withFd } from "../../libc/file.ts";
import { libc } from "../../libc/libc.ts";
import { prctl } from "../../libc/process.ts";
import { writeProc } from "../../linux/procfs.ts";
import type { ProcessPlan } from "../../oci/plan/process.ts";
import type { Birth } from "../enter.ts";
import { changeUser, dropBoundingSet, ownStandardDescriptors, setCapabilities, setRlimits } from "./credentials.ts";
import { findExecutable, isExecutable, mayExecute, withHome } from "./executable.ts";
import { isLostByClone, setPersonality, setScheduling } from "./scheduling.ts";

const UID_MAPPINGS = { field: "/linux/uidMappings", hint: "map a host id to containerID 0" } as const;
const GID_MAPPINGS = { field: "/linux/gidMappings", hint: "map a host id to containerID 0" } as const;

/** What execve(2) gets. */
export interface Program {
  readonly path: string;
  readonly args: readonly string[];
  readonly env: readonly string[];
}

const SIGNALS = 64;
/** The kernel's struct sigaction, all zero: SIG_DFL. Larger than it is on any architecture. */
const DEFAULT_ACTION = new Uint8Array(64);

/** The program starts with no signal blocked or ignored: what the caller ignores (nohup(1), Node's SIGPIPE) would be inherited. */
export function resetSignals(): void {
  const SIG_SETMASK = 2;
  const SIGNAL_SET_BYTES = 8;
  libc.sigprocmask(SIG_SETMASK, new Uint8Array(128), null);
  // By the system call: libc keeps some real-time signals to itself. EINVAL for SIGKILL and SIGSTOP, which nobody ignores.
  for (let signal = 1; signal <= SIGNALS; signal++)
    libc.syscall(C.SYS_rt_sigaction, signal, DEFAULT_ACTION, null, SIGNAL_SET_BYTES, 0);
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

/** What `becomeUser` needs to know beside the process. */
export interface Becoming {
  /** Descriptor of a verified /proc, which is closed. */
  readonly proc: number;
  readonly personality: { readonly domain: string } | undefined;
  /** Whether a filter has to be loaded while there are privileges to do it, by `loadFilter`. */
  readonly filterFirst: boolean;
  readonly loadFilter: () => void;
  readonly birth: Birth;
}

/**
 * Takes on the process's labels, scheduling, user and capabilities, enters its directory, finds its program, and is born in the pid
 * namespace. After the filter there is nothing but what changes credentials: a profile allows what the program needs, not what a
 * runtime does.
 */
export function becomeUser(process: ProcessPlan, becoming: Becoming): Program {
  const { proc, personality, filterFirst, loadFilter, birth } = becoming;
  if (process.apparmorProfile !== undefined) setAppArmorProfile(proc, process.apparmorProfile);
  if (process.selinuxLabel !== undefined)
    at("/process/selinuxLabel", () => writeProc(proc, "self/attr/exec", process.selinuxLabel ?? ""));
  // The clone that is born needs privileges inside only for what would not survive it, or what they are needed for to load.
  const bornFirst = filterFirst || isLostByClone(process.scheduler);
  const known = bornFirst ? isSetgroupsDenied(proc) : undefined;
  const setgroupsDenied = () => known ?? isSetgroupsDenied(proc);
  if (process.noNewPrivileges) prctl(C.PR_SET_NO_NEW_PRIVS, "PR_SET_NO_NEW_PRIVS", 1);
  setPersonality(personality);
  setRlimits(process);
  ownStandardDescriptors(process);
  // Before the user changes, for directories that only root may enter; after it too, for those that only the user may.
  const entered = libc.chdir(process.cwd) === 0;
  if (entered) verifyDirectory(process.cwd);
  dropBoundingSet(process.capabilities);
  libc.umask(process.umask);
  const env = withHome(process.env, process.uid);
  const name = process.args[0] ?? "";
  const found = filterFirst ? findExecutable(name, env, isExecutable) : undefined;
  if (bornFirst) {
    close(proc);
    birth.happen();
  }
  setScheduling(process);
  if (filterFirst) loadFilter();
  changeUser(process, setgroupsDenied);
  if (!entered) enterDirectory(process.cwd);
  setCapabilities(process.capabilities);
  // With the rights that the process now has.
  const program = { path: found ?? findExecutable(name, env, mayExecute), args: process.args, env };
  if (!bornFirst) {
    close(proc);
    birth.happen();
  }
  return program;
}

function isSetgroupsDenied(proc: number): boolean {
  const resolve = C.RESOLVE_BENEATH | C.RESOLVE_NO_XDEV;
  const fd = tryOpenat2(proc, "self/setgroups", C.O_RDONLY, resolve);
  if (fd === -1) return false; // a kernel without user namespaces
  return withFd(fd, () => {
    const word = new Uint8Array(8);
    return libc.read(fd, word, 8) > 0 && host.decode(word).startsWith("deny");
  });
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
