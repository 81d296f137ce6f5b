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

/**
 * A value by its signature: numbers (bigint for 64 bits where they are exact), strings, booleans; arrays and structs are
 * arrays, dictionary entries pairs, byte arrays also Uint8Array, and a variant names its signature.
 */
export type DbusValue = number | bigint | string | boolean | Uint8Array | Variant | readonly DbusValue[];
export interface Variant {
  readonly signature: string;
  readonly value: DbusValue;
}

const ALIGNMENT: Readonly<Record<string, number>> = {
  y: 1,
  g: 1,
  v: 1,
  n: 2,
  q: 2,
  b: 4,
  i: 4,
  u: 4,
  s: 4,
  o: 4,
  a: 4,
  h: 4,
  x: 8,
  t: 8,
  d: 8,
  "(": 8,
  "{": 8,
};

/** How deep containers may lie in each other (D-Bus specification, "Valid Signatures"): arrays and structures, 32 each. */
export const DEEPEST = 64;

/** Where the single complete type that begins at `start` ends. Throws RegError for a signature that is none. */
export function typeEnd(signature: string, start: number, depth = 0): number {
  const first = signature[start];
  if (first === undefined || depth > DEEPEST || !Object.hasOwn(ALIGNMENT, first))
    throw new RegError("EINVAL", `D-Bus signature ${JSON.stringify(signature.slice(0, 256))}: no type at ${start}`);
  if (first === "a") return typeEnd(signature, start + 1, depth + 1);
  if (first !== "(" && first !== "{") return start + 1;
  const closing = first === "(" ? ")" : "}";
  let at = start + 1;
  while (signature[at] !== closing) at = typeEnd(signature, at, depth + 1);
  return at + 1;
}

/** The complete types of a signature: "sa(sv)" is "s" and "a(sv)". */
export function splitTypes(signature: string): string[] {
  const types: string[] = [];
  for (let at = 0; at < signature.length; ) {
    const end = typeEnd(signature, at);
    types.push(signature.slice(at, end));
    at = end;
  }
  return types;
}

/** Writes values in D-Bus's format, little-endian. */
export class DbusWriter {
  #bytes = new Uint8Array(512);
  #view = new DataView(this.#bytes.buffer);
  length = 0;

  /** Makes room for `size` bytes at a multiple of `alignment`, and gives their place. */
  #reserve(size: number, alignment: number): number {
    const at = Math.ceil(this.length / alignment) * alignment;
    this.length = at + size;
    if (this.length > this.#bytes.length) {
      const larger = new Uint8Array(this.length * 2);
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }

  align(alignment: number): this {
    this.#reserve(0, alignment);
    return this;
  }
  byte(value: number): this {
    const at = this.#reserve(1, 1); // before #bytes is read: it may be replaced
    this.#bytes[at] = value;
    return this;
  }
  uint32(value: number): this {
    const at = this.#reserve(4, 4); // before #view is read: it may be replaced
    this.#view.setUint32(at, value, true);
    return this;
  }
  setUint32(at: number, value: number): void {
    this.#view.setUint32(at, value, true);
  }
  #text(bytes: Uint8Array): this {
    if (bytes.includes(0)) throw new RegError("EINVAL", "a D-Bus string holds a NUL byte");
    const at = this.#reserve(bytes.length + 1, 1); // the memory is zeroed: a NUL byte ends it
    this.#bytes.set(bytes, at);
    return this;
  }

  /** One value of one complete type. */
  write(type: string, value: DbusValue): this {
    const mismatch = () => new TypeError(`D-Bus type ${type} does not take ${typeof value}`);
    switch (type[0]) {
      case "y":
        return this.byte(Number(value));
      case "b":
        return this.uint32(value === true ? 1 : 0);
      case "n":
      case "q": {
        const at = this.#reserve(2, 2);
        this.#view.setUint16(at, Number(value), true);
        return this;
      }
      case "i":
      case "u":
      case "h":
        return this.uint32(Number(value));
      case "x":
      case "t": {
        if (typeof value !== "number" && typeof value !== "bigint") throw mismatch();
        const at = this.#reserve(8, 8);
        this.#view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true);
        return this;
      }
      case "d": {
        const at = this.#reserve(8, 8);
        this.#view.setFloat64(at, Number(value), true);
        return this;
      }
      case "s":
      case "o":
      case "g": {
        if (typeof value !== "string") throw mismatch();
        const bytes = host.encode(value);
        return (type === "g" ? this.byte(bytes.length) : this.uint32(bytes.length)).#text(bytes);
      }
      case "v": {
        if (typeof value !== "object" || !("signature" in value)) throw mismatch();
        return this.write("g", value.signature).write(value.signature, value.value);
      }
      case "a":
        return this.#array(type.slice(1), value);
      case "(":
      case "{": {
        if (!Array.isArray(value)) throw mismatch();
        this.align(8);
        return this.writeAll(type.slice(1, -1), value);
      }
      default:
        throw mismatch();
    }
  }

  #array(element: string, value: DbusValue): this {
    if (!Array.isArray(value) && !(value instanceof Uint8Array)) throw new TypeError(`D-Bus array of ${element}`);
    this.uint32(0);
    const lengthAt = this.length - 4;
    this.align(ALIGNMENT[element[0] ?? ""] ?? 1);
    const start = this.length;
    for (const one of value) this.write(element, one);
    this.setUint32(lengthAt, this.length - start);
    return this;
  }

  /** Values of all types of a signature. */
  writeAll(signature: string, values: readonly DbusValue[]): this {
    splitTypes(signature).forEach((type, index) => {
      const value = values[index];
      if (value === undefined) throw new TypeError(`D-Bus signature ${signature} needs more than ${index} values`);
      this.write(type, value);
    });
    return this;
  }
  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }
}

/** Reads values in D-Bus's format. Throws RegError EBADMSG for what does not fit. */
export class DbusReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.at = at;
  }

  #take(size: number, alignment: number): number {
    const at = Math.ceil(this.at / alignment) * alignment;
    this.at = at + size;
    if (this.at > this.#bytes.length) throw new RegError("EBADMSG", "a D-Bus message ends too early");
    return at;
  }
  byte(): number {
    return this.#view.getUint8(this.#take(1, 1));
  }
  uint32(): number {
    return this.#view.getUint32(this.#take(4, 4), true);
  }
  #text(length: number): string {
    const at = this.#take(length + 1, 1);
    return host.decode(this.#bytes.subarray(at, at + length));
  }

  read(type: string): DbusValue {
    switch (type[0]) {
      case "y":
        return this.byte();
      case "b":
        return this.uint32() !== 0;
      case "n":
        return this.#view.getInt16(this.#take(2, 2), true);
      case "q":
        return this.#view.getUint16(this.#take(2, 2), true);
      case "i":
        return this.#view.getInt32(this.#take(4, 4), true);
      case "u":
      case "h":
        return this.uint32();
      case "x":
        return this.#view.getBigInt64(this.#take(8, 8), true);
      case "t":
        return this.#view.getBigUint64(this.#take(8, 8), true);
      case "d":
        return this.#view.getFloat64(this.#take(8, 8), true);
      case "s":
      case "o":
        return this.#text(this.uint32());
      case "g":
        return this.#text(this.byte());
      case "v": {
        const signature = this.#text(this.byte());
        return { signature, value: this.read(signature) };
      }
      case "a": {
        const length = this.uint32();
        const element = type.slice(1);
        this.#take(0, ALIGNMENT[element[0] ?? ""] ?? 1);
        const end = this.at + length;
        const values: DbusValue[] = [];
        while (this.at < end) values.push(this.read(element));
        return values;
      }
      default:
        this.#take(0, 8);
        return this.readAll(type.slice(1, -1));
    }
  }
  readAll(signature: string): DbusValue[] {
    return splitTypes(signature).map((type) => this.read(type));
  }
}

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
