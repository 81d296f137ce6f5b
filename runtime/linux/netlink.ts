/** Requests to the kernel's network configuration. Source: netlink(7), rtnetlink(7). */
import { host } from "#host";
import { EINTR } from "../errors/errno.ts";
import { SyscallError } from "../errors/errors.ts";
import { checked } from "../libc/call.ts";
import * as C from "../libc/constants.ts";
import { close } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import { Struct } from "../libc/memory.ts";
import { NLMSGHDR, RTATTR } from "../libc/structs.ts";

const NETLINK_ROUTE = 0;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const NLM_F_REQUEST = 1;
const NLM_F_ACK = 4;
export const NLM_F_DUMP = 0x300;
/** As much as the kernel puts into one answer of a dump. */
const BUFFER_BYTES = 32768;

function aligned(length: number): number {
  return (length + 3) & ~3;
}

/** The parts one after another, each from an address that 4 divides. */
export function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((length, part) => length + aligned(part.length), 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += aligned(part.length);
  }
  return whole;
}

/** struct rtattr and its content. */
export function attribute(type: number, content: Uint8Array): Uint8Array {
  const whole = new Struct(RTATTR.size + content.length)
    .setU16(RTATTR.rta_len, RTATTR.size + content.length)
    .setU16(RTATTR.rta_type, type);
  whole.bytes.set(content, RTATTR.size);
  return whole.bytes;
}

/** The attributes behind the first `offset` bytes of a message: content by type. */
export function attributesOf(message: Uint8Array, offset: number): Map<number, Uint8Array> {
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  const found = new Map<number, Uint8Array>();
  for (let at = offset; at + RTATTR.size <= message.length; ) {
    const length = view.getUint16(at + RTATTR.rta_len, true);
    if (length < RTATTR.size || at + length > message.length) break;
    found.set(view.getUint16(at + RTATTR.rta_type, true), message.slice(at + RTATTR.size, at + length));
    at += aligned(length);
  }
  return found;
}

/** A socket to the network namespace in which it was made. */
export class Netlink {
  readonly #fd: number;
  #sequence = 0;

  constructor() {
    this.#fd = checked(
      libc.socket(C.AF_NETLINK, C.SOCK_RAW | C.SOCK_CLOEXEC, NETLINK_ROUTE),
      "socket(2)",
      "AF_NETLINK",
    );
  }

  close(): void {
    close(this.#fd);
  }

  /** Sends a message and returns what is answered, without headers. Throws SyscallError with `subject`. */
  request(type: number, flags: number, payload: Uint8Array, subject: string): Uint8Array[] {
    const sequence = ++this.#sequence;
    const header = new Struct(NLMSGHDR.size)
      .setU32(NLMSGHDR.nlmsg_len, NLMSGHDR.size + payload.length)
      .setU16(NLMSGHDR.nlmsg_type, type)
      .setU16(NLMSGHDR.nlmsg_flags, NLM_F_REQUEST | (flags === NLM_F_DUMP ? flags : flags | NLM_F_ACK))
      .setU32(NLMSGHDR.nlmsg_seq, sequence);
    const message = concatenate([header.bytes, payload]);
    checked(libc.send(this.#fd, message, message.length, 0), "send(2)", "netlink");
    const answers: Uint8Array[] = [];
    while (this.#receive(sequence, answers, subject));
    return answers;
  }

  /** Takes one datagram; false when it was the last of the answer. */
  #receive(sequence: number, answers: Uint8Array[], subject: string): boolean {
    const buffer = new Struct(BUFFER_BYTES);
    let length = -1;
    do {
      length = libc.recv(this.#fd, buffer.bytes, BUFFER_BYTES, 0);
    } while (length === -1 && host.errno() === EINTR);
    checked(length, "recv(2)", "netlink");
    for (let at = 0; at + NLMSGHDR.size <= length; at += aligned(buffer.u32(at + NLMSGHDR.nlmsg_len))) {
      const end = at + buffer.u32(at + NLMSGHDR.nlmsg_len);
      if (end < at + NLMSGHDR.size || end > length) break;
      if (buffer.u32(at + NLMSGHDR.nlmsg_seq) !== sequence) continue;
      const type = buffer.u16(at + NLMSGHDR.nlmsg_type);
      if (type === NLMSG_DONE) return false;
      if (type === NLMSG_ERROR) {
        const errno = -buffer.i32(at + NLMSGHDR.size);
        if (errno === 0) return false;
        throw new SyscallError("netlink(7)", subject, errno);
      }
      answers.push(buffer.bytes.slice(at + NLMSGHDR.size, end));
    }
    return true;
  }
}
