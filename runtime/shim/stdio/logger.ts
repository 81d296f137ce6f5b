/**
 * A program that takes a container's output: `binary:///program?key=value` as the standard output. It gets the reading ends of the
 * two streams as 3 and 4, and says at 5 that it is ready, by closing it or writing a byte (`binary-v2`: by a byte alone).
 * Source: containerd docs/logging and its shim.
 */
import { host } from "#host";
import { RegError, SyscallError } from "../../errors/errors.ts";
import { checked } from "../../libc/call.ts";
import * as C from "../../libc/constants.ts";
import { close } from "../../libc/file.ts";
import { libc } from "../../libc/libc.ts";
import { execve } from "../../libc/process.ts";
import type { Children } from "../children.ts";
import type { Loop } from "../loop.ts";
import { SIGKILL, SIGTERM, unblockSignals } from "../signals.ts";
import { pipe, unblock } from "./pipe.ts";

export interface LoggerContext {
  readonly id: string;
  readonly namespace: string;
  readonly children: Children;
}

const READY_MS = 30_000;
/** How long it may take for what it has read by the end, and then after SIGTERM. */
const FINISH_MS = 9_000;
const TERM_MS = 12_000;

export class Logger {
  /** The writing ends: the container's own standard streams. */
  readonly stdout: number;
  readonly stderr: number;
  readonly #loop: Loop;
  readonly #pid: number;
  readonly #ready: number;
  readonly #needsByte: boolean;
  #ended = false;
  #whenEnded: (() => void)[] = [];
  #terminalOpen = true;

  constructor(uri: string, loop: Loop, { id, namespace, children }: LoggerContext) {
    this.#loop = loop;
    this.#needsByte = uri.startsWith("binary-v2:");
    const { program, args } = parseUri(uri);
    if (libc.faccessat(C.AT_FDCWD, program, C.X_OK, 0) === -1)
      throw new SyscallError("faccessat(2)", program, host.errno());
    const [out, outTo] = pipe();
    const [error, errorTo] = pipe();
    const [ready, said] = pipe();
    this.stdout = outTo;
    this.stderr = errorTo;
    this.#ready = ready;
    this.#pid = libc.fork();
    if (this.#pid === 0)
      become(program, args, [`CONTAINER_ID=${id}`, `CONTAINER_NAMESPACE=${namespace}`], [out, error, said]);
    for (const fd of [out, error, said]) close(fd);
    checked(this.#pid, "fork(2)", program);
    children.expect(this.#pid, () => {
      this.#ended = true;
      for (const tell of this.#whenEnded) tell();
    });
  }

  /** Resolves when the program says that it is ready; rejects when it ends before. */
  ready(): Promise<void> {
    return new Promise((resolve, reject) => {
      const byte = new Uint8Array(1);
      const done = (error?: RegError) => {
        watch.stop();
        timer.cancel();
        close(this.#ready);
        if (error === undefined) resolve();
        else reject(error);
      };
      const watch = this.#loop.watch(this.#ready, C.EPOLLIN, () => {
        const count = libc.read(this.#ready, byte, 1);
        done(
          count === 1 || !this.#needsByte ? undefined : new RegError("ECHILD", "the logger ended before it was ready"),
        );
      });
      const timer = this.#loop.after(READY_MS, () => done(new RegError("ETIMEDOUT", "the logger is not ready")));
    });
  }

  /** For a terminal, whose output is copied to the program. */
  terminalSink() {
    return {
      open: (opened: (fd: number) => void) => opened(unblock(this.stdout)),
      close: () => {
        if (this.#terminalOpen) for (const fd of [this.stdout, this.stderr]) close(fd);
        this.#terminalOpen = false;
      },
    };
  }

  /** The streams have ended: calls `done` when the program has too. It is asked to when it has had time for what it read last. */
  finish(done: () => void): void {
    if (this.#ended) done();
    else {
      this.#whenEnded.push(done);
      this.#loop.after(FINISH_MS, () => this.close());
    }
  }

  /** Ends the program. */
  close(): void {
    if (this.#ended) return;
    libc.kill(this.#pid, SIGTERM);
    const timer = this.#loop.after(TERM_MS, () => {
      if (!this.#ended) libc.kill(this.#pid, SIGKILL);
    });
    this.#whenEnded.push(() => timer.cancel());
  }
}

/** In the fork: becomes the program, with `descriptors` from 3 on. Everything else of the shim's closes with execve(2). */
function become(
  program: string,
  args: readonly string[],
  environment: readonly string[],
  descriptors: readonly number[],
): never {
  unblockSignals();
  // Beyond 5 first, so that none is in another's place.
  const moved = descriptors.map((fd) => libc.fcntl(fd, C.F_DUPFD_CLOEXEC, 16));
  moved.forEach((fd, index) => {
    libc.dup3(fd, 3 + index, 0);
  });
  try {
    execve(program, [program, ...args], environment);
  } catch {
    libc._exit(127); // its end is seen, see ready
  }
  throw new Error("unreachable");
}

/** `binary:///path?key=value&flag`: the program, and its arguments in that order. */
export function parseUri(uri: string): { readonly program: string; readonly args: readonly string[] } {
  const rest = uri.slice(uri.indexOf("://") + 3);
  const query = rest.indexOf("?");
  const program = decodeURIComponent(query < 0 ? rest : rest.slice(0, query));
  if (!program.startsWith("/")) throw new RegError("EINVAL", `a logger's program must be absolute: ${uri}`);
  const args: string[] = [];
  for (const part of query < 0 ? [] : rest.slice(query + 1).split("&")) {
    if (part === "") continue;
    const equals = part.indexOf("=");
    const key = equals < 0 ? part : part.slice(0, equals);
    const value = equals < 0 ? "" : part.slice(equals + 1);
    args.push(decodeURIComponent(key.replaceAll("+", " ")));
    if (value !== "") args.push(decodeURIComponent(value.replaceAll("+", " ")));
  }
  return { program, args };
}
