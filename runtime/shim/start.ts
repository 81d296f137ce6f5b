/**
 * `start`: makes the shim of a pod, or finds the one that is there, and prints its address. The shim is a fork of this
 * process, which has booted already. Source: containerd core/runtime/v2/README.md, and what each version's daemon reads.
 */
import { host } from "#host";
import { EADDRINUSE, ECONNREFUSED, EINTR, ENOENT } from "../errors/errno.ts";
import { RegError, SyscallError } from "../errors/errors.ts";
import { checked } from "../libc/call.ts";
import * as C from "../libc/constants.ts";
import {
  close,
  exists,
  isErrno,
  mkdirAll,
  open,
  readAll,
  readLink,
  readText,
  readTextIfExists,
  replaceFile,
  unlink,
  withFd,
  writeText,
} from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import { closeFrom, fork } from "../libc/process.ts";
import { bindStream, connectUnix, socketPair } from "../libc/socket.ts";
import { detectCgroups } from "../linux/cgroup/host.ts";
import { decode, encode, type Message } from "../linux/protobuf.ts";
import { digestOf } from "../reg/digest.ts";
import type { Arguments } from "./arguments.ts";
import { daemonTakesVersion3 } from "./daemon.ts";
import { log } from "./log.ts";
import { type Options, parseOptions } from "./options.ts";
import { BOOTSTRAP_PARAMS, BOOTSTRAP_RESULT } from "./proto/bootstrap.ts";
import { ANY, type Any, typeName } from "./proto/common.ts";
import type { ServeOptions, ServeOrder } from "./serve.ts";
import { describe } from "./ttrpc/status.ts";
import { Standby } from "./worker.ts";

const SOCKET_DIRECTORY = "/run/containerd/s";
/** sun_path has 108 bytes with its NUL; the name below the directory takes 65. */
const LONGEST_DIRECTORY = 42;
const GROUP_ANNOTATIONS = ["io.containerd.runc.v2.group", "io.kubernetes.cri.sandbox-id"];
const BACKLOG = 128;

/** Starts the shim unless there is one. Returns what containerd wants to read. `serve` runs in the shim. */
export function start(args: Arguments, serve: (options: ServeOptions) => never): Uint8Array {
  const asked = readRequest(args);
  const directory = asked.socketDirectory === "" ? SOCKET_DIRECTORY : asked.socketDirectory;
  if (directory.length > LONGEST_DIRECTORY)
    throw new RegError(
      "ENAMETOOLONG",
      `the directory for sockets is longer than ${LONGEST_DIRECTORY} bytes: ${directory}`,
    );
  const bundle = readLink("/proc/self/cwd");
  const group = groupOf(bundle) ?? args.id;
  const { namespace } = args;
  const { options } = asked;
  const begin = () => {
    const warnings: string[] = [];
    joinCgroup(parseOptions(options, (text) => warnings.push(text)));
    return beginShim((orders) => serve({ orders, namespace, id: group, bundle, options, warnings }));
  };
  // A container that is its own pod, or the pod's first, mostly has no shim yet: that gets ready while it is looked for.
  let shim = group === args.id ? begin() : undefined;
  const socket = `${directory}/${digestOf(joinPath(args.address, namespace, group))}`;
  const address = `unix://${socket}`;
  let listening: number | undefined;
  try {
    listening = listenOnce(directory, socket);
    replaceFile(`${bundle}/address`, address); // containerd 1.x finds the shim again by it
    if (listening !== undefined) {
      shim ??= begin();
      if (shim.give({ socket }, [listening]) === undefined)
        throw new RegError("ECHILD", "the shim ended before it was to serve", { hint: "was it killed for memory?" });
      close(listening);
    }
  } catch (error) {
    if (listening !== undefined) unlink(socket);
    throw error;
  } finally {
    shim?.dismiss(); // without an order it ends
  }
  const answer = { version: 3, address, protocol: "ttrpc" };
  if (asked.bootstrap) return encode(BOOTSTRAP_RESULT, answer);
  return host.encode(daemonTakesVersion3() ? JSON.stringify(answer) : address);
}

interface Request {
  /** containerd 2.3 and later: parameters in, and an answer of the same kind out. */
  readonly bootstrap: boolean;
  readonly options: Any | undefined;
  readonly socketDirectory: string;
}

/** Standard input: BootstrapParams if they are about this very container, otherwise an Any, or nothing. */
function readRequest({ id, namespace }: Arguments): Request {
  const input = readAll(0, "standard input");
  const none = { bootstrap: false, options: undefined, socketDirectory: "" };
  if (input.length === 0) return none;
  const params = tryDecode(() => decode(BOOTSTRAP_PARAMS, input));
  if (params?.instanceId === id && params.namespace === namespace)
    return { bootstrap: true, options: optionsAmong(params), socketDirectory: params.socketDir };
  return { ...none, options: tryDecode(() => decode(ANY, input)) };
}

function optionsAmong({ extensions }: Message<typeof BOOTSTRAP_PARAMS>): Any | undefined {
  const known = ["containerd.runc.v1.Options", "runtimeoptions.v1.Options"];
  return extensions.map(({ value }) => value).find((value) => value !== undefined && known.includes(typeName(value)));
}

function tryDecode<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (error instanceof RegError) return undefined;
    throw error;
  }
}

/** The pod that the container belongs to, by its annotations; undefined when it says nothing. */
function groupOf(bundle: string): string | undefined {
  const text = readTextIfExists(`${bundle}/config.json`);
  // Most say nothing: to look for the word is cheaper than to parse all.
  if (text === undefined || !GROUP_ANNOTATIONS.some((name) => text.includes(`"${name}"`))) return undefined;
  const { annotations = {} } = JSON.parse(text) as { annotations?: Record<string, string> };
  return GROUP_ANNOTATIONS.map((name) => annotations[name]).find((value) => value !== undefined && value !== "");
}

/** As Go's path.Join, for paths that have no "..". */
function joinPath(...parts: readonly string[]): string {
  return parts
    .join("/")
    .split("/")
    .filter((part, index) => index === 0 || (part !== "" && part !== "."))
    .join("/");
}

/**
 * The listening socket at `path`; undefined when another shim listens there. What one that was killed has left is replaced.
 * The directory is locked meanwhile, so that two who find such a socket do not both replace it.
 */
function listenOnce(directory: string, path: string): number | undefined {
  mkdirAll(directory, 0o700);
  return withFd(open(directory, C.O_RDONLY | C.O_DIRECTORY), (lock) => {
    while (libc.flock(lock, C.LOCK_EX) === -1)
      if (host.errno() !== EINTR) throw new SyscallError("flock(2)", directory, host.errno());
    for (;;) {
      try {
        const fd = bindStream(path);
        checked(libc.fchmodat(C.AT_FDCWD, path, 0o600, 0), "fchmodat(2)", path);
        checked(libc.listen(fd, BACKLOG), "listen(2)", path);
        return fd;
      } catch (error) {
        if (!isErrno(error, EADDRINUSE)) throw error;
      }
      if (lookAtSocket(path) === "served") return undefined;
      unlink(path);
    }
  });
}

/** Whether somebody listens at the socket, or did and was killed. */
export function lookAtSocket(path: string): "served" | "abandoned" | "missing" {
  if (!exists(path)) return "missing"; // after a usual end, which is to be quick
  try {
    close(connectUnix(path, C.SOCK_STREAM | C.O_NONBLOCK));
    return "served";
  } catch (error) {
    if (isErrno(error, ENOENT)) return "missing";
    if (isErrno(error, ECONNREFUSED)) return "abandoned";
    if (error instanceof SyscallError) return "served"; // busy, but there
    throw error;
  }
}

/** Forks the shim: in a session of its own, with nothing of the caller's but the socket by which it gets its order, `orders`. */
function beginShim(serve: (orders: number) => never): Standby<ServeOrder> {
  const [ours, theirs] = socketPair(C.SOCK_SEQPACKET);
  const become = () => {
    libc.setsid(); // cannot fail: a fork leads no group
    detach();
    closeFrom(3, [theirs, ...host.held]);
    return serve(theirs);
  };
  fork("the shim", become, (error) => log("error", describe(error)));
  close(theirs);
  return new Standby(ours, () => {});
}

/** containerd waits for the end of standard output and error: the shim must not have them. */
function detach(): void {
  withFd(open("/dev/null", C.O_RDWR), (fd) => {
    for (const target of [0, 1, 2]) checked(libc.dup3(fd, target, 0), "dup3(2)", "/dev/null");
  });
  // One more likely to be killed for memory than containerd, less than what it looks after.
  const score = Number(readText("/proc/self/oom_score_adj"));
  if (score < 1000) writeText("/proc/self/oom_score_adj", String(score + 1));
}

/**
 * The shim's own cgroup, which must be there: the path on cgroup v2, in every hierarchy on v1. This process enters it, and the shim is born there: so
 * there is no shim when that fails.
 */
function joinCgroup({ shimCgroup }: Options): void {
  if (shimCgroup === "") return;
  for (const { mountpoint } of detectCgroups().hierarchies)
    writeText(`${mountpoint}/${shimCgroup}/cgroup.procs`, String(libc.getpid()));
}
