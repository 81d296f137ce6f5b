/**
 * The Sandbox service: containerd 2 with `sandboxer = "shim"` leaves a pod to its shim. The pod is then a container of the shim's own, whose
 * process holds the namespaces (pause.ts); containerd knows it as no task, and hears no events of it. Loaded when it is called for: most shims
 * never are.
 * Source: containerd api/runtime/sandbox/v1/sandbox.proto, plugins/sandbox/controller.go.
 */
import { host } from "#host";
import { replaceFile } from "../../libc/file.ts";
import { decode, type GivenMessage, type Message } from "../../linux/protobuf.ts";
import { now, type Time } from "../clock.ts";
import type { Pod } from "../pod.ts";
import { EMPTY, typeName } from "../proto/common.ts";
import * as proto from "../proto/sandbox.ts";
import { SIGKILL } from "../signals.ts";
import { kill } from "../task/control.ts";
import { create } from "../task/create.ts";
import { deleteProcess } from "../task/delete.ts";
import { start } from "../task/start.ts";
import { statsOf } from "../task/stats.ts";
import type { Task } from "../task/task.ts";
import { method, type Service } from "../ttrpc/server.ts";
import { alreadyExists, CallError, CODE, describe, notFound } from "../ttrpc/status.ts";
import { pauseConfig } from "./config.ts";
import { givePodFiles, makePodFiles, removePodFiles } from "./files.ts";

type Nothing = GivenMessage<typeof EMPTY>;

/** The pod as containerd sees it. */
export interface Sandbox {
  readonly id: string;
  readonly bundle: string;
  /** Whether the pod has a cgroup, which its containers' are in. */
  readonly hasCgroup: boolean;
  readonly task: Task;
  startedAt?: Time;
  /** Puts the pod's files into the config.json in the bundle of one of its containers. Runs in a worker. */
  readonly giveFiles: (bundle: string) => void;
}

export function sandboxService(pod: Pod): Service {
  return {
    CreateSandbox: method(proto.CREATE_SANDBOX, EMPTY, (request) => createSandbox(pod, request)),
    StartSandbox: method(proto.SANDBOX, proto.SANDBOX_STARTED, (request) => startSandbox(pod, request)),
    Platform: method(proto.SANDBOX, proto.SANDBOX_PLATFORM, () => platform()),
    StopSandbox: method(proto.STOP_SANDBOX, EMPTY, (request) => stopSandbox(pod, request)),
    WaitSandbox: method(proto.SANDBOX, proto.SANDBOX_EXITED, (request) => waitSandbox(pod, request)),
    SandboxStatus: method(proto.STATUS_OF_SANDBOX, proto.SANDBOX_STATUS, (request) => sandboxStatus(pod, request)),
    PingSandbox: method(proto.SANDBOX, EMPTY, (request) => {
      sandboxOf(pod, request);
      return {};
    }),
    SandboxMetrics: method(proto.SANDBOX, proto.SANDBOX_METRICS, (request) => sandboxMetrics(pod, request)),
    ShutdownSandbox: method(proto.SANDBOX, EMPTY, (request) => shutdownSandbox(pod, request)),
  };
}

/** Throws NotFound. */
function sandboxOf(pod: Pod, { sandboxId }: { readonly sandboxId: string }): Sandbox {
  if (pod.sandbox?.id !== sandboxId) throw notFound(`sandbox not created: ${sandboxId}`);
  return pod.sandbox;
}

const CONFIG = "runtime.v1.PodSandboxConfig";

async function createSandbox(
  pod: Pod,
  { sandboxId: id, bundlePath: bundle, options, netnsPath }: Message<typeof proto.CREATE_SANDBOX>,
): Promise<Nothing> {
  if (pod.sandbox !== undefined || pod.find(id) !== undefined) throw alreadyExists(`sandbox ${id} already exists`);
  // Without a description the pod has namespaces, and no more.
  const described = options !== undefined && typeName(options).endsWith(CONFIG) ? options.value : new Uint8Array(0);
  const config = decode(proto.POD_CONFIG, described);
  const pause = JSON.stringify(pauseConfig(id, netnsPath, config));
  pod.publisher.mute(id);
  try {
    await pod.workers.run({
      work: () => {
        makePodFiles(bundle, config);
        replaceFile(`${bundle}/config.json`, pause);
      },
    });
  } catch (error) {
    throw new CallError(CODE.unknown, `sandbox ${id} can not be made: ${describe(error)}`);
  }
  const none = { terminal: false, stdin: "", stdout: "", stderr: "", checkpoint: "", parentCheckpoint: "" };
  try {
    await create(pod, { id, bundle, rootfs: [], options: pod.options, ...none });
  } catch (error) {
    await pod.workers.run({ work: () => removePodFiles(bundle) });
    throw error;
  }
  pod.sandbox = {
    id,
    bundle,
    hasCgroup: (config.linux?.cgroupParent ?? "") !== "",
    task: pod.task(id),
    giveFiles: (member) => givePodFiles(member, { id, bundle }),
  };
  return {};
}

async function startSandbox(
  pod: Pod,
  request: Message<typeof proto.SANDBOX>,
): Promise<GivenMessage<typeof proto.SANDBOX_STARTED>> {
  const sandbox = sandboxOf(pod, request);
  const { pid } = await start(pod, { id: sandbox.id, execId: "" });
  sandbox.startedAt = now();
  return { pid, createdAt: sandbox.startedAt };
}

/** By the names that Go has for them. */
function platform(): GivenMessage<typeof proto.SANDBOX_PLATFORM> {
  return { platform: { os: "linux", architecture: host.arch === "x64" ? "amd64" : host.arch } };
}

/** The process has nothing to save: it is killed. containerd has stopped the pod's containers before. */
async function stopSandbox(pod: Pod, request: Message<typeof proto.STOP_SANDBOX>): Promise<Nothing> {
  const { id, task } = sandboxOf(pod, request);
  if (task.init.exit !== undefined) return {};
  await kill(pod, { id, execId: "", signal: SIGKILL, all: false });
  await task.init.wait();
  return {};
}

async function waitSandbox(
  pod: Pod,
  request: Message<typeof proto.SANDBOX>,
): Promise<GivenMessage<typeof proto.SANDBOX_EXITED>> {
  const { status, at } = await sandboxOf(pod, request).task.init.wait();
  return { exitStatus: status, exitedAt: at };
}

function sandboxStatus(
  pod: Pod,
  request: Message<typeof proto.STATUS_OF_SANDBOX>,
): GivenMessage<typeof proto.SANDBOX_STATUS> {
  const { id, task, startedAt } = sandboxOf(pod, request);
  const { pid, phase, exit } = task.init;
  const ready = phase === "running" && exit === undefined;
  return {
    sandboxId: id,
    pid,
    state: ready ? "SANDBOX_READY" : "SANDBOX_NOTREADY",
    ...(request.verbose ? { info: { info: JSON.stringify({ pid, runtimeType: "io.containerd.reg.v2" }) } } : {}),
    ...(startedAt === undefined ? {} : { createdAt: startedAt }),
    ...(exit === undefined ? {} : { exitedAt: exit.at }),
  };
}

/** Those of the pod's cgroup, where it has one. */
function sandboxMetrics(pod: Pod, request: Message<typeof proto.SANDBOX>): GivenMessage<typeof proto.SANDBOX_METRICS> {
  const { id, task, hasCgroup } = sandboxOf(pod, request);
  const { cgroup } = task;
  if (cgroup === undefined || task.init.exit !== undefined) throw notFound(`sandbox ${id} has no cgroup`);
  const parent = ([name, path]: [string, string]) => [name, path.slice(0, path.lastIndexOf("/"))];
  const paths = hasCgroup ? Object.fromEntries(Object.entries(cgroup.paths).map(parent)) : cgroup.paths;
  const data = statsOf({ ...cgroup, paths });
  if (data === undefined) throw notFound(`sandbox ${id} has no cgroup`);
  return { metrics: { timestamp: now(), id, data } };
}

/** Ends the shim. Containers that are left are killed, and the shim stays until they have been deleted. */
async function shutdownSandbox(pod: Pod, request: Message<typeof proto.SANDBOX>): Promise<Nothing> {
  const { sandbox } = pod;
  if (sandbox !== undefined) {
    const { id, bundle } = sandboxOf(pod, request);
    await stopSandbox(pod, { sandboxId: id, timeoutSecs: 0 });
    for (const { id, init } of pod.tasks)
      if (init.pid !== 0 && init.exit === undefined) await kill(pod, { id, execId: "", signal: SIGKILL, all: true });
    await deleteProcess(pod, { id, execId: "" });
    await pod.workers.run({ work: () => removePodFiles(bundle) });
    pod.sandbox = undefined;
  }
  pod.shutdown();
  return {};
}
