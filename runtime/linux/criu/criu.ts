/**
 * A conversation with CRIU, which saves the processes of a container to files and restores them: `criu swrk FD`, one process for one
 * request. In its course it tells of stages, and goes on when it is answered.
 *
 *   reg                                    criu swrk 3
 *      │── version ────────────────────────▶│
 *      │◀───────────────────────────────────│
 *      │── dump or restore, options ───────▶│
 *      │◀───────────────────────── notify ──│  "setup-namespaces", "post-restore", "orphan-pts-master" (+ descriptor) ...
 *      │── notify ─────────────────────────▶│
 *      │◀───────── success, or errno, text ─│  ends
 *
 * Source: CRIU criu/cr-service.c; https://criu.org/RPC
 */
import { host } from "#host";
import { ECONNRESET, EPIPE } from "../../errors/errno.ts";
import { fromErrorData, RegError } from "../../errors/errors.ts";
import { checked } from "../../libc/call.ts";
import * as C from "../../libc/constants.ts";
import { close, isErrno, readAll, withFd } from "../../libc/file.ts";
import { type EarlyEnd, hear } from "../../libc/hear.ts";
import { libc } from "../../libc/libc.ts";
import { poll } from "../../libc/poll.ts";
import { type ExitStatus, openPidfd, spawn, waitFor } from "../../libc/process.ts";
import { receiveMessage, sendMessage, socketPair } from "../../libc/socket.ts";
import { decode, encode } from "../protobuf.ts";
import { type Features, REQUEST, REQUEST_MESSAGE, RESPONSE_MESSAGE, type Request, type Response } from "./rpc.ts";

/** The number that CRIU's end of the conversation has in its process. */
export const CRIU_SOCKET = 3;

const SIGKILL = 9;
const LIMIT_BYTES = 64 * 1024;
/** External pid namespaces, readiness of lazy pages: crun asks for it too. */
const OLDEST = 31500;
/** How long CRIU may take to see that nobody listens any more. */
const END_MS = 10_000;

/** A process that is criu, or is about to become it. */
export interface CriuProcess {
  readonly pid: number;
  /** Our end of the conversation. */
  readonly socket: number;
  /** A file that gets its standard output and error: what it says before it has a log. */
  readonly output: number;
}

/** What CRIU tells of on its way. */
export interface Notification {
  readonly script: string;
  /** The process it is about, such as the container's init; 0 without one. */
  readonly pid: number;
  /** The caller's to close. */
  readonly descriptors: readonly number[];
}

export interface Conversation {
  /** Answers a notification. What it throws ends CRIU's work, and is thrown. */
  readonly notified?: (notification: Notification) => void;
  readonly interrupt?: EarlyEnd | undefined;
}

/** Version 4.2.1 as 40201. */
export function versionNumber({ major, minor, sublevel }: { major: number; minor: number; sublevel: number }): number {
  return major * 10_000 + minor * 100 + sublevel;
}

export class Criu {
  readonly program: string;
  readonly pid: number;
  readonly #socket: number;
  readonly #output: number;
  #status: ExitStatus | undefined;

  constructor(program: string, { pid, socket, output }: CriuProcess) {
    this.program = program;
    this.pid = pid;
    this.#socket = socket;
    this.#output = output;
  }

  /** Starts criu as a child of this process. */
  static start(program: string): Criu {
    const [socket, theirs] = socketPair(C.SOCK_SEQPACKET);
    const output = outputFile();
    try {
      const descriptors = [
        { from: 0, to: 0 },
        { from: output, to: 1 },
        { from: output, to: 2 },
        { from: theirs, to: CRIU_SOCKET },
      ];
      const pid = spawn(program, criuArguments(program), host.environ, descriptors);
      return new Criu(program, { pid, socket, output });
    } catch (error) {
      close(socket);
      close(output);
      throw error;
    } finally {
      close(theirs);
    }
  }

  /** Throws RegError when this CRIU is older than what reg's requests need. */
  checkVersion(): void {
    const { version } = this.#ask({ type: REQUEST.version, keepOpen: true });
    const number = version === undefined ? 0 : versionNumber(version);
    if (number >= OLDEST) return;
    const found =
      version === undefined ? "an unknown version" : `${version.major}.${version.minor}.${version.sublevel}`;
    throw new RegError("ENOSYS", `CRIU at ${this.program} is too old: it is ${found}, and 3.15 or newer is needed`, {
      hint: "install a newer package criu, or name another program with --criu",
    });
  }

  /** Which of these features this kernel and this CRIU have. */
  features(wanted: Features): Features {
    const { features } = this.#ask({ type: REQUEST.featureCheck, features: wanted, keepOpen: true });
    return features ?? { memoryTracking: false, lazyPages: false };
  }

  /** The request that the conversation is for. Returns CRIU's answer when it has ended, also that it did not succeed. */
  request(request: Request, conversation: Conversation = {}): Response {
    const response = this.#ask(request, conversation);
    // Before a dump, CRIU waits for one more request, which does not come: it ends with a complaint.
    libc.shutdown(this.#socket, C.SHUT_WR);
    this.#wait();
    return response;
  }

  #ask(request: Request, { notified, interrupt }: Conversation = {}): Response {
    this.#send(request);
    let failure: unknown;
    for (;;) {
      const received = this.#receive(interrupt);
      if (received === undefined) throw failure ?? this.#gone();
      const { response, descriptors } = received;
      if (response.type !== REQUEST.notify) {
        if (failure !== undefined) throw failure;
        return response;
      }
      try {
        const { script = "", pid = 0 } = response.notify ?? {};
        if (notified !== undefined) notified({ script, pid, descriptors });
        else for (const fd of descriptors) close(fd);
      } catch (error) {
        failure = error; // CRIU takes its work back, and only then this is over
      }
      this.#send({ type: REQUEST.notify, notifySuccess: failure === undefined });
    }
  }

  /** What CRIU hears no more, it has ended before: it is told by `#receive`. */
  #send(request: Request): void {
    try {
      sendMessage(this.#socket, encode(REQUEST_MESSAGE, request));
    } catch (error) {
      if (!isErrno(error, EPIPE, ECONNRESET)) throw error;
    }
  }

  #receive(interrupt: EarlyEnd | undefined) {
    if (!hear(this.#socket, this.pid, interrupt)) return undefined;
    let received: ReturnType<typeof receiveMessage>;
    try {
      received = receiveMessage(this.#socket, LIMIT_BYTES);
    } catch (error) {
      if (!isErrno(error, ECONNRESET)) throw error;
    }
    if (received === undefined) return undefined;
    const { payload, descriptors } = received;
    // A process that could not become CRIU says so in JSON, as which no answer of CRIU's begins.
    if (payload[0] === 0x7b) throw fromErrorData(JSON.parse(host.decode(payload)).error);
    return { response: decode(RESPONSE_MESSAGE, payload), descriptors };
  }

  /** CRIU ended in the middle: most often because it does not know this kernel, which it says on its standard error. */
  #gone(): RegError {
    const status = this.#wait();
    const how = "code" in status ? `ended with status ${status.code}` : `was killed by signal ${status.signal}`;
    libc.lseek(this.#output, 0, C.SEEK_SET);
    const said = lastLines(host.decode(readAll(this.#output, "CRIU's output")));
    return new RegError("ECHILD", `CRIU at ${this.program} ${how}${said === "" ? "" : `: ${said}`}`, {
      hint: `${this.program} check says what is missing; an old CRIU may not know a new kernel`,
    });
  }

  #wait(): ExitStatus {
    this.#status ??= waitFor(this.pid);
    return this.#status;
  }

  /**
   * Ends the conversation, and with it CRIU, which takes back what it has begun: one that was killed would leave its code in the
   * processes that it was saving.
   */
  close(): void {
    close(this.#socket);
    if (this.#status === undefined) {
      const pidfd = openPidfd(this.pid);
      if (pidfd !== undefined) withFd(pidfd, () => poll([[pidfd, C.POLLIN]], END_MS));
      libc.kill(this.pid, SIGKILL); // a child of ours, not reaped yet: it can be no other's pid
      this.#wait();
    }
    close(this.#output);
  }
}

export function criuArguments(program: string): string[] {
  return [program, "swrk", String(CRIU_SOCKET)];
}

/** For CRIU's standard output and error. */
export function outputFile(): number {
  return checked(libc.memfd_create("criu-output", C.MFD_CLOEXEC), "memfd_create(2)", "criu-output");
}

const LINES = 3;
/** What a line of CRIU's begins with: when, and where in its sources. */
const PLACE = /^(\(\d+\.\d+\)\s*)?(pie: )?(\s*\d+: )*(Error \([^)]*\): ?)?/;

/** The last lines with an error of what CRIU wrote, or without one just the last, as one. */
export function lastLines(text: string): string {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  const errors = lines.filter((line) => line.includes("Error ("));
  return (errors.length > 0 ? errors : lines)
    .slice(-LINES)
    .map((line) => line.replace(PLACE, "").trim())
    .join("; ");
}
