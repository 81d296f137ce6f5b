/** Unix sockets: pairs, connections, and descriptors sent over them (unix(7), cmsg(3)). */
import { host } from "#host";
import { EINTR } from "../errors/errno.ts";
import { RegError, SyscallError } from "../errors/errors.ts";
import { checked } from "./call.ts";
import * as C from "./constants.ts";
import { close } from "./file.ts";
import { libc } from "./libc.ts";
import { Struct } from "./memory.ts";

const MSGHDR_SIZE = 56;
const CMSG_HEADER_SIZE = 16;

/** socketpair(2), close-on-exec. `type` is SOCK_STREAM or SOCK_SEQPACKET. */
export function socketPair(type: number): readonly [number, number] {
  const fds = new Struct(8);
  checked(libc.socketpair(C.AF_UNIX, type | C.SOCK_CLOEXEC, 0, fds.bytes), "socketpair(2)", "AF_UNIX");
  return [fds.i32(0), fds.i32(4)];
}

/** A connection to the unix socket at `path`. Throws RegError ENAMETOOLONG beyond 107 bytes. */
export function connectUnix(path: string, type = C.SOCK_STREAM): number {
  const name = host.encode(path);
  if (name.length > 107)
    throw new RegError("ENAMETOOLONG", `connect(2) ${path}: a unix socket's path has at most 107 bytes`);
  const address = new Struct(110).setU16(0, C.AF_UNIX);
  address.bytes.set(name, 2);
  const fd = checked(libc.socket(C.AF_UNIX, type | C.SOCK_CLOEXEC, 0), "socket(2)", "AF_UNIX");
  if (libc.connect(fd, address.bytes, 2 + name.length + 1) === -1) {
    const errno = host.errno();
    close(fd);
    throw new SyscallError("connect(2)", path, errno);
  }
  return fd;
}

/** A msghdr over one buffer and one control block; the parts are returned so that they stay referenced. */
function message(payload: Uint8Array, control: Uint8Array) {
  const vector = new Struct(16).setPointer(0, payload).setU64(8, payload.length);
  const header = new Struct(MSGHDR_SIZE).setPointer(16, vector.bytes).setU64(24, 1);
  if (control.length > 0) header.setPointer(32, control).setU64(40, control.length);
  return { header, vector, payload, control };
}

/** Sends `payload`, which must not be empty, with descriptors beside it (SCM_RIGHTS). */
export function sendMessage(fd: number, payload: Uint8Array, descriptors: readonly number[] = []): void {
  const control = new Struct(descriptors.length === 0 ? 0 : CMSG_HEADER_SIZE + ((descriptors.length * 4 + 7) & ~7));
  if (descriptors.length > 0) {
    control
      .setU64(0, CMSG_HEADER_SIZE + descriptors.length * 4)
      .setU32(8, C.SOL_SOCKET)
      .setU32(12, C.SCM_RIGHTS);
    descriptors.forEach((descriptor, index) => {
      control.setI32(CMSG_HEADER_SIZE + index * 4, descriptor);
    });
  }
  const parts = message(payload, control.bytes);
  for (;;) {
    const sent = libc.sendmsg(fd, parts.header.bytes, C.MSG_NOSIGNAL);
    if (sent === -1 && host.errno() === EINTR) continue;
    checked(sent, "sendmsg(2)", `descriptor ${fd}`);
    return;
  }
}

/** What arrived: the bytes, and any descriptors, which are close-on-exec and the caller's to close. */
export interface Received {
  readonly payload: Uint8Array;
  readonly descriptors: readonly number[];
}

/** Receives one message of at most `limitBytes`; undefined when the other side has closed. */
export function receiveMessage(fd: number, limitBytes: number): Received | undefined {
  const control = new Struct(CMSG_HEADER_SIZE + 16);
  const parts = message(new Uint8Array(limitBytes), control.bytes);
  let length = -1;
  do {
    length = libc.recvmsg(fd, parts.header.bytes, C.MSG_CMSG_CLOEXEC);
  } while (length === -1 && host.errno() === EINTR);
  checked(length, "recvmsg(2)", `descriptor ${fd}`);
  if (length === 0) return undefined;
  const descriptors: number[] = [];
  const controlLength = parts.header.u64(40);
  if (controlLength >= CMSG_HEADER_SIZE && control.u32(12) === C.SCM_RIGHTS)
    for (let offset = CMSG_HEADER_SIZE; offset + 4 <= control.u64(0); offset += 4)
      descriptors.push(control.i32(offset));
  return { payload: parts.payload.subarray(0, length), descriptors };
}
