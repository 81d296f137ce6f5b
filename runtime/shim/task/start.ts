/** Start: init goes through its gate; an added process is made and started at once. */
import { Container } from "../../container/container.ts";
import { prepareExec } from "../../container/exec.ts";
import { Gate, start as startContainer } from "../../container/start.ts";
import { close } from "../../libc/file.ts";
import { libc } from "../../libc/libc.ts";
import type { GivenMessage, Message } from "../../linux/protobuf.ts";
import type { Pod } from "../pod.ts";
import type { PID, PROCESS } from "../proto/task.ts";
import { SIGKILL } from "../signals.ts";
import { CallError, CODE, describe, failedPrecondition } from "../ttrpc/status.ts";
import { restore } from "./checkpoint.ts";
import { specOf } from "./exec.ts";
import { expectExit } from "./exit.ts";
import type { Process } from "./process.ts";
import type { Task } from "./task.ts";

export async function start(pod: Pod, request: Message<typeof PROCESS>): Promise<GivenMessage<typeof PID>> {
  const task = pod.task(request.id);
  const process = task.process(request.execId);
  const isInit = process === task.init;
  const attempt = isInit ? task.inOrder(() => startInit(pod, task)) : startExec(pod, task, process);
  process.starting = attempt;
  try {
    await attempt;
    if (isInit) pod.publisher.publish("TaskStart", { containerId: task.id, pid: process.pid });
    else pod.publisher.publish("TaskExecStarted", { containerId: task.id, execId: process.execId, pid: process.pid });
  } catch (error) {
    if (error instanceof CallError) throw error;
    throw new CallError(CODE.unknown, `OCI runtime ${isInit ? "start" : "exec"} failed: ${describe(error)}`);
  } finally {
    process.starting = undefined;
  }
  return { pid: process.pid };
}

async function startInit(pod: Pod, task: Task): Promise<void> {
  const { init, root, id } = task;
  if (init.phase === "running") throw new Error("cannot start a container that is running");
  if (init.phase !== "created") throw new Error("cannot start a container that has stopped");
  init.stdio.beginInput();
  if (task.checkpoint !== "") await restore(pod, task, task.checkpoint);
  else if (task.hasPoststart)
    await pod.workers.run<{ readonly warning: string }, void>({
      work: (tell) => startContainer({ root, id, warn: (warning) => tell({ warning }) }),
      note: ({ warning }) => pod.warn(id, warning),
    });
  else await passGate(pod, Container.open(root, id));
  if (init.exit === undefined) init.phase = "running";
}

/** Without a worker: the fifo tells when init has gone through it. */
function passGate(pod: Pod, container: Container): Promise<void> {
  return new Promise((resolve, reject) => {
    try {
      const gate = new Gate(container);
      gate.open();
      const watch = pod.loop.watch(gate.fd, 0, () => {
        watch.stop();
        const failure = gate.close();
        if (failure === undefined) resolve();
        else reject(failure);
      });
    } catch (error) {
      reject(error);
    } finally {
      container.directory.close();
    }
  });
}

type Note = { readonly pid: number } | { readonly warning: string };

async function startExec(pod: Pod, task: Task, process: Process): Promise<void> {
  if (process.phase !== "created") throw new Error(`process ${process.execId} has been started already`);
  if (task.init.phase === "stopped" || task.init.exit !== undefined)
    throw failedPrecondition(`container ${task.id} init process is not running`);
  if (task.frozen !== "no") throw failedPrecondition(`container ${task.id} is paused`);
  const { stdio } = process;
  const spec = specOf(process);
  stdio.open();
  let master: number | undefined;
  try {
    await stdio.ready();
    stdio.beginInput();
    await pod.workers.run<Note, null>({
      keep: stdio.theirs,
      work: (tell) => {
        stdio.adopt();
        const container = Container.open(task.root, task.id);
        const prepared = prepareExec(container, {
          root: task.root,
          id: task.id,
          process: () => spec,
          detach: false,
          preserveFds: 0,
          listenFds: 0,
          ignorePaused: false,
          warn: (warning) => tell({ warning }),
        });
        // Before it runs: who asks for its end must find it.
        tell({ pid: prepared.pid }, prepared.terminal === undefined ? [] : [prepared.terminal]);
        prepared.start();
        return null;
      },
      note: (note, [terminal]) => {
        if ("warning" in note) return pod.warn(task.id, note.warning);
        process.pid = note.pid;
        master = terminal;
        expectExit(pod, task, process);
      },
    });
  } catch (error) {
    if (master !== undefined) close(master);
    pod.children.forget(process.pid); // the worker has reaped it
    process.pid = 0;
    stdio.close();
    throw error;
  }
  try {
    stdio.begin(master);
    stdio.beginInput(); // of a terminal
  } catch (error) {
    if (pod.children.forget(process.pid)) libc.kill(process.pid, SIGKILL); // it runs, and nobody would hear of it
    process.pid = 0;
    stdio.close();
    throw error;
  }
  if (process.exit === undefined) process.phase = "running";
}
