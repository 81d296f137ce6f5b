/** A ttRPC client, for the one service that the shim calls: containerd's events. */
import * as C from "../../libc/constants.ts";
import { connectUnix } from "../../libc/socket.ts";
import { decode, encode } from "../../linux/protobuf.ts";
import type { Loop } from "../loop.ts";
import { REQUEST, RESPONSE } from "../proto/ttrpc.ts";
import { Connection, REQUEST_FRAME } from "./connection.ts";
import { CallError } from "./status.ts";

interface Pending {
  readonly resolve: (payload: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
}

/** The other side has gone, or is not there. */
export class Disconnected extends Error {}

export class Client {
  readonly #path: string;
  readonly #loop: Loop;
  #connection: Connection | undefined;
  #stream = 1;
  readonly #pending = new Map<number, Pending>();

  /** `path` is that of a unix socket. It is connected when it is first used, and again when the connection was lost. */
  constructor(path: string, loop: Loop) {
    this.#path = path;
    this.#loop = loop;
  }

  /** Calls a method. Rejects with CallError for what the other side says, with Disconnected when it is not there, or goes. */
  call(service: string, method: string, payload: Uint8Array, timeoutMs: number): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const connection = this.#connect();
      const stream = this.#stream;
      this.#stream += 2;
      const timer = this.#loop.after(timeoutMs, () => this.#fail(new Disconnected(`${this.#path}: no answer`)));
      const settle =
        <T>(action: (value: T) => void) =>
        (value: T) => {
          timer.cancel();
          this.#pending.delete(stream);
          action(value);
        };
      this.#pending.set(stream, { resolve: settle(resolve), reject: settle(reject) });
      const request = { service, method, payload, timeoutNano: timeoutMs * 1_000_000 };
      connection.send(stream, REQUEST_FRAME, encode(REQUEST, request));
    });
  }

  #connect(): Connection {
    if (this.#connection?.open === true) return this.#connection;
    let fd: number;
    try {
      fd = connectUnix(this.#path, C.SOCK_STREAM | C.O_NONBLOCK); // connected at once, or not at all: unix(7)
    } catch (error) {
      throw new Disconnected(error instanceof Error ? error.message : String(error));
    }
    this.#stream = 1;
    this.#connection = new Connection(fd, this.#loop, () => ({
      frame: ({ stream, data }) => {
        const pending = this.#pending.get(stream);
        if (pending === undefined || data === undefined) return;
        const { status, payload } = decode(RESPONSE, data);
        if (status === undefined || status.code === 0) pending.resolve(payload);
        else pending.reject(new CallError(status.code, status.message));
      },
      closed: () => this.#fail(new Disconnected(`${this.#path}: connection closed`)),
    }));
    return this.#connection;
  }

  #fail(error: Disconnected): void {
    this.#connection?.close();
    this.#connection = undefined;
    for (const { reject } of [...this.#pending.values()]) reject(error);
  }
}
