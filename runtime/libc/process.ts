/** Processes: clone, wait, signals by pidfd, namespaces, what a process may set of itself. */
import { host } from "#host";
import { EDQUOT, EINTR, EINVAL, ENOEXEC, ENOSYS, EPERM, ESRCH } from "../errors/errno.ts";
import { SyscallError } from "../errors/errors.ts";
import { checked } from "./call.ts";
import * as C from "./constants.ts";
import { libc } from "./libc.ts";
import { cString, cStringArray, Struct } from "./memory.ts";
import { CLONE_ARGS, SIGINFO, SIGSET } from "./structs.ts";

const SIGKILL = 9;
const SIGCHLD = 17;

/** clone3(2) as fork: 0 in the child. `flags` is the CLONE_* set; the exit signal is SIGCHLD unless CLONE_PARENT. Native host only. */
export function clone3(flags: number, cgroup?: number): number {
  const args = new Struct(CLONE_ARGS.size);
  args.setU64(CLONE_ARGS.flags, flags + (cgroup === undefined ? 0 : C.CLONE_INTO_CGROUP));
  args
    .setU64(CLONE_ARGS.exit_signal, (flags & C.CLONE_PARENT) === 0 ? SIGCHLD : 0)
    .setU64(CLONE_ARGS.cgroup, cgroup ?? 0);
  const pid = libc.syscall(C.SYS_clone3, args.bytes, CLONE_ARGS.size, 0, 0, 0);
  if (pid === 0) host.forked();
  return checked(pid, "clone3(2)", `flags 0x${flags.toString(16)}`);
}

/** fork(2), to a child that does this, see inChild. Returns its pid. Native host only. */
export function fork(subject: string, child: () => never, failed?: (error: unknown) => void): number {
  const pid = libc.fork();
  if (pid === 0) {
    host.forked();
    inChild(child, failed);
  }
  return checked(pid, "fork(2)", subject);
}

/** In a child: what it throws ends it, with status 1, as it must never go on in its parent's place. `failed` may tell of it. */
export function inChild(action: () => never, failed: (error: unknown) => void = () => {}): never {
  try {
    action();
  } catch (error) {
    try {
      failed(error);
    } catch {
      // Nobody is left to hear it.
    }
  }
  libc._exit(1);
  throw new Error("unreachable");
}

/** How a child ended: its exit status, or the signal that killed it. */
export type ExitStatus = { readonly code: number } | { readonly signal: number };

function decodeStatus(status: number): ExitStatus {
  const signal = status & 0x7f;
  return signal === 0 ? { code: (status >> 8) & 0xff } : { signal };
}

/** The number a shell gives for how a child ended: the exit status, or 128 + signal. */
export function shellStatus(status: ExitStatus): number {
  return "code" in status ? status.code : 128 + status.signal;
}

/** waitpid(2), again after EINTR. */
export function waitFor(pid: number): ExitStatus {
  const status = new Struct(4);
  for (;;) {
    if (libc.waitpid(pid, status.bytes, 0) === pid) return decodeStatus(status.i32(0));
    if (host.errno() !== EINTR) throw new SyscallError("waitpid(2)", `${pid}`, host.errno());
  }
}

/** Waits for the end of a child and says how it came. The child is still to be reaped: until then its pid is nobody else's. waitid(2), again after EINTR. */
export function lookAtEnd(pid: number): ExitStatus {
  const info = new Struct(SIGINFO.size);
  while (libc.waitid(C.P_PID, pid, info.bytes, C.WEXITED | C.WNOWAIT) === -1)
    if (host.errno() !== EINTR) throw new SyscallError("waitid(2)", `${pid}`, host.errno());
  const status = info.i32(SIGINFO.si_status);
  return info.i32(SIGINFO.si_code) === C.CLD_EXITED ? { code: status } : { signal: status };
}

/** Whether a child has ended, and is still to be reaped. True too for what is no child, or none any more. waitid(2). */
export function hasEnded(pid: number): boolean {
  const info = new Struct(SIGINFO.size);
  if (libc.waitid(C.P_PID, pid, info.bytes, C.WEXITED | C.WNOHANG | C.WNOWAIT) === -1) return true;
  return info.i32(SIGINFO.si_pid) !== 0;
}

/** Makes waitpid(2) work where the caller ignores SIGCHLD: children would vanish without a status. On Node, libuv has a handler. */
export function keepChildren(): void {
  if (host.kind === "native") libc.signal(SIGCHLD, 0);
}

/** Whether the process is a child of this one, ended or not. waitid(2). */
export function isChild(pid: number): boolean {
  return libc.waitid(C.P_PID, pid, null, C.WEXITED | C.WNOHANG | C.WNOWAIT) === 0;
}

/** Kills and reaps a child, unless that has been done. */
export function endChild(pid: number): void {
  if (!isChild(pid)) return;
  libc.kill(pid, SIGKILL); // cannot fail: not reaped yet, it is still ours
  waitFor(pid);
}

/** Reaps the children that have ended, apart from one whose status somebody else wants. waitid(2). */
export function reapOthers(except: number): void {
  const info = new Struct(SIGINFO.size);
  for (;;) {
    info.setI32(SIGINFO.si_pid, 0);
    if (libc.waitid(C.P_ALL, 0, info.bytes, C.WEXITED | C.WNOHANG | C.WNOWAIT) === -1) return;
    const pid = info.i32(SIGINFO.si_pid);
    if (pid === 0 || pid === except) return;
    libc.waitpid(pid, null, C.WNOHANG);
  }
}

/** pidfd_open(2); undefined when there is no such process, which Linux 6.1 calls EINVAL as long as its session goes on. Linux 5.3. */
export function openPidfd(pid: number): number | undefined {
  const fd = libc.syscall(C.SYS_pidfd_open, pid, 0, 0, 0, 0);
  if (fd === -1 && (host.errno() === ESRCH || (host.errno() === EINVAL && pid > 0))) return undefined;
  return checked(fd, "pidfd_open(2)", `process ${pid}`);
}

/** pidfd_send_signal(2); false when the process has ended. Linux 5.1. */
export function signalPidfd(pidfd: number, signal: number): boolean {
  const result = libc.syscall(C.SYS_pidfd_send_signal, pidfd, signal, null, 0, 0);
  if (result === -1 && host.errno() === ESRCH) return false;
  checked(result, "pidfd_send_signal(2)", `signal ${signal}`);
  return true;
}

/** unshare(2). Native host only: Node is multi-threaded. */
export function unshare(flags: number): void {
  checked(libc.unshare(flags), "unshare(2)", `flags 0x${flags.toString(16)}`);
}

/** setns(2). Native host only. */
export function setns(fd: number, type: number, subject: string): void {
  checked(libc.setns(fd, type), "setns(2)", subject);
}

/** prctl(2) with up to four arguments. */
export function prctl(option: number, subject: string, a = 0, b = 0, c = 0, d = 0): number {
  return checked(libc.prctl(option, a, b, c, d), "prctl(2)", subject);
}

/** execve(2): returns only by throwing. */
export function execve(path: string, argv: readonly string[], env: readonly string[]): never {
  const arguments_ = cStringArray(argv);
  const environment = cStringArray(env);
  libc.execve(path, arguments_.pointers, environment.pointers);
  const errno = host.errno();
  const hint = "is it a program for this machine, or a script that begins with #! ?";
  throw new SyscallError("execve(2)", path, errno, errno === ENOEXEC ? { hint } : {});
}

/** posix_spawn(3): starts a program with the descriptors `from` placed at `to`, and no signal blocked. Returns its pid. Safe on both hosts. */
export function spawn(
  path: string,
  argv: readonly string[],
  env: readonly string[],
  descriptors: readonly { readonly from: number; readonly to: number }[],
): number {
  const actions = new Uint8Array(128);
  const attributes = new Uint8Array(512); // posix_spawnattr_t has 336, also glibc's
  const POSIX_SPAWN_SETSIGMASK = 8;
  const pid = new Struct(4);
  const arguments_ = cStringArray(argv);
  const environment = cStringArray(env);
  // None of these can fail: musl's and glibc's only fill what they are given.
  libc.posix_spawn_file_actions_init(actions);
  libc.posix_spawnattr_init(attributes);
  try {
    libc.posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK);
    libc.posix_spawnattr_setsigmask(attributes, new Uint8Array(SIGSET.size));
    for (const { from, to } of descriptors) libc.posix_spawn_file_actions_adddup2(actions, from, to);
    const errno = libc.posix_spawn(pid.bytes, path, actions, attributes, arguments_.pointers, environment.pointers);
    if (errno !== 0) throw new SyscallError("posix_spawn(3)", path, errno);
    return pid.i32(0);
  } finally {
    libc.posix_spawn_file_actions_destroy(actions);
    libc.posix_spawnattr_destroy(attributes);
  }
}

/** close_range(2) that marks descriptors from `first` on close-on-exec. Linux 5.11. */
export function closeOnExecFrom(first: number): void {
  const CLOSE_RANGE_CLOEXEC = 4;
  checked(
    libc.syscall(C.SYS_close_range, first, 0xffffffff, CLOSE_RANGE_CLOEXEC, 0, 0),
    "close_range(2)",
    `from ${first}`,
  );
}

/** Closes the descriptors from `first` on, apart from some (close_range(2), Linux 5.9). */
export function closeFrom(first: number, except: readonly number[]): void {
  let from = first;
  const close = (to: number) => {
    if (from <= to) checked(libc.syscall(C.SYS_close_range, from, to, 0, 0, 0), "close_range(2)", `${from} to ${to}`);
  };
  for (const fd of [...except].sort((a, b) => a - b)) {
    close(fd - 1);
    from = Math.max(from, fd + 1);
  }
  close(0xffffffff);
}

let held = true;

/** Closes what the host holds (Host.held), while this process would wait for another anyway. */
export function closeHeld(): void {
  if (held) for (const fd of host.held) libc.close(fd);
  held = false;
}

/**
 * Leaves the session keyring for one of this name (keyctl(2)). Without keyrings in the kernel, or where a filter forbids the call, there is nothing
 * to leave; any other failure, such as a used-up quota, would keep what is in the caller's keyring, and is thrown.
 */
export function joinSessionKeyring(name: string): void {
  const KEYCTL_JOIN_SESSION_KEYRING = 1;
  if (libc.syscall(C.SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, cString(name), 0, 0, 0) !== -1) return;
  const errno = host.errno();
  if (errno === ENOSYS || errno === EPERM) return;
  const hint =
    errno === EDQUOT
      ? "the user has too many keys: see /proc/key-users; --no-new-keyring keeps the caller's keyring"
      : "--no-new-keyring keeps the caller's keyring";
  throw new SyscallError("keyctl(2)", `session keyring ${name}`, errno, { hint });
}
