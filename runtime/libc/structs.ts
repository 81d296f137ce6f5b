/**
 * Layouts of the C structs that reg reads and writes: size and offsets in bytes, under the names of the headers. All but
 * one are the same on x86-64 and arm64; structs.test.ts holds each against the C compiler.
 */
import { host } from "#host";

/** struct clone_args, clone3(2) */
export const CLONE_ARGS = { size: 88, flags: 0, exit_signal: 32, cgroup: 80 } as const;
/** struct open_how, openat2(2) */
export const OPEN_HOW = { size: 24, flags: 0, mode: 8, resolve: 16 } as const;
/** struct mount_attr, mount_setattr(2) */
export const MOUNT_ATTR = { size: 32, attr_set: 0, attr_clr: 8, propagation: 16, userns_fd: 24 } as const;
/** struct statx, statx(2) */
export const STATX = {
  size: 256,
  stx_nlink: 16,
  stx_uid: 20,
  stx_gid: 24,
  stx_mode: 28,
  stx_ino: 32,
  stx_size: 40,
  stx_atime: 64,
  stx_mtime: 112,
  stx_rdev_major: 128,
  stx_rdev_minor: 132,
  stx_dev_major: 136,
  stx_dev_minor: 140,
} as const;
/** struct statfs, statfs(2) */
export const STATFS = { size: 120, f_type: 0 } as const;
/** struct flock, fcntl(2) */
export const FLOCK = { size: 32, l_type: 0, l_whence: 2, l_start: 8, l_len: 16 } as const;
/** struct fsverity_enable_arg, ioctl FS_IOC_ENABLE_VERITY */
export const FSVERITY_ENABLE_ARG = { size: 128, version: 0, hash_algorithm: 4, block_size: 8 } as const;
/** struct linux_dirent64, getdents64(2); the name goes on behind the struct */
export const DIRENT = { d_reclen: 16, d_type: 18, d_name: 19 } as const;
/** struct msghdr, sendmsg(2) */
export const MSGHDR = { size: 56, msg_iov: 16, msg_iovlen: 24, msg_control: 32, msg_controllen: 40 } as const;
/** struct iovec */
export const IOVEC = { size: 16, iov_base: 0, iov_len: 8 } as const;
/** struct cmsghdr, cmsg(3); its size is also where the data begins */
export const CMSGHDR = { size: 16, cmsg_len: 0, cmsg_level: 8, cmsg_type: 12 } as const;
/** struct sockaddr_un, unix(7) */
export const SOCKADDR_UN = { size: 110, sun_family: 0, sun_path: 2 } as const;
/** struct pollfd, poll(2) */
export const POLLFD = { size: 8, fd: 0, events: 4, revents: 6 } as const;
/** struct epoll_event, epoll_ctl(2): packed on x86-64 alone */
export const EPOLL_EVENT =
  host.arch === "x64" ? ({ size: 12, events: 0, data: 4 } as const) : ({ size: 16, events: 0, data: 8 } as const);
/** struct ucred, SO_PEERCRED of unix(7) */
export const UCRED = { size: 12, pid: 0, uid: 4, gid: 8 } as const;
/** struct signalfd_siginfo, signalfd(2) */
export const SIGNALFD_SIGINFO = { size: 128, ssi_signo: 0 } as const;
/** siginfo_t, waitid(2) */
export const SIGINFO = { size: 128, si_code: 8, si_pid: 16, si_status: 24 } as const;
/** sigset_t of glibc and musl */
export const SIGSET = { size: 128 } as const;
/** struct timespec */
export const TIMESPEC = { size: 16, tv_sec: 0, tv_nsec: 8 } as const;
/** struct rlimit, prlimit(2) */
export const RLIMIT = { size: 16, rlim_cur: 0, rlim_max: 8 } as const;
/** struct sched_attr, sched_setattr(2) */
export const SCHED_ATTR = {
  size: 56,
  size_field: 0,
  sched_policy: 4,
  sched_flags: 8,
  sched_nice: 16,
  sched_priority: 20,
  sched_runtime: 24,
  sched_deadline: 32,
  sched_period: 40,
} as const;
/** struct winsize, tty_ioctl(4) */
export const WINSIZE = { size: 8, ws_row: 0, ws_col: 2 } as const;
/** struct termios of glibc and musl, termios(3) */
export const TERMIOS = { size: 60, c_iflag: 0, c_oflag: 4, c_cflag: 8, c_lflag: 12 } as const;
/** struct ifreq, netdevice(7) */
export const IFREQ = { size: 40, ifr_name: 0, ifr_flags: 16 } as const;
/** struct __user_cap_header_struct and __user_cap_data_struct, capset(2); two of the latter */
export const CAP_HEADER = { size: 8, version: 0, pid: 4 } as const;
export const CAP_DATA = { size: 12, effective: 0, permitted: 4, inheritable: 8 } as const;
/** struct nlmsghdr, netlink(7) */
export const NLMSGHDR = { size: 16, nlmsg_len: 0, nlmsg_type: 4, nlmsg_flags: 6, nlmsg_seq: 8 } as const;
/** struct rtattr, struct ifinfomsg, struct ifaddrmsg, rtnetlink(7) */
export const RTATTR = { size: 4, rta_len: 0, rta_type: 2 } as const;
export const IFINFOMSG = { size: 16, ifi_index: 4, ifi_flags: 8, ifi_change: 12 } as const;
export const IFADDRMSG = { size: 8, ifa_flags: 2, ifa_scope: 3, ifa_index: 4 } as const;
/** struct sock_filter and struct sock_fprog, seccomp(2) */
export const SOCK_FILTER = { size: 8, code: 0, jt: 2, jf: 3, k: 4 } as const;
export const SOCK_FPROG = { size: 16, len: 0, filter: 8 } as const;
/** struct scmp_arg_cmp, seccomp_rule_add(3) */
export const SCMP_ARG_CMP = { size: 24, arg: 0, op: 4, datum_a: 8, datum_b: 16 } as const;
