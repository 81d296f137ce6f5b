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
import { execve, fork } from "../../libc/process.ts";
import type { Children } from "../children.ts";
import type { Loop } from "../loop.ts";
import { SIGKILL, SIGTERM, unblockSignals } from "../signals.ts";
import { pipes, unblock } from "./pipe.ts";

type Ends = readonly [reading: number, writing: number];

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
    const [streams, errors, readiness] = pipes(3) as [Ends, Ends, Ends];
    const [theirs, ours] = [
      [streams[0], errors[0], readiness[1]],
      [streams[1], errors[1], readiness[0]],
    ] as const;
    [this.stdout, this.stderr, this.#ready] = ours;
    const environment = [`CONTAINER_ID=${id}`, `CONTAINER_NAMESPACE=${namespace}`];
    try {
      this.#pid = fork(program, () => become(program, args, environment, theirs));
    } catch (error) {
      for (const fd of ours) close(fd);
      throw error;
    } finally {
      for (const fd of theirs) close(fd);
    }
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

/** In the fork: becomes the program, with `descriptors` from 3 on. Everything else of the shim's closes with execve(2). That it fails is seen, see ready. */
function become(
  program: string,
  args: readonly string[],
  environment: readonly string[],
  descriptors: readonly number[],
): never {
  unblockSignals();
  // Beyond 5 first, so that none is in another's place.
  const moved = descriptors.map((fd) => checked(libc.fcntl(fd, C.F_DUPFD_CLOEXEC, 16), "fcntl(2)", program));
  for (const [index, fd] of moved.entries()) checked(libc.dup3(fd, 3 + index, 0), "dup3(2)", program);
  execve(program, [program, ...args], environment);
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
