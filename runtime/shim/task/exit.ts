/**
 * The end of a process: recorded, told to those who wait, published. The ends of added processes come before that of their
 * init, and an out-of-memory kill before the end that it caused.
 */
import { RegError } from "../../errors/errors.ts";
import { openCgroup } from "../../linux/cgroup/cgroup.ts";
import { now } from "../clock.ts";
import { log } from "../log.ts";
import type { Pod } from "../pod.ts";
import { writeRecord } from "../record.ts";
import { SIGKILL } from "../signals.ts";
import { describe } from "../ttrpc/status.ts";
import { prepareDelete } from "./delete.ts";
import { lookForOom, stopOom } from "./oom.ts";
import type { Process } from "./process.ts";
import { keepStats } from "./stats.ts";
import type { Task } from "./task.ts";

/** From now on the end of the process is looked after. To be called as soon as its pid is known. */
export function expectExit(pod: Pod, task: Task, process: Process): void {
  pod.children.expect(process.pid, (status) => {
    void settle(pod, task, process, { status, at: now() });
  });
}

async function settle(pod: Pod, task: Task, process: Process, exit: { status: number; at: ReturnType<typeof now> }) {
  // A start is told before the end. It ends as the process has.
  if (process.starting !== undefined) await process.starting.catch(() => undefined);
  if (process === task.init) await endOthers(task);
  lookForOom(pod, task);
  process.stdio.processEnded();
  if (process === task.init) {
    keepStats(task);
    stopOom(task);
    record(pod, task, exit);
  }
  process.ended(exit);
  pod.publisher.publish("TaskExit", {
    containerId: task.id,
    id: process.execId === "" ? task.id : process.execId,
    pid: process.pid,
    exitStatus: exit.status,
    exitedAt: exit.at,
  });
  if (process === task.init) prepareDelete(pod, task);
}

/** Where pids are shared, the end of init does not end the others; and it is told after theirs in any case. */
async function endOthers(task: Task): Promise<void> {
  if (!task.ownPids && task.cgroup !== undefined) {
    try {
      openCgroup(task.cgroup).killAll(SIGKILL);
    } catch (error) {
      if (!(error instanceof RegError)) throw error;
      log("warning", `container ${task.id}: ${describe(error)}`);
    }
  }
  for (const other of task.execs.values()) {
    if (other.starting !== undefined) await other.starting.catch(() => undefined);
    if (other.pid !== 0) await other.wait();
  }
}

/** For `delete`, should the shim be gone by then. */
function record(pod: Pod, task: Task, exit: { status: number; at: ReturnType<typeof now> }): void {
  try {
    writeRecord(task.bundle, { version: 1, root: task.root, socket: pod.socket, pid: task.init.pid, exit });
  } catch (error) {
    if (!(error instanceof RegError)) throw error;
    log("warning", `container ${task.id}: its end is not recorded: ${describe(error)}`);
  }
}
