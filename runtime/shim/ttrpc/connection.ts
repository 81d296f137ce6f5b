/**
 * A ttRPC connection: frames in, frames out, without ever waiting for the other side. Source: containerd/ttrpc PROTOCOL.md.
 *
 *   length u32 | stream u32 | type u8 | flags u8 | data          (big-endian; length is that of the data)
 */
import { host } from "#host";
import { EAGAIN, EINTR } from "../../errors/errno.ts";
import * as C from "../../libc/constants.ts";
import { close } from "../../libc/file.ts";
import { libc } from "../../libc/libc.ts";
import type { Loop, Watch } from "../loop.ts";

export const REQUEST_FRAME = 1;
export const RESPONSE_FRAME = 2;
export const DATA_FRAME = 3;

const HEADER_BYTES = 10;
/** The largest frame that either side takes. */
export const LIMIT_BYTES = 4 * 1024 * 1024;
/** How much is read before others have their turn. */
const BLOCK_BYTES = 4096;

export interface Frame {
  readonly stream: number;
  readonly type: number;
  /** Absent: it was larger than LIMIT_BYTES, and thrown away. */
  readonly data?: Uint8Array;
}

export interface Listener {
  frame(frame: Frame): void;
  /** The other side has gone. The connection is closed already. */
  closed(): void;
}

/** One block for all connections: what is in it has been taken out before the next one reads. */
let block: Uint8Array | undefined;

export class Connection {
  readonly #fd: number;
  readonly #watch: Watch;
  readonly #listener: Listener;
  /** The beginning of a frame whose end has not come. */
  #rest: Uint8Array = new Uint8Array(0);
  /** How much of a frame that is too large has still to be thrown away. */
  #discard = 0;
  #queue: Uint8Array[] = [];
  #open = true;

  constructor(fd: number, loop: Loop, listener: (connection: Connection) => Listener) {
    this.#fd = fd;
    this.#listener = listener(this);
    this.#watch = loop.watchFirst(fd, C.EPOLLIN, (events) => this.#ready(events));
  }

  get open(): boolean {
    return this.#open;
  }

  /** Whether all that was sent has left. */
  get flushed(): boolean {
    return this.#queue.length === 0;
  }

  send(stream: number, type: number, data: Uint8Array): void {
    if (!this.#open) return;
    const frame = new Uint8Array(HEADER_BYTES + data.length);
    const view = new DataView(frame.buffer);
    view.setUint32(0, data.length);
    view.setUint32(4, stream);
    view.setUint8(8, type);
    frame.set(data, HEADER_BYTES);
    this.#queue.push(frame);
    if (this.#queue.length === 1) this.#write();
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#queue = [];
    this.#watch.stop();
    close(this.#fd);
  }

  #end(): void {
    if (!this.#open) return;
    this.close();
    this.#listener.closed();
  }

  #ready(events: number): void {
    if ((events & C.EPOLLOUT) !== 0) this.#write();
    if (this.#open && (events & (C.EPOLLIN | C.EPOLLHUP | C.EPOLLERR)) !== 0) this.#read();
  }

  #write(): void {
    while (this.#open) {
      const [first] = this.#queue;
      if (first === undefined) break;
      const count = libc.send(this.#fd, first, first.length, C.MSG_NOSIGNAL | C.MSG_DONTWAIT);
      if (count === -1) {
        const errno = host.errno();
        if (errno === EINTR) continue;
        if (errno === EAGAIN) break;
        this.#end(); // gone, whatever the kernel calls it
        return;
      }
      if (count === first.length) this.#queue.shift();
      else this.#queue[0] = first.subarray(count);
    }
    if (this.#open) this.#watch.change(this.#queue.length === 0 ? C.EPOLLIN : C.EPOLLIN | C.EPOLLOUT);
  }

  #read(): void {
    block ??= new Uint8Array(BLOCK_BYTES);
    const count = libc.recv(this.#fd, block, block.length, C.MSG_DONTWAIT);
    if (count === -1 && (host.errno() === EAGAIN || host.errno() === EINTR)) return;
    if (count <= 0) this.#end();
    else this.#take(block.subarray(0, count));
  }

  /** Cuts what came into frames. */
  #take(came: Uint8Array): void {
    let bytes = came;
    if (this.#rest.length > 0) {
      bytes = new Uint8Array(this.#rest.length + came.length);
      bytes.set(this.#rest);
      bytes.set(came, this.#rest.length);
      this.#rest = new Uint8Array(0);
    }
    while (this.#open && bytes.length > 0) {
      if (this.#discard > 0) {
        const dropped = Math.min(this.#discard, bytes.length);
        this.#discard -= dropped;
        bytes = bytes.subarray(dropped);
        continue;
      }
      if (bytes.length < HEADER_BYTES) break;
      const view = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
      const length = view.getUint32(0);
      const frame = { stream: view.getUint32(4), type: view.getUint8(8) };
      if (length > LIMIT_BYTES) {
        this.#discard = length;
        bytes = bytes.subarray(HEADER_BYTES);
        this.#listener.frame(frame);
        continue;
      }
      if (bytes.length < HEADER_BYTES + length) break;
      const data = bytes.slice(HEADER_BYTES, HEADER_BYTES + length);
      bytes = bytes.subarray(HEADER_BYTES + length);
      this.#listener.frame({ ...frame, data });
    }
    if (this.#open && bytes.length > 0) this.#rest = bytes.slice();
  }
}
