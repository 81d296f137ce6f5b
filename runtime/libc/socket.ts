/** Unix sockets: pairs, connections, and descriptors sent over them (unix(7), cmsg(3)). */
import { host } from "#host";
import { EAGAIN, EINTR } from "../errors/errno.ts";
import { RegError, SyscallError } from "../errors/errors.ts";
import { checked } from "./call.ts";
import * as C from "./constants.ts";
import { close, open, withFd } from "./file.ts";
import { libc } from "./libc.ts";
import { Struct } from "./memory.ts";
import { CMSGHDR, IOVEC, MSGHDR, SOCKADDR_UN } from "./structs.ts";

/** socketpair(2), close-on-exec. `type` is SOCK_STREAM or SOCK_SEQPACKET. */
export function socketPair(type: number): readonly [number, number] {
  const fds = new Struct(8);
  checked(libc.socketpair(C.AF_UNIX, type | C.SOCK_CLOEXEC, 0, fds.bytes), "socketpair(2)", "AF_UNIX");
  return [fds.i32(0), fds.i32(4)];
}

/** struct timeval, whose first half is the seconds */
const TIMEVAL_BYTES = 16;

/** The longest path that fits into an address, without its NUL byte. */
const LONGEST_BYTES = 107;

/** How long nobody may accept a connection, or read what is sent over it. */
const PATIENCE_SECONDS = 10;

/**
 * A connection to the unix socket at `path`, which may be longer than an address. connect(2) and what sends over it fail with EAGAIN when the
 * other side has no room for that, after some time: who listens and has a queue gets through it, who never reads holds nobody up.
 */
export function connectUnix(path: string, type = C.SOCK_STREAM): number {
  if (path.startsWith("@") || host.encode(path).length <= LONGEST_BYTES) return unixSocket("connect", path, type);
  return withFd(open(path, C.O_PATH), (fd) => unixSocket("connect", `/proc/self/fd/${fd}`, type));
}

/** A stream socket bound to `path`, which must not exist. Throws RegError ENAMETOOLONG beyond 107 bytes. */
export function bindStream(path: string): number {
  return unixSocket("bind", path, C.SOCK_STREAM);
}

/** A datagram socket that listens at `path`, which must not exist. Throws RegError ENAMETOOLONG beyond 107 bytes. */
export function bindDatagram(path: string): number {
  return unixSocket("bind", path, C.SOCK_DGRAM);
}

function unixSocket(call: "connect" | "bind", path: string, type: number): number {
  const name = host.encode(path);
  if (name.length > LONGEST_BYTES)
    throw new RegError("ENAMETOOLONG", `${call}(2) ${path}: a unix socket's name has at most ${LONGEST_BYTES} bytes`);
  const address = new Struct(SOCKADDR_UN.size).setU16(SOCKADDR_UN.sun_family, C.AF_UNIX);
  address.bytes.set(name, SOCKADDR_UN.sun_path);
  // "@" stands for the NUL byte of an abstract socket's name, which has no end but its length.
  const isAbstract = path.startsWith("@");
  if (isAbstract) address.setU8(SOCKADDR_UN.sun_path, 0);
  const fd = checked(libc.socket(C.AF_UNIX, type | C.SOCK_CLOEXEC, 0), "socket(2)", "AF_UNIX");
  const patience = new Struct(TIMEVAL_BYTES).setU64(0, PATIENCE_SECONDS);
  checked(
    libc.setsockopt(fd, C.SOL_SOCKET, C.SO_SNDTIMEO, patience.bytes, TIMEVAL_BYTES),
    "setsockopt(2)",
    "SO_SNDTIMEO",
  );
  if (libc[call](fd, address.bytes, SOCKADDR_UN.sun_path + name.length + (isAbstract ? 0 : 1)) === -1) {
    const errno = host.errno();
    close(fd);
    throw new SyscallError(
      `${call}(2)`,
      path,
      errno,
      errno === EAGAIN ? { hint: "nobody accepts connections there" } : {},
    );
  }
  return fd;
}

/** A msghdr over one buffer and one control block; the parts are returned so that they stay referenced. */
function message(payload: Uint8Array, control: Uint8Array) {
  const vector = new Struct(IOVEC.size).setPointer(IOVEC.iov_base, payload).setU64(IOVEC.iov_len, payload.length);
  const header = new Struct(MSGHDR.size).setPointer(MSGHDR.msg_iov, vector.bytes).setU64(MSGHDR.msg_iovlen, 1);
  if (control.length > 0) header.setPointer(MSGHDR.msg_control, control).setU64(MSGHDR.msg_controllen, control.length);
  return { header, vector, payload, control };
}

/** Sends `payload`, which must not be empty, with descriptors beside it (SCM_RIGHTS). */
export function sendMessage(fd: number, payload: Uint8Array, descriptors: readonly number[] = []): void {
  const control = new Struct(descriptors.length === 0 ? 0 : CMSGHDR.size + ((descriptors.length * 4 + 7) & ~7));
  if (descriptors.length > 0) {
    control
      .setU64(CMSGHDR.cmsg_len, CMSGHDR.size + descriptors.length * 4)
      .setU32(CMSGHDR.cmsg_level, C.SOL_SOCKET)
      .setU32(CMSGHDR.cmsg_type, C.SCM_RIGHTS);
    descriptors.forEach((descriptor, index) => {
      control.setI32(CMSGHDR.size + index * 4, descriptor);
    });
  }
  const parts = message(payload, control.bytes);
  for (;;) {
    const sent = libc.sendmsg(fd, parts.header.bytes, C.MSG_NOSIGNAL);
    if (sent === -1 && host.errno() === EINTR) continue;
    checked(sent, "sendmsg(2)", `descriptor ${fd}`);
    if (sent < payload.length) sendMessage(fd, payload.subarray(sent)); // a stream had no room for all
    return;
  }
}

/** What arrived: the bytes, and any descriptors, which are close-on-exec and the caller's to close. */
export interface Received {
  readonly payload: Uint8Array;
  readonly descriptors: readonly number[];
}

/**
 * Receives one message of at most `limitBytes` from a socket that keeps messages apart; undefined when the other side has closed. `flags` such as
 * MSG_DONTWAIT.
 */
export function receiveMessage(fd: number, limitBytes: number, flags = 0): Received | undefined {
  // Room for the message, not for the longest that there may be: all of it would be written with zeros first.
  const awaited = restarted(() => libc.recv(fd, null, 0, C.MSG_PEEK | C.MSG_TRUNC | flags), "recv(2)", fd);
  const control = new Struct(CMSGHDR.size + 16);
  // One without a byte is received too: it would stay before all others. It looks like the end.
  const parts = message(new Uint8Array(Math.max(1, Math.min(awaited, limitBytes))), control.bytes);
  const length = restarted(() => libc.recvmsg(fd, parts.header.bytes, C.MSG_CMSG_CLOEXEC | flags), "recvmsg(2)", fd);
  const descriptors: number[] = [];
  const controlLength = parts.header.u64(MSGHDR.msg_controllen);
  if (controlLength >= CMSGHDR.size && control.u32(CMSGHDR.cmsg_type) === C.SCM_RIGHTS)
    for (let offset = CMSGHDR.size; offset + 4 <= control.u64(CMSGHDR.cmsg_len); offset += 4)
      descriptors.push(control.i32(offset));
  if (length === 0) {
    for (const descriptor of descriptors) close(descriptor);
    return undefined;
  }
  return { payload: parts.payload.subarray(0, length), descriptors };
}

/** The result of a call that is made again after a signal. */
function restarted(call: () => number, name: string, fd: number): number {
  let result = -1;
  do {
    result = call();
  } while (result === -1 && host.errno() === EINTR);
  return checked(result, name, `descriptor ${fd}`);
}
