/**
 * Every libc function that reg calls, as data in the shape of ffi-napi's tables: [result, [parameters]]. It serves both
 * hosts: ffi-napi reads it at run time, native-shim/ gets a C table generated from it.
 * Variadic functions are named with the arguments reg gives them.
 */
import type { CallsOf, Signature } from "../host/host.ts";

// biome-ignore format: a table, one function a line
export const LIBC = {
  // files
  openat: ["int", ["int", "string", "int", "uint"]],
  close: ["int", ["int"]],
  read: ["long", ["int", "pointer", "ulong"]],
  write: ["long", ["int", "pointer", "ulong"]],
  lseek: ["long", ["int", "long", "int"]],
  fstatfs: ["int", ["int", "pointer"]],
  statfs: ["int", ["string", "pointer"]],
  mkdirat: ["int", ["int", "string", "uint"]],
  mknodat: ["int", ["int", "string", "uint", "ulong"]],
  unlinkat: ["int", ["int", "string", "int"]],
  renameat: ["int", ["int", "string", "int", "string"]],
  linkat: ["int", ["int", "string", "int", "string", "int"]],
  symlinkat: ["int", ["string", "int", "string"]],
  readlinkat: ["long", ["int", "string", "pointer", "ulong"]],
  faccessat: ["int", ["int", "string", "int", "int"]],
  fchmod: ["int", ["int", "uint"]],
  fchmodat: ["int", ["int", "string", "uint", "int"]],
  fchown: ["int", ["int", "uint", "uint"]],
  fchownat: ["int", ["int", "string", "uint", "uint", "int"]],
  memfd_create: ["int", ["string", "uint"]],
  ftruncate: ["int", ["int", "long"]],
  fsync: ["int", ["int"]],
  syncfs: ["int", ["int"]],
  flock: ["int", ["int", "int"]],
  fchdir: ["int", ["int"]],
  chdir: ["int", ["string"]],
  chroot: ["int", ["string"]],
  getcwd: ["pointer", ["pointer", "ulong"]],
  umask: ["uint", ["uint"]],
  dup3: ["int", ["int", "int", "int"]],
  pipe2: ["int", ["pointer", "int"]],
  fcntl: ["int", ["int", "int", "long"]],
  fgetxattr: ["long", ["int", "string", "pointer", "ulong"]],
  flistxattr: ["long", ["int", "pointer", "ulong"]],
  fsetxattr: ["int", ["int", "string", "pointer", "ulong", "int"]],
  // mounts
  mount: ["int", ["string", "string", "string", "ulong", "string"]],
  umount2: ["int", ["string", "int"]],
  // processes
  fork: ["int", []],
  _exit: ["void", ["int"]],
  execve: ["int", ["string", "pointer", "pointer"]],
  waitpid: ["int", ["int", "pointer", "int"]],
  waitid: ["int", ["int", "uint", "pointer", "int"]],
  posix_spawn: ["int", ["pointer", "string", "pointer", "pointer", "pointer", "pointer"]],
  posix_spawn_file_actions_init: ["int", ["pointer"]],
  posix_spawn_file_actions_adddup2: ["int", ["pointer", "int", "int"]],
  posix_spawn_file_actions_destroy: ["int", ["pointer"]],
  kill: ["int", ["int", "int"]],
  getpid: ["int", []],
  getppid: ["int", []],
  getuid: ["uint", []],
  geteuid: ["uint", []],
  getgid: ["uint", []],
  setsid: ["int", []],
  setpgid: ["int", ["int", "int"]],
  tcsetpgrp: ["int", ["int", "int"]],
  prctl: ["int", ["int", "ulong", "ulong", "ulong", "ulong"]],
  prlimit: ["int", ["int", "int", "pointer", "pointer"]],
  setpriority: ["int", ["int", "uint", "int"]],
  sched_setaffinity: ["int", ["int", "ulong", "pointer"]],
  sched_getaffinity: ["int", ["int", "ulong", "pointer"]],
  personality: ["int", ["ulong"]],
  unshare: ["int", ["int"]],
  setns: ["int", ["int", "int"]],
  setresuid: ["int", ["uint", "uint", "uint"]],
  setresgid: ["int", ["uint", "uint", "uint"]],
  setgroups: ["int", ["ulong", "pointer"]],
  sethostname: ["int", ["string", "ulong"]],
  setdomainname: ["int", ["string", "ulong"]],
  // signals and waiting
  sigprocmask: ["int", ["int", "pointer", "pointer"]],
  signal: ["pointer", ["int", "pointer"]],
  signalfd: ["int", ["int", "pointer", "int"]],
  poll: ["int", ["pointer", "ulong", "int"]],
  nanosleep: ["int", ["pointer", "pointer"]],
  clock_gettime: ["int", ["int", "pointer"]],
  eventfd: ["int", ["uint", "int"]],
  inotify_init1: ["int", ["int"]],
  inotify_add_watch: ["int", ["int", "string", "uint"]],
  // sockets
  socket: ["int", ["int", "int", "int"]],
  socketpair: ["int", ["int", "int", "int", "pointer"]],
  connect: ["int", ["int", "pointer", "uint"]],
  bind: ["int", ["int", "pointer", "uint"]],
  listen: ["int", ["int", "int"]],
  accept4: ["int", ["int", "pointer", "pointer", "int"]],
  sendmsg: ["long", ["int", "pointer", "int"]],
  recvmsg: ["long", ["int", "pointer", "int"]],
  send: ["long", ["int", "pointer", "ulong", "int"]],
  recv: ["long", ["int", "pointer", "ulong", "int"]],
  setsockopt: ["int", ["int", "int", "int", "pointer", "uint"]],
  shutdown: ["int", ["int", "int"]],
  // terminals
  ioctl: ["int", ["int", "ulong", "pointer"]],
  tcgetattr: ["int", ["int", "pointer"]],
  tcsetattr: ["int", ["int", "int", "pointer"]],
  isatty: ["int", ["int"]],
  // the rest, by number: calls that a libc may not have yet, or wraps in a way that is of no use here
  syscall: ["long", ["long", "pointer", "pointer", "pointer", "pointer", "pointer"]],
} as const satisfies Record<string, Signature>;

export type Libc = CallsOf<typeof LIBC>;

/** libseccomp's functions, which only the native host has. */
// biome-ignore format: a table, one function a line
export const LIBSECCOMP = {
  seccomp_init: ["pointer", ["uint"]],
  seccomp_release: ["void", ["pointer"]],
  seccomp_attr_set: ["int", ["pointer", "int", "uint"]],
  seccomp_arch_native: ["uint", []],
  seccomp_arch_resolve_name: ["uint", ["string"]],
  seccomp_arch_add: ["int", ["pointer", "uint"]],
  seccomp_syscall_resolve_name: ["int", ["string"]],
  seccomp_syscall_resolve_name_arch: ["int", ["uint", "string"]],
  seccomp_rule_add_array: ["int", ["pointer", "uint", "int", "uint", "pointer"]],
  seccomp_transaction_start: ["int", ["pointer"]],
  seccomp_transaction_commit: ["int", ["pointer"]],
  seccomp_export_bpf_mem: ["int", ["pointer", "pointer", "pointer"]],
} as const satisfies Record<string, Signature>;

export type Libseccomp = CallsOf<typeof LIBSECCOMP>;
