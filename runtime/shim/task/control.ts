/** Kill, Pause, Resume, Update, CloseIO, ResizePty: what changes a container while it is there. */
import { host } from "#host";
import { pause as pauseContainer, resume as resumeContainer } from "../../container/pause.ts";
import { update as updateContainer } from "../../container/update.ts";
import { ESRCH } from "../../errors/errno.ts";
import { RegError, SyscallError } from "../../errors/errors.ts";
import { libc } from "../../libc/libc.ts";
import { openCgroup } from "../../linux/cgroup/cgroup.ts";
import type { GivenMessage, Message } from "../../linux/protobuf.ts";
import { parseResources } from "../../oci/parse.ts";
import type { Pod } from "../pod.ts";
import type { EMPTY } from "../proto/common.ts";
import type { CLOSE_IO, CONTAINER, KILL, RESIZE, UPDATE } from "../proto/task.ts";
import { SIGKILL } from "../signals.ts";
import { failedPrecondition, invalidArgument, notFound } from "../ttrpc/status.ts";
import type { Task } from "./task.ts";

type Nothing = GivenMessage<typeof EMPTY>;

/** The pid is that of a child which has not been reaped: it can not be another process's by now. */
export async function kill(pod: Pod, { id, execId, signal, all }: Message<typeof KILL>): Promise<Nothing> {
  const task = pod.task(id);
  const process = task.process(execId);
  if (signal > 64) throw invalidArgument(`signal ${signal} does not exist`);
  const { cgroup } = task;
  if (all && execId === "" && cgroup !== undefined && task.init.phase !== "creating") {
    if (task.init.exit !== undefined && task.ownPids) throw notFound("process already finished");
    await pod.workers.run({ work: () => openCgroup(cgroup).killAll(signal) });
    return {};
  }
  if (process.exit !== undefined) throw notFound("process already finished");
  if (process.pid === 0) throw failedPrecondition("process not created");
  if (libc.kill(process.pid, signal) === -1) {
    if (host.errno() === ESRCH) throw notFound("process already finished");
    throw new SyscallError("kill(2)", `process ${process.pid}`, host.errno());
  }
  // A frozen process takes SIGKILL only when it thaws, on cgroup v1.
  if (signal === SIGKILL && cgroup?.version === 1 && task.frozen !== "no") thaw(task);
  return {};
}

function thaw(task: Task): void {
  if (task.cgroup === undefined) return;
  try {
    openCgroup(task.cgroup).thaw();
  } catch (error) {
    if (!(error instanceof RegError)) throw error; // without a freezer nothing is frozen
  }
  task.frozen = "no";
}

export function pause(pod: Pod, { id }: Message<typeof CONTAINER>): Promise<Nothing> {
  const task = pod.task(id);
  return task.inOrder(async () => {
    if (task.init.phase !== "running") throw new Error(`cannot pause a container that is not running: ${id}`);
    if (task.frozen !== "no") throw new Error(`cannot pause a paused container: ${id}`);
    task.frozen = "pausing";
    try {
      await pod.workers.run({ work: () => pauseContainer(task.root, id) });
      task.frozen = "paused";
    } catch (error) {
      task.frozen = "no";
      throw error;
    }
    pod.publisher.publish("TaskPaused", { containerId: id });
    return {};
  });
}

export function resume(pod: Pod, { id }: Message<typeof CONTAINER>): Promise<Nothing> {
  const task = pod.task(id);
  return task.inOrder(async () => {
    if (task.frozen !== "paused") throw new Error(`cannot resume a container that is not paused: ${id}`);
    await pod.workers.run({ work: () => resumeContainer(task.root, id) });
    task.frozen = "no";
    pod.publisher.publish("TaskResumed", { containerId: id });
    return {};
  });
}

export function update(pod: Pod, { id, resources }: Message<typeof UPDATE>): Promise<Nothing> {
  const task = pod.task(id);
  return task.inOrder(async () => {
    if (task.init.phase === "stopped") throw new Error(`cannot update a stopped container: ${id}`);
    if (resources === undefined) throw invalidArgument("no resources are given");
    const text = host.decode(resources.value);
    await pod.workers.run({ work: () => updateContainer(task.root, id, parseResources(text, "resources")) });
    return {};
  });
}

export function closeIo(pod: Pod, { id, execId, stdin }: Message<typeof CLOSE_IO>): Nothing {
  const process = pod.task(id).process(execId);
  if (stdin) process.stdio.closeStdin();
  return {};
}

export function resizePty(pod: Pod, { id, execId, width, height }: Message<typeof RESIZE>): Nothing {
  const process = pod.task(id).process(execId);
  if (process.exit !== undefined) throw new Error("cannot resize a stopped container");
  process.stdio.resize(width, height);
  return {};
}
