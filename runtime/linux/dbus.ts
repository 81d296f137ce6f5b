/**
 * A small D-Bus client over a unix socket: what talking to systemd takes. Synchronous; one call at a time, and signals
 * that arrive meanwhile are kept. Source: D-Bus specification, "Message Protocol" and "Authentication Protocol".
 */
import { host } from "#host";
import { EINTR } from "../errors/errno.ts";
import { RegError, SyscallError } from "../errors/errors.ts";
import * as C from "../libc/constants.ts";
import { close } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import { poll } from "../libc/poll.ts";
import { connectUnix } from "../libc/socket.ts";
import { DbusReader, type DbusValue, DbusWriter, type Variant } from "./dbus-marshalling.ts";

const METHOD_CALL = 1;
const METHOD_RETURN = 2;
const ERROR = 3;
const NO_REPLY_EXPECTED = 1;

export interface DbusMessage {
  readonly type: number;
  readonly serial: number;
  readonly replySerial?: number;
  readonly path?: string;
  readonly interface?: string;
  readonly member?: string;
  readonly errorName?: string;
  readonly destination?: string;
  readonly signature: string;
  readonly body: readonly DbusValue[];
}

/** What a method call is made of. */
export interface DbusCall {
  /** Left out on a connection without a bus. */
  readonly destination?: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly signature?: string;
  readonly values?: readonly DbusValue[];
}

/** Header fields in the specification's numbering: [code, name, type]. */
const FIELDS: readonly (readonly [code: number, name: keyof DbusMessage, type: string])[] = [
  [1, "path", "o"],
  [2, "interface", "s"],
  [3, "member", "s"],
  [4, "errorName", "s"],
  [5, "replySerial", "u"],
  [6, "destination", "s"],
  [8, "signature", "g"],
];

/** A message as bytes. */
export function encodeMessage(
  message: Partial<DbusMessage> & Pick<DbusMessage, "type" | "serial">,
  flags = 0,
): Uint8Array {
  const body = new DbusWriter().writeAll(message.signature ?? "", message.body ?? []).finish();
  const writer = new DbusWriter().byte(0x6c).byte(message.type).byte(flags).byte(1); // "l": little-endian; version 1
  writer.uint32(body.length).uint32(message.serial);
  const fields: DbusValue[] = [];
  for (const [code, name, type] of FIELDS) {
    const value = message[name];
    if (value !== undefined && value !== "") fields.push([code, { signature: type, value: value as DbusValue }]);
  }
  writer.write("a(yv)", fields).align(8);
  const header = writer.finish();
  const bytes = new Uint8Array(header.length + body.length);
  bytes.set(header);
  bytes.set(body, header.length);
  return bytes;
}

/** How long the message that begins here is; undefined while its first 16 bytes are not all there. */
function messageLength(bytes: Uint8Array): number | undefined {
  if (bytes.length < 16) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes[0] !== 0x6c) throw new RegError("EBADMSG", "the D-Bus peer is not little-endian");
  return Math.ceil((16 + view.getUint32(12, true)) / 8) * 8 + view.getUint32(4, true);
}

export function decodeMessage(bytes: Uint8Array): DbusMessage {
  const reader = new DbusReader(bytes, 1);
  const type = reader.byte();
  reader.byte();
  reader.byte();
  reader.uint32();
  const serial = reader.uint32();
  const message: Record<string, DbusValue> = { type, serial, signature: "" };
  for (const field of reader.read("a(yv)") as readonly [number, Variant][]) {
    const known = FIELDS.find(([code]) => code === field[0]);
    if (known !== undefined) message[known[1]] = field[1].value;
  }
  const start = Math.ceil(reader.at / 8) * 8;
  message.body = new DbusReader(bytes, start).readAll(String(message.signature));
  return message as unknown as DbusMessage;
}

/** The error reply of a call. `code` is the D-Bus error's name, such as org.freedesktop.systemd1.UnitExists. */
export class DbusError extends RegError {}

const TIMEOUT_MS = 30_000;

/** A connection to a bus, or without one to a service's private socket. */
export class DbusConnection {
  readonly #fd: number;
  readonly #path: string;
  readonly #bus: boolean;
  #received: Uint8Array = new Uint8Array(0);
  #signals: DbusMessage[] = [];
  #serial = 0;
  #authenticated = false;
  /** What waits for the next `call`: one write saves the peer a wakeup. */
  #outgoing: Uint8Array[] = [];

  /** Connects. `bus`: a message bus, which has to be greeted; otherwise the peer is the service itself. */
  constructor(path: string, bus: boolean) {
    this.#path = path;
    this.#bus = bus;
    this.#fd = connectUnix(path);
    // The peer takes our uid from the socket: the one we could name is wrong in a user namespace. Nothing here depends
    // on the answers, so all of it goes out at once, with the first call.
    this.#outgoing.push(host.encode("\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n"));
    if (bus) this.post({ ...BUS, member: "Hello" });
  }

  close(): void {
    close(this.#fd);
  }

  /** Queues a call whose answer is of no interest. */
  post(call: DbusCall): void {
    this.#queue(call, NO_REPLY_EXPECTED);
  }

  #queue(call: DbusCall, flags: number): number {
    const { values, destination, ...rest } = call;
    const message = { ...rest, type: METHOD_CALL, serial: ++this.#serial, body: values ?? [] };
    this.#outgoing.push(
      encodeMessage(this.#bus && destination !== undefined ? { ...message, destination } : message, flags),
    );
    return this.#serial;
  }

  /** Asks the bus for the signals that the rule describes; a private socket sends its signals unasked. */
  subscribe(rule: string): void {
    if (this.#bus) this.post({ ...BUS, member: "AddMatch", signature: "s", values: [rule] });
  }

  /** A method call. Returns the reply's values; throws DbusError for an error reply. */
  call(call: DbusCall): readonly DbusValue[] {
    const serial = this.#queue(call, 0);
    this.#flush();
    for (;;) {
      const message = this.#receive(`${call.member} of ${call.interface}`);
      if (message.replySerial !== serial) {
        if (message.type !== METHOD_RETURN && message.type !== ERROR) this.#signals.push(message);
        continue;
      }
      if (message.type !== ERROR) return message.body;
      const name = message.errorName ?? "unknown";
      throw new DbusError(name, `D-Bus call ${call.member}: ${String(message.body[0] ?? name)} (${name})`);
    }
  }

  /** The next signal of this name, among those that arrived and then among those to come, that `accept` takes. */
  waitForSignal(member: string, accept: (body: readonly DbusValue[]) => boolean): readonly DbusValue[] {
    for (;;) {
      const index = this.#signals.findIndex((one) => one.member === member && accept(one.body));
      const found = this.#signals[index];
      if (found !== undefined) {
        this.#signals.splice(index, 1);
        return found.body;
      }
      this.#signals.push(this.#receive(`the signal ${member}`));
    }
  }

  #flush(): void {
    let length = 0;
    for (const part of this.#outgoing) length += part.length;
    const bytes = new Uint8Array(length);
    let at = 0;
    for (const part of this.#outgoing) {
      bytes.set(part, at);
      at += part.length;
    }
    this.#outgoing = [];
    for (let rest = bytes; rest.length > 0; ) {
      const count = libc.send(this.#fd, rest, rest.length, C.MSG_NOSIGNAL);
      if (count === -1 && host.errno() === EINTR) continue;
      if (count === -1) throw new SyscallError("send(2)", this.#path, host.errno());
      rest = rest.subarray(count);
    }
  }

  /** More bytes from the peer, within the timeout. */
  #fill(what: string): void {
    const [ready] = poll([[this.#fd, C.POLLIN]], TIMEOUT_MS);
    if (!ready)
      throw new RegError(
        "ETIMEDOUT",
        `D-Bus: no answer from ${this.#path} in ${TIMEOUT_MS / 1000} s, waiting for ${what}`,
      );
    const buffer = new Uint8Array(16384);
    const count = libc.recv(this.#fd, buffer, buffer.length, 0);
    if (count === -1 && host.errno() === EINTR) return;
    if (count === -1) throw new SyscallError("recv(2)", this.#path, host.errno());
    if (count === 0)
      throw new RegError("ECONNRESET", `D-Bus: ${this.#path} closed the connection, waiting for ${what}`, {
        hint: "the bus does not accept this user: as another user than root, ask the user's own bus (--rootless=true)",
      });
    const joined = new Uint8Array(this.#received.length + count);
    joined.set(this.#received);
    joined.set(buffer.subarray(0, count), this.#received.length);
    this.#received = joined;
  }

  #authenticate(): void {
    // "DATA", then "OK guid", each a line; messages follow at once.
    for (;;) {
      const end = this.#received.indexOf(10);
      if (end < 0) {
        this.#fill("authentication");
        continue;
      }
      const line = host.decode(this.#received.subarray(0, end)).trim();
      this.#received = this.#received.subarray(end + 1);
      if (line.startsWith("OK")) break;
      if (!line.startsWith("DATA")) throw new RegError("EACCES", `D-Bus: ${this.#path} refuses this user: ${line}`);
    }
    this.#authenticated = true;
  }

  #receive(what: string): DbusMessage {
    if (!this.#authenticated) this.#authenticate();
    for (;;) {
      const length = messageLength(this.#received);
      if (length !== undefined && this.#received.length >= length) {
        const bytes = this.#received.slice(0, length);
        this.#received = this.#received.subarray(length);
        return decodeMessage(bytes);
      }
      this.#fill(what);
    }
  }
}

const BUS = {
  destination: "org.freedesktop.DBus",
  path: "/org/freedesktop/DBus",
  interface: "org.freedesktop.DBus",
} as const;
