/** Running hooks: one program after another, the container's state on standard input. Source: runtime-spec config.md "POSIX-platform Hooks". */
import { host } from "#host";
import { EAGAIN, EPIPE } from "../errors/errno.ts";
import { RegError } from "../errors/errors.ts";
import { checked } from "../libc/call.ts";
import * as C from "../libc/constants.ts";
import { close, withFd } from "../libc/file.ts";
import type { EarlyEnd } from "../libc/hear.ts";
import { libc } from "../libc/libc.ts";
import { Struct } from "../libc/memory.ts";
import { poll } from "../libc/poll.ts";
import { openPidfd, shellStatus, signalPidfd, spawn, waitFor } from "../libc/process.ts";
import { TIMESPEC } from "../libc/structs.ts";
import type { Hook, Hooks, State } from "./config.ts";

export type HookName = keyof Hooks;

const SIGKILL = 9;
/** What a failing hook wrote is quoted up to here. */
const OUTPUT_LIMIT_BYTES = 4096;

/** What runs beside the hooks. */
export interface HookContext {
  readonly interrupt?: EarlyEnd;
  /** The environment of a hook that names none: as in runc and crun the runtime's, if absent. */
  readonly env?: readonly string[];
}

/** Runs all hooks of one kind. The first that fails ends it: RegError HOOK with what it wrote. */
export function runHooks(name: HookName, hooks: Hooks, state: State, context: HookContext = {}): void {
  const text = host.encode(JSON.stringify(state));
  (hooks[name] ?? []).forEach((hook, index) => {
    runHook(hook, text, `/hooks/${name}/${index}`, name, context);
  });
}

/** As runHooks, for the kinds whose failure is only a warning: every hook runs, the failures are returned. */
export function runHooksToTheEnd(name: HookName, hooks: Hooks, state: State): unknown[] {
  const text = host.encode(JSON.stringify(state));
  const failures: unknown[] = [];
  (hooks[name] ?? []).forEach((hook, index) => {
    try {
      runHook(hook, text, `/hooks/${name}/${index}`, name, {});
    } catch (error) {
      failures.push(error);
    }
  });
  return failures;
}

function pipe(): readonly [read: number, write: number] {
  const fds = new Struct(8);
  checked(libc.pipe2(fds.bytes, C.O_CLOEXEC), "pipe2(2)", "for a hook");
  return [fds.i32(0), fds.i32(4)];
}

function runHook(
  hook: Hook,
  state: Uint8Array,
  field: string,
  name: HookName,
  { interrupt, env = host.environ }: HookContext,
): void {
  const [stdin, feed] = pipe();
  const [output, stdout] = pipe();
  let pid: number;
  try {
    pid = spawn(hook.path, hook.args ?? [hook.path], hook.env ?? env, [
      { from: stdin, to: 0 },
      { from: stdout, to: 1 },
      { from: stdout, to: 2 },
    ]);
  } catch (error) {
    close(feed);
    close(output);
    throw error instanceof RegError ? new RegError(error.code, `${name} hook: ${error.message}`, { field }) : error;
  } finally {
    close(stdin);
    close(stdout);
  }
  const said = withFd(output, () => exchange(pid, feed, output, state, hook.timeout, interrupt));
  const status = waitFor(pid);
  if (said.timedOut)
    throw new RegError("ETIMEDOUT", `${name} hook ${hook.path}: no end within ${hook.timeout} s, killed`, { field });
  const code = shellStatus(status);
  if (code === 0) return;
  const how = "signal" in status ? `killed by signal ${status.signal}` : `exit status ${code}`;
  const words = said.text.trim();
  throw new RegError("HOOK", `${name} hook ${hook.path}: ${how}${words === "" ? "" : `: ${words}`}`, { field });
}

function now(): number {
  const time = new Struct(TIMESPEC.size);
  const CLOCK_MONOTONIC = 1;
  libc.clock_gettime(CLOCK_MONOTONIC, time.bytes);
  return time.u64(TIMESPEC.tv_sec) * 1000 + time.u64(TIMESPEC.tv_nsec) / 1e6;
}

/** Feeds the state, collects the output, and waits for the end (or kills at the timeout); closes `feed`. */
function exchange(
  pid: number,
  feed: number,
  output: number,
  state: Uint8Array,
  timeout: number | undefined,
  interrupt: EarlyEnd | undefined,
) {
  const pidfd = openPidfd(pid);
  const deadline = timeout === undefined ? undefined : now() + timeout * 1000;
  libc.fcntl(feed, C.F_SETFL, C.O_NONBLOCK);
  const chunk = new Uint8Array(OUTPUT_LIMIT_BYTES);
  let rest = state;
  let text = "";
  let feeding = true;
  let reading = true;
  try {
    for (;;) {
      const wait = deadline === undefined ? -1 : Math.max(0, Math.ceil(deadline - now()));
      const [ended, readable, writable, asked] = poll(
        [
          [pidfd, C.POLLIN],
          [reading ? output : undefined, C.POLLIN],
          [feeding ? feed : undefined, C.POLLOUT],
          [interrupt?.fd, C.POLLIN],
        ],
        wait,
      );
      if (asked) interrupt?.check();
      if (readable) {
        const count = libc.read(output, chunk, chunk.length);
        if (count > 0 && text.length < OUTPUT_LIMIT_BYTES) text += host.decode(chunk.subarray(0, count));
        if (count > 0) continue;
        reading = false;
      }
      if (writable) {
        const count = ignoringBrokenPipe(() => libc.write(feed, rest, rest.length));
        if (count > 0) rest = rest.subarray(count);
        if (rest.length === 0 || (count === -1 && host.errno() !== EAGAIN)) {
          feeding = false;
          close(feed);
        }
      }
      // A daemon that the hook left behind may hold the pipe open: the hook's own end is what counts.
      if (pidfd === undefined || ended) return { text, timedOut: false };
      if (deadline !== undefined && now() >= deadline) {
        signalPidfd(pidfd, SIGKILL);
        return { text, timedOut: true };
      }
    }
  } catch (error) {
    if (pidfd !== undefined) signalPidfd(pidfd, SIGKILL);
    waitFor(pid);
    throw error;
  } finally {
    if (feeding) close(feed);
    if (pidfd !== undefined) close(pidfd);
  }
}

/** A hook need not read its input: SIGPIPE must not end the runtime. */
function ignoringBrokenPipe(action: () => number): number {
  const SIGPIPE = 13;
  const SIG_IGN = 1;
  const before = libc.signal(SIGPIPE, SIG_IGN);
  const result = action();
  const errno = host.errno();
  libc.signal(SIGPIPE, before);
  return result === -1 && errno === EPIPE ? -1 : result;
}
