/** The server of a ttRPC socket: calls in, answers out, in any order. Source: containerd/ttrpc PROTOCOL.md. */
import { host } from "#host";
import { EAGAIN } from "../../errors/errno.ts";
import { SyscallError } from "../../errors/errors.ts";
import * as C from "../../libc/constants.ts";
import { close } from "../../libc/file.ts";
import { libc } from "../../libc/libc.ts";
import { Struct } from "../../libc/memory.ts";
import { UCRED } from "../../libc/structs.ts";
import { nowMs } from "../../linux/cgroup/wait.ts";
import { decode, encode, type GivenMessage, type Message, type MessageTable } from "../../linux/protobuf.ts";
import type { Loop, Watch } from "../loop.ts";
import { REQUEST, RESPONSE } from "../proto/ttrpc.ts";
import { Connection, DATA_FRAME, type Frame, LIMIT_BYTES, REQUEST_FRAME, RESPONSE_FRAME } from "./connection.ts";
import { CallError, CODE, describe, unimplemented } from "./status.ts";

/** A method: takes an encoded request and gives an encoded answer, now or later. */
export type Method = (request: Uint8Array) => Uint8Array | Promise<Uint8Array>;
export type Service = Readonly<Record<string, Method>>;

/** A method from a function over messages. */
export function method<In extends MessageTable, Out extends MessageTable>(
  request: In,
  response: Out,
  call: (message: Message<In>) => GivenMessage<Out> | Promise<GivenMessage<Out>>,
): Method {
  return (bytes) => {
    const answer = call(decodeRequest(request, bytes));
    return answer instanceof Promise ? answer.then((message) => encode(response, message)) : encode(response, answer);
  };
}

/** A service whose code is loaded by the first call of one of its methods. */
export function lazily(names: readonly string[], load: () => Promise<Service>): Service {
  let loading: Promise<Service> | undefined;
  const call = async (name: string, request: Uint8Array) => {
    loading ??= load();
    const found = (await loading)[name];
    if (found === undefined) throw unimplemented(`method ${name}`);
    return found(request);
  };
  return Object.fromEntries(names.map((name) => [name, (request) => call(name, request)]));
}

function decodeRequest<T extends MessageTable>(table: T, bytes: Uint8Array): Message<T> {
  try {
    return decode(table, bytes);
  } catch {
    throw new CallError(CODE.invalidArgument, "the request is no message of its type");
  }
}

/** So long nobody new is let in when there are no descriptors: that somebody waits would be told all the time. */
const FULL_MS = 100;

export class Server {
  readonly #loop: Loop;
  readonly #listener: Watch;
  readonly #services: Readonly<Record<string, Service>>;
  readonly #connections = new Set<Connection>();

  /** Serves the connections of a listening socket. `services` by their full names. */
  constructor(listening: number, loop: Loop, services: Readonly<Record<string, Service>>) {
    this.#loop = loop;
    this.#services = services;
    this.#listener = loop.watch(listening, C.EPOLLIN, () => this.#accept(listening));
  }

  /** How many are connected. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Whether every answer has left. */
  get flushed(): boolean {
    for (const connection of this.#connections) if (!connection.flushed) return false;
    return true;
  }

  #accept(listening: number): void {
    const fd = libc.accept4(listening, null, null, C.SOCK_CLOEXEC | C.O_NONBLOCK);
    if (fd === -1) {
      if (host.errno() === EAGAIN) return; // whoever was there has gone
      const error = new SyscallError("accept4(2)", "the shim's socket", host.errno());
      this.#listener.change(0);
      this.#loop.after(FULL_MS, () => this.#listener.change(C.EPOLLIN));
      throw error;
    }
    if (!isOwn(fd)) {
      close(fd);
      return;
    }
    const connection = new Connection(fd, this.#loop, (self) => {
      const streams = new Streams();
      return {
        frame: (frame) => this.#serve(self, streams, frame),
        closed: () => this.#connections.delete(self),
      };
    });
    this.#connections.add(connection);
  }

  #serve(connection: Connection, streams: Streams, frame: Frame): void {
    const { stream, type, data } = frame;
    this.#loop.worked();
    const fault = faultOf(frame, streams);
    if (fault !== undefined) answer(connection, stream, undefined, fault);
    if (fault !== undefined || type !== REQUEST_FRAME || data === undefined) return;
    let deadlineMs = Number.POSITIVE_INFINITY;
    // Nobody waits any more for what comes after the deadline: containerd would only complain about it.
    const settle = (payload: Uint8Array | undefined, error?: unknown) => {
      if (deadlineMs === Number.POSITIVE_INFINITY || nowMs() <= deadlineMs) answer(connection, stream, payload, error);
    };
    try {
      const request = decodeRequest(REQUEST, data);
      if (request.timeoutNano > 0) deadlineMs = nowMs() + request.timeoutNano / 1_000_000;
      const result = this.#find(request.service, request.method)(request.payload);
      if (result instanceof Promise) result.then(settle, (error) => settle(undefined, error));
      else settle(result);
    } catch (error) {
      settle(undefined, error);
    }
  }

  #find(service: string, name: string): Method {
    const methods = Object.hasOwn(this.#services, service) ? this.#services[service] : undefined;
    if (methods === undefined) throw unimplemented(`service ${service}`);
    const found = Object.hasOwn(methods, name) ? methods[name] : undefined;
    if (found === undefined) throw unimplemented(`method ${name}`);
    return found;
  }
}

/** What is wrong with a frame that no method sees. Frames of types that are not known are ignored. */
function faultOf({ stream, type, data }: Frame, streams: Streams): CallError | undefined {
  if (type === DATA_FRAME) return new CallError(CODE.invalidArgument, "no streaming method is open");
  if (type !== REQUEST_FRAME) return undefined;
  if (!streams.isNew(stream))
    return new CallError(CODE.invalidArgument, `stream ${stream} is even, or not above those before`);
  if (data === undefined)
    return new CallError(CODE.resourceExhausted, `the message has more than ${LIMIT_BYTES} bytes`);
  return undefined;
}

/** A client's streams have odd numbers that rise. */
class Streams {
  #last = 0;

  isNew(stream: number): boolean {
    if (stream % 2 === 0 || stream <= this.#last) return false;
    this.#last = stream;
    return true;
  }
}

function answer(connection: Connection, stream: number, payload: Uint8Array | undefined, error?: unknown): void {
  let response =
    payload === undefined
      ? encode(RESPONSE, {
          status: { code: error instanceof CallError ? error.status : CODE.unknown, message: describe(error) },
        })
      : encode(RESPONSE, { payload });
  if (response.length > LIMIT_BYTES)
    response = encode(RESPONSE, {
      status: { code: CODE.resourceExhausted, message: `the answer has more than ${LIMIT_BYTES} bytes` },
    });
  connection.send(stream, RESPONSE_FRAME, response);
}

/** Whether the other side has the same user and group: the socket's mode says so too, but not for a descriptor that was passed on. */
function isOwn(fd: number): boolean {
  const credentials = new Struct(UCRED.size);
  const length = new Struct(4).setU32(0, UCRED.size);
  if (libc.getsockopt(fd, C.SOL_SOCKET, C.SO_PEERCRED, credentials.bytes, length.bytes) === -1) return false;
  return credentials.u32(UCRED.uid) === libc.geteuid() && credentials.u32(UCRED.gid) === libc.getegid();
}
