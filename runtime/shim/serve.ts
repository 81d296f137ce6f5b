/** The shim itself: one thread and one loop, for as long as its pod has containers. */
import { host } from "#host";
import * as C from "../libc/constants.ts";
import { close, unlink } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import { cString } from "../libc/memory.ts";
import { closeHeld, prctl } from "../libc/process.ts";
import { receiveMessage } from "../libc/socket.ts";
import { Children } from "./children.ts";
import { Publisher } from "./events.ts";
import { log, openLog } from "./log.ts";
import { Loop } from "./loop.ts";
import { Pod } from "./pod.ts";
import { goFirst } from "./priority.ts";
import type { Program } from "./program.ts";
import type { Any } from "./proto/common.ts";
import { SIGCHLD, SIGINT, SIGTERM, SIGUSR1, watchSignals } from "./signals.ts";
import { prepareCreate } from "./task/create.ts";
import { taskService } from "./task/service.ts";
import { Client } from "./ttrpc/client.ts";
import { lazily, Server, type Service } from "./ttrpc/server.ts";
import { describe } from "./ttrpc/status.ts";
import { Workers } from "./worker.ts";

export interface ServeOptions {
  /** Where the shim gets its order; without one it ends. */
  readonly orders: number;
  readonly namespace: string;
  /** The pod's id: that of its sandbox, or of its one container. */
  readonly id: string;
  readonly bundle: string;
  readonly options: Any | undefined;
  /** What was odd so far. */
  readonly warnings: readonly string[];
}

/** To serve, at a path. The listening socket comes with it. */
export interface ServeOrder {
  readonly socket: string;
}

const LONGEST_ORDER_BYTES = 4096;
/** Then others have their turn. */
const REAPED_AT_ONCE = 8;
const SANDBOX_METHODS = [
  "CreateSandbox",
  "StartSandbox",
  "Platform",
  "StopSandbox",
  "WaitSandbox",
  "SandboxStatus",
  "PingSandbox",
  "SandboxMetrics",
  "ShutdownSandbox",
];

/** Without containers and without anybody connected, the shim ends after so long: nobody would end it. */
const IDLE_MS = 60_000;
/** containerd waits three seconds for the end of a shim. */
const FLUSH_MS = 2500;
/** By then the first container is being made, and there is time to close what takes long, see native-shim/seal.c. */
const HELD_MS = 5;

/** Gets ready, takes its order, serves. Who has most to do begins first: the worker for the container. */
export function serve({ orders, namespace, id, bundle, options, warnings }: ServeOptions, program: Program): never {
  libc.chdir("/"); // the bundle goes before the shim does
  const loop = new Loop((error) => log("error", `internal error: ${describe(error)} ${stackOf(error)}`));
  const children = new Children();
  const workers = new Workers(loop, children, program.explain);
  const publisher = new Publisher(namespace, eventsClient(loop), loop, (text) => log("warning", text));
  let server: Server | undefined;
  let ending = false;
  const end = () => {
    if (ending) return;
    ending = true;
    if (server === undefined) libc._exit(0);
    else {
      unlink(pod.socket);
      void finish(loop, publisher, server);
    }
  };
  const pod = new Pod({
    id,
    namespace,
    options,
    loop,
    children,
    workers,
    publisher,
    program,
    end,
    emptied: () => server !== undefined && endWhenForgotten(loop, pod, server, end),
  });
  prepareCreate(pod, bundle);
  appear(bundle, warnings);
  const reap = () => {
    if (children.reap(REAPED_AT_ONCE)) loop.after(0, reap);
  };
  watchSignals(loop, (signal) => {
    if (signal === SIGCHLD) reap();
    if (signal === SIGTERM || signal === SIGINT) end(); // the containers go on
    if (signal === SIGUSR1) log("info", dump(pod, server));
  });
  const watch = loop.watch(orders, C.EPOLLIN, () => {
    const received = receiveMessage(orders, LONGEST_ORDER_BYTES, C.MSG_DONTWAIT);
    const listening = received?.descriptors[0];
    if (received === undefined || listening === undefined) return end(); // another serves, or `start` has failed
    watch.stop();
    close(orders);
    pod.socket = (JSON.parse(host.decode(received.payload)) as ServeOrder).socket;
    server = new Server(listening, loop, servicesOf(pod, program));
    endWhenForgotten(loop, pod, server, end);
  });
  loop.after(HELD_MS, closeHeld);
  return loop.run();
}

/** As what it shows itself: its log, its name, its place among processes. */
function appear(bundle: string, warnings: readonly string[]): void {
  openLog(`${bundle}/log`);
  for (const warning of warnings) log("warning", warning);
  prctl(C.PR_SET_CHILD_SUBREAPER, "PR_SET_CHILD_SUBREAPER", 1);
  const name = cString("containerd-shim");
  prctl(C.PR_SET_NAME, "PR_SET_NAME", host.address(name));
  goFirst();
}

function servicesOf(pod: Pod, program: Program): Readonly<Record<string, Service>> {
  const task = taskService(pod);
  return {
    "containerd.task.v2.Task": task,
    "containerd.task.v3.Task": task,
    "containerd.runtime.sandbox.v1.Sandbox": lazily(SANDBOX_METHODS, async () =>
      (await program.sandbox()).sandboxService(pod),
    ),
  };
}

/** What is to be said is said, to containerd above all, and then the process ends. */
async function finish(loop: Loop, publisher: Publisher, server: Server): Promise<void> {
  await publisher.flush(FLUSH_MS);
  await loop.sleep(0); // the answer to Shutdown is still to be written
  for (let waited = 0; !server.flushed && waited < 100; waited++) await loop.sleep(10);
  libc._exit(0);
}

function eventsClient(loop: Loop): Client | undefined {
  const entry = host.environ.find((variable) => variable.startsWith("TTRPC_ADDRESS="));
  const address = entry?.slice("TTRPC_ADDRESS=".length) ?? "";
  return address === "" ? undefined : new Client(address.startsWith("unix://") ? address.slice(7) : address, loop);
}

/** Looks once a minute while there is no container: containerd that was killed between two calls leaves an empty shim. */
function endWhenForgotten(loop: Loop, pod: Pod, server: Server, end: () => void): void {
  loop.after(IDLE_MS, () => {
    if (!pod.isEmpty) return;
    if (server.connections === 0) end();
    else endWhenForgotten(loop, pod, server, end);
  });
}

function dump(pod: Pod, server: Server | undefined): string {
  const tasks = [...pod.tasks].map(
    ({ id, init, execs, frozen }) => `${id} (${init.phase}, pid ${init.pid}, frozen ${frozen}, ${execs.size} more)`,
  );
  return `pod ${pod.id}: ${tasks.join("; ") || "no containers"}; ${server?.connections ?? 0} connections`;
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? "") : "";
}
