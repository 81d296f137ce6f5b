/**
 * The standard streams of one process, between it and its caller.
 *
 *   stdin fifo ──▶ pipe ──▶ process ──▶ pipe ──▶ stdout fifo, file or logger           terminal: the master in the pipes' place
 *
 * Pipes in between, so that Delete can end a stream whatever still holds the other end.
 */
import { host } from "#host";
import { RegError, SyscallError } from "../../errors/errors.ts";
import { checked } from "../../libc/call.ts";
import * as C from "../../libc/constants.ts";
import { close, exists, mkdirAll, open } from "../../libc/file.ts";
import { libc } from "../../libc/libc.ts";
import { setWindowSize } from "../../linux/tty.ts";
import type { Loop, Timer } from "../loop.ts";
import { FifoReader, FifoWriter } from "./fifo.ts";
import { Logger, type LoggerContext } from "./logger.ts";
import { pipe, unblock } from "./pipe.ts";
import { Pump } from "./pump.ts";

/** Where the caller wants the streams: paths of fifos, or URIs; "" is /dev/null. */
export interface Streams {
  readonly stdin: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly terminal: boolean;
}

export interface StdioOptions {
  readonly loop: Loop;
  /** Host ids that own the pipes. */
  readonly uid: number;
  readonly gid: number;
  readonly logger: LoggerContext;
}

/** An answer takes a millisecond, on a machine that is busy more. */
const ANSWERED_MS = 100;

/** Where output goes: something to be opened in time, and closed. */
interface Sink {
  /** Somebody may wait for it to be opened, who has other things to do. */
  meet?(): void;
  /** Calls `opened` with a descriptor, now or later. */
  open(opened: (fd: number) => void): void;
  /** Nobody will come to read who is not there. */
  release?(): void;
  close(): void;
}

function splitUri(text: string): readonly [scheme: string, rest: string] {
  const at = text.indexOf("://");
  return at < 0 ? ["fifo", text] : [text.slice(0, at), text.slice(at + 3)];
}

export class Stdio {
  readonly streams: Streams;
  readonly #options: StdioOptions;
  /** The process's ends, for 0 to 2; undefined is /dev/null. */
  #theirs: (number | undefined)[] = [undefined, undefined, undefined];
  #input: FifoReader | undefined;
  #inputPump: Pump | undefined;
  #inputTimer: Timer | undefined;
  /** Our end of the process's standard input. */
  #inputTo: number | undefined;
  /** Our reading ends. */
  #outputs: number[] = [];
  /** By the stream's number. */
  readonly #sinks = new Map<number, Sink>();
  #logger: Logger | undefined;
  readonly #pumps = new Set<Pump>();
  #terminal: number | undefined;
  #stdinClosed = false;
  #closed = false;
  #drained: (() => void)[] = [];

  constructor(streams: Streams, options: StdioOptions) {
    this.streams = streams;
    this.#options = options;
  }

  /** Makes the pipes. Throws for a URI that is not known, with nothing left open. */
  open(): void {
    const { stdin, stdout, stderr, terminal } = this.streams;
    const [scheme] = splitUri(stdout);
    if (!["fifo", "file", "binary", "binary-v2"].includes(scheme))
      throw new RegError("EINVAL", `unknown scheme of standard output: ${scheme}://`, {
        hint: "fifo, file, binary and binary-v2 are known",
      });
    const input = splitUri(stdin)[1];
    if (stdin !== "" && !exists(input)) throw new SyscallError("faccessat(2)", input, host.errno()); // it is opened later
    try {
      if (scheme.startsWith("binary")) this.#logger = new Logger(stdout, this.#options.loop, this.#options.logger);
      if (terminal) {
        if (this.#logger !== undefined) this.#sink(1, stdout); // its descriptors are somebody's to close
        return;
      }
      if (this.#logger !== undefined) this.#theirs = [undefined, this.#logger.stdout, this.#logger.stderr];
      for (const [stream, uri] of [stdin, stdout, stderr].entries())
        if (uri !== "" && this.#theirs[stream] === undefined) this.#pipeFor(stream);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** A pipe for one of 0 to 2. */
  #pipeFor(stream: number): void {
    const [reading, writing] = pipe();
    this.#theirs[stream] = stream === 0 ? reading : writing;
    if (stream === 0) this.#inputTo = writing;
    else this.#outputs[stream] = reading;
    const { uid, gid } = this.#options;
    if (uid !== 0 || gid !== 0)
      for (const end of [reading, writing]) checked(libc.fchown(end, uid, gid), "fchown(2)", "a standard stream");
    if (stream === 0) unblock(writing);
  }

  /** The process's ends, for a worker to keep. */
  get theirs(): readonly number[] {
    return this.#theirs.filter((fd) => fd !== undefined);
  }

  /** Which of 0 to 2 each of them is. */
  get targets(): readonly number[] {
    return [0, 1, 2].filter((target) => this.#theirs[target] !== undefined);
  }

  /** In the worker: makes them 0, 1 and 2. */
  adopt(): void {
    adoptStreams(this.theirs, this.targets);
  }

  /**
   * Opens the caller's fifos before there is a process. Until somebody else has opened a fifo too, a caller keeps a thread in open(2); and a
   * program in Go with few threads at work, as ctr, then comes to nothing else for 10 or 20 ms. What fails, fails in `begin` again, which says so.
   * The input is left closed: see beginInput.
   */
  meet(): void {
    const { stdout, stderr, terminal } = this.streams;
    try {
      for (const [stream, uri] of [stdout, terminal ? "" : stderr].entries())
        if (uri !== "" && splitUri(uri)[0] === "fifo") this.#sink(stream + 1, uri).meet?.();
    } catch (error) {
      if (!(error instanceof RegError)) throw error;
    }
  }

  /** Logger programs must be ready before the process starts. */
  async ready(): Promise<void> {
    await this.#logger?.ready();
  }

  /** The process is there, with its ends; from now on its output flows. `terminal` is the master of its terminal. */
  begin(terminal: number | undefined): void {
    this.#closeTheirs();
    const { stdout, stderr } = this.streams;
    if (terminal !== undefined) {
      this.#terminal = unblock(terminal);
      this.#pump(this.#terminal, this.#sink(1, stdout), true);
    } else {
      const [, out, error] = this.#outputs;
      if (out !== undefined) this.#pump(out, this.#sink(1, stdout), false);
      if (error !== undefined) this.#pump(error, this.#sink(2, stderr), false);
    }
  }

  #closeTheirs(): void {
    for (const fd of this.theirs) close(fd);
    this.#theirs = [];
  }

  /** Where a stream goes. To a logger the container's own streams go themselves, only a terminal's output comes here. */
  #sink(stream: number, uri: string): Sink {
    let sink = this.#sinks.get(stream);
    if (sink === undefined) {
      sink = this.#logger?.terminalSink() ?? (uri === "" ? discard() : sinkOf(uri, this.#options.loop));
      this.#sinks.set(stream, sink);
    }
    return sink;
  }

  #pump(from: number, sink: Sink, terminal: boolean): void {
    const pump = new Pump({
      loop: this.#options.loop,
      from,
      terminal,
      ended: () => {
        sink.close();
        this.#pumps.delete(pump);
        if (this.#pumps.size === 0) this.#tellDrained();
      },
    });
    this.#pumps.add(pump);
    sink.open((fd) => pump.opened(fd));
  }

  /**
   * From now on the input flows, unless it does already or the terminal that it goes to is missing. Only when the caller has the answer to Create or
   * Exec, as it has by Start: its own input may end as soon as the fifo opens, and who has not heard of the process by then, as ctr, has nothing to
   * say CloseIO of.
   */
  beginInput(): void {
    this.#inputTimer?.cancel();
    const { stdin } = this.streams;
    const to = this.#terminal ?? this.#inputTo;
    if (stdin === "" || to === undefined || this.#input !== undefined || this.#closed) return;
    const input = new FifoReader(splitUri(stdin)[1]);
    this.#input = input;
    this.#inputPump = new Pump({
      loop: this.#options.loop,
      from: input.fd,
      to,
      ended: () => {
        input.close();
        this.#input = undefined;
        this.#inputPump = undefined;
        this.#closeInputTo(); // of a terminal nothing is closed: its end is typed
      },
    });
    if (this.#stdinClosed) input.release();
  }

  /** The same when the answer to Create will have arrived, for who opens the fifo before Start and waits for that. */
  beginInputSoon(): void {
    this.#inputTimer = this.#options.loop.after(ANSWERED_MS, () => {
      try {
        this.beginInput();
      } catch (error) {
        if (!(error instanceof RegError)) throw error; // Start will say it
      }
    });
  }

  #closeInputTo(): void {
    if (this.#inputTo !== undefined) close(this.#inputTo);
    this.#inputTo = undefined;
  }

  /** CloseIO: what the caller has written and closed is the whole input. May come before the process is there. */
  closeStdin(): void {
    this.#stdinClosed = true;
    this.#input?.release();
  }

  /** Does nothing without a terminal. */
  resize(width: number, height: number): void {
    if (this.#terminal !== undefined) setWindowSize(this.#terminal, { width, height });
  }

  /** The process has ended: its terminal has nothing more to say than what is in it. */
  processEnded(): void {
    if (this.#terminal !== undefined) for (const pump of this.#pumps) pump.finish();
  }

  /** Resolves when all output has reached its destination, or whoever read it has gone. */
  drained(): Promise<void> {
    for (const sink of this.#sinks.values()) sink.release?.();
    if (this.#pumps.size === 0 && this.#logger === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      this.#drained.push(resolve);
      if (this.#pumps.size === 0) this.#tellDrained();
    });
  }

  #tellDrained(): void {
    const waiting = this.#drained;
    this.#drained = [];
    const tell = () => {
      for (const resolve of waiting) resolve();
    };
    if (this.#logger === undefined) tell();
    else this.#logger.finish(tell);
  }

  /** Ends all streams, whatever is still in them. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#closeTheirs();
    for (const pump of this.#pumps) pump.stop();
    this.#pumps.clear();
    this.#inputTimer?.cancel();
    this.#inputPump?.stop();
    for (const sink of this.#sinks.values()) sink.close();
    this.#input?.close();
    this.#closeInputTo();
    for (const fd of this.#outputs) if (fd !== undefined) close(fd);
    if (this.#terminal !== undefined) close(this.#terminal);
    this.#logger?.close();
    this.#tellDrained();
  }
}

/** Makes descriptors the standard streams that `targets` names. */
export function adoptStreams(descriptors: readonly number[], targets: readonly number[]): void {
  descriptors.forEach((fd, index) => {
    checked(libc.dup3(fd, targets[index] ?? -1, 0), "dup3(2)", "a standard stream");
  });
  for (const fd of descriptors) close(fd);
}

function discard(): Sink {
  let fd = -1;
  return {
    open(opened) {
      fd = open("/dev/null", C.O_WRONLY);
      opened(fd);
    },
    close() {
      if (fd >= 0) close(fd);
      fd = -1;
    },
  };
}

function sinkOf(uri: string, loop: Loop): Sink {
  const [scheme, path] = splitUri(uri);
  if (scheme === "fifo") {
    const writer = new FifoWriter(path, loop);
    return {
      meet: () => writer.meet(),
      open: (opened) => writer.open(opened),
      release: () => writer.release(),
      close: () => writer.close(),
    };
  }
  if (scheme !== "file")
    throw new RegError("EINVAL", `unknown scheme of a standard stream: ${scheme}://`, {
      hint: "fifo and file are known here",
    });
  let fd = -1;
  return {
    open(opened) {
      mkdirAll(path.slice(0, path.lastIndexOf("/")), 0o755);
      fd = open(path, C.O_WRONLY | C.O_CREAT | C.O_APPEND, 0o644); // each write appends, so both streams may have it open
      opened(fd);
    },
    close() {
      if (fd >= 0) close(fd);
      fd = -1;
    },
  };
}
