/** One end of the channel between the runtime and init: JSON messages, descriptors beside them. */
import { host } from "#host";
import { ECONNRESET, EPIPE } from "../errors/errno.ts";
import { RegError } from "../errors/errors.ts";
import { close, isErrno, read, writeAll } from "../libc/file.ts";
import { type Received as Message, receiveMessage, sendMessage } from "../libc/socket.ts";

/** The largest message. An error with every fault of a large config is the longest there is. */
const LIMIT_BYTES = 64 * 1024;

function encoded(message: unknown): Uint8Array {
  const bytes = host.encode(JSON.stringify(message));
  if (bytes.length <= LIMIT_BYTES) return bytes;
  throw new RegError("EMSGSIZE", `a message of ${bytes.length} bytes for the other side, which takes ${LIMIT_BYTES}`);
}

function decoded<Received>(bytes: Uint8Array): Received {
  let message: unknown;
  try {
    message = JSON.parse(host.decode(bytes));
  } catch {
    // Told below as what it is: no message.
  }
  if (typeof message === "object" && message !== null) return message as Received;
  throw new RegError("EPROTO", "the other side sent what is no message");
}

export class Channel<Sent, Received> {
  readonly fd: number;

  constructor(fd: number) {
    this.fd = fd;
  }

  /** Sends a message. Throws SyscallError EPIPE when the other side has gone. */
  send(message: Sent, descriptors: readonly number[] = []): void {
    sendMessage(this.fd, encoded(message), descriptors);
  }

  /**
   * As send and receive, by write(2) and read(2), which every program needs and every filter allows; descriptors are lost.
   * SIGPIPE ends a process whose other side has gone.
   */
  write(message: Sent): void {
    writeAll(this.fd, encoded(message), "the channel");
  }

  read(): Received | undefined {
    const buffer = new Uint8Array(4096);
    const count = read(this.fd, buffer);
    return count === 0 ? undefined : decoded(buffer.subarray(0, count));
  }

  /** As send, to one who may have gone: what it said before that, such as why, is for `receive` to give. */
  tell(message: Sent, descriptors: readonly number[] = []): void {
    try {
      this.send(message, descriptors);
    } catch (error) {
      if (!isErrno(error, EPIPE, ECONNRESET)) throw error;
    }
  }

  /** The next message and its descriptors; undefined when the other side has closed its end. */
  receive(): { readonly message: Received; readonly descriptors: readonly number[] } | undefined {
    const received = this.#next();
    if (received === undefined) return undefined;
    return { message: decoded(received.payload), descriptors: received.descriptors };
  }

  /**
   * An end that closes with something unread says ECONNRESET here, once, and before what it has sent: that is still there.
   */
  #next(): Message | undefined {
    try {
      return receiveMessage(this.fd, LIMIT_BYTES);
    } catch (error) {
      if (!isErrno(error, ECONNRESET)) throw error;
      return receiveMessage(this.fd, LIMIT_BYTES);
    }
  }

  close(): void {
    close(this.fd);
  }
}
