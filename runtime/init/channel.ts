/** One end of the channel between the runtime and init: JSON messages, descriptors beside them. */
import { host } from "#host";
import { ECONNRESET, EPIPE } from "../errors/errno.ts";
import { close, isErrno, read, writeAll } from "../libc/file.ts";
import { type Received as Message, receiveMessage, sendMessage } from "../libc/socket.ts";

/** The largest message. An error with every fault of a large config is the longest there is. */
const LIMIT_BYTES = 64 * 1024;

export class Channel<Sent, Received> {
  readonly fd: number;

  constructor(fd: number) {
    this.fd = fd;
  }

  /** Sends a message. Throws SyscallError EPIPE when the other side has gone. */
  send(message: Sent, descriptors: readonly number[] = []): void {
    sendMessage(this.fd, host.encode(JSON.stringify(message)).subarray(0, LIMIT_BYTES), descriptors);
  }

  /**
   * As send and receive, by write(2) and read(2), which every program needs and every filter allows; descriptors are lost.
   * SIGPIPE ends a process whose other side has gone.
   */
  write(message: Sent): void {
    writeAll(this.fd, host.encode(JSON.stringify(message)).subarray(0, LIMIT_BYTES), "the channel");
  }

  read(): Received | undefined {
    const buffer = new Uint8Array(4096);
    const count = read(this.fd, buffer);
    return count === 0 ? undefined : (JSON.parse(host.decode(buffer.subarray(0, count))) as Received);
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
    return { message: JSON.parse(host.decode(received.payload)) as Received, descriptors: received.descriptors };
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
