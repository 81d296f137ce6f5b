/** Delete: takes back what Create and Exec made. Asked again meanwhile, it gives the same answer. */
import { Container } from "../../container/container.ts";
import { deleteContainer } from "../../container/delete.ts";
import type { GivenMessage, Message } from "../../linux/protobuf.ts";
import { now } from "../clock.ts";
import { keepOverlay, unmountRoot } from "../mounts.ts";
import type { Pod } from "../pod.ts";
import type { DELETED, PROCESS } from "../proto/task.ts";
import { SIGKILL } from "../signals.ts";
import type { Standby, Tell } from "../worker.ts";
import { stopOom } from "./oom.ts";
import type { Deleted, Process } from "./process.ts";
import type { Task } from "./task.ts";

/** How long output may take to reach its reader, who may wait for something that will never end. */
const DRAIN_MS = 10_000;
/** How long a worker waits for Delete: one that does not come by then is not waited for by anybody. */
const READY_MS = 2000;

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

interface Warning {
  readonly warning: string;
}

/** What a worker that waits for Delete does not know yet. */
interface Order {
  readonly force: boolean;
}

/** A worker that waits for a container's Delete. */
export type Remover = Standby<Order>;

/** Takes away what a worker made of a container. `force`: kills its init, which has not ended. */
export function removeContainer(pod: Pod, task: Task, force: boolean): Promise<void> {
  const { work, afterwards } = removal(task);
  return pod.workers.run<Warning, void, Order>(
    {
      work: (tell) => work({ force }, tell),
      afterwards,
      note: ({ warning }) => pod.warn(task.id, warning),
    },
    { by: () => task.remover, order: { force } },
  );
}

function removal({ root, id, bundle, mounts }: Task) {
  let letGo = () => {};
  return {
    work: ({ force }: Order, tell: Tell<Warning>) => {
      deleteContainer({ root, id, force, warn: (warning) => tell({ warning }) });
      if (mounts === 0) return;
      if (mounts === 1) letGo = keepOverlay(`${bundle}/rootfs`);
      unmountRoot(`${bundle}/rootfs`);
    },
    afterwards: () => letGo(),
  };
}

/**
 * Has a worker get ready for Delete, which mostly comes soon after the end: it runs what it will run then, as far as that
 * changes nothing, and so has its own copies of the memory by then.
 */
export function prepareDelete(pod: Pod, task: Task): void {
  const { root, id } = task;
  const { work, afterwards } = removal(task);
  pod.workers.ahead<Order, void, Warning, void>(
    {
      prepare: () => {
        const container = Container.open(root, id);
        container.status();
        container.directory.close();
      },
      work: (order, _descriptors, _prepared, tell) => work(order, tell),
      afterwards,
    },
    (remover) => {
      task.remover = remover;
      pod.loop.after(READY_MS, () => remover.dismiss());
    },
  );
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
