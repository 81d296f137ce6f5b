/** Delete: takes back what Create and Exec made. Asked again meanwhile, it gives the same answer. */
import { deleteContainer } from "../../container/delete.ts";
import type { GivenMessage, Message } from "../../linux/protobuf.ts";
import { now } from "../clock.ts";
import { keepOverlay, unmountRoot } from "../mounts.ts";
import type { Pod } from "../pod.ts";
import type { DELETED, PROCESS } from "../proto/task.ts";
import { SIGKILL } from "../signals.ts";
import { stopOom } from "./oom.ts";
import type { Deleted, Process } from "./process.ts";
import type { Task } from "./task.ts";

/** How long output may take to reach its reader, who may wait for something that will never end. */
const DRAIN_MS = 10_000;

export function deleteProcess(pod: Pod, request: Message<typeof PROCESS>): Promise<GivenMessage<typeof DELETED>> {
  const task = pod.task(request.id);
  const process = task.process(request.execId);
  if (process.phase === "running" || process.phase === "creating" || process.starting !== undefined)
    throw new Error("cannot delete a running process");
  process.deleting ??= (process === task.init ? deleteTask(pod, task) : deleteExec(pod, task, process)).catch(
    (error) => {
      process.deleting = undefined; // whoever asks again, tries again
      throw error;
    },
  );
  return process.deleting;
}

async function drain(pod: Pod, { stdio }: Process): Promise<void> {
  let timer: ReturnType<Pod["loop"]["after"]> | undefined;
  const late = new Promise<void>((resolve) => {
    timer = pod.loop.after(DRAIN_MS, resolve);
  });
  await Promise.race([stdio.drained(), late]);
  timer?.cancel();
  stdio.close();
}

function answer({ pid, exit }: Process): Deleted {
  return exit === undefined ? { pid, exitStatus: 0 } : { pid, exitStatus: exit.status, exitedAt: exit.at };
}

async function deleteExec(pod: Pod, task: Task, process: Process): Promise<Deleted> {
  if (process.exit !== undefined) await drain(pod, process);
  process.stdio.close();
  task.execs.delete(process.execId);
  return answer(process);
}

/** Takes away what a worker made of a container. `force`: kills its init, which has not ended. */
export function removeContainer(pod: Pod, { root, id, bundle, mounts }: Task, force: boolean): Promise<void> {
  let letGo = () => {};
  return pod.workers.run({
    work: (tell) => {
      deleteContainer({ root, id, force, warn: (warning) => tell({ warning }) });
      if (mounts === 0) return;
      if (mounts === 1) letGo = keepOverlay(`${bundle}/rootfs`);
      unmountRoot(`${bundle}/rootfs`);
    },
    afterwards: () => letGo(),
    note: ({ warning }: { readonly warning: string }) => pod.warn(id, warning),
  });
}

function deleteTask(pod: Pod, task: Task): Promise<Deleted> {
  const { init, id } = task;
  return task.inOrder(async () => {
    const started = init.exit !== undefined;
    if (started) await drain(pod, init);
    await removeContainer(pod, task, !started);
    // One that was never started has been killed now; one from a checkpoint was not there yet.
    if (init.pid === 0) init.ended({ status: 128 + SIGKILL, at: now() });
    const exit = await init.wait();
    init.stdio.close();
    stopOom(task);
    for (const process of task.execs.values()) process.stdio.close();
    pod.remove(task);
    pod.publisher.publish("TaskDelete", {
      containerId: id,
      pid: init.pid,
      exitStatus: exit.status,
      exitedAt: exit.at,
    });
    return answer(init);
  });
}
