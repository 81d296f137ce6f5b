/** Notices that a container ran out of memory. */

import { RegError } from "../../errors/errors.ts";
import * as C from "../../libc/constants.ts";
import { watchOom } from "../../linux/cgroup/oom.ts";
import type { Pod } from "../pod.ts";
import { describe } from "../ttrpc/status.ts";
import type { Task } from "./task.ts";

/** Watches from the creation on: what the container's own start uses counts too. */
export function startOom(pod: Pod, task: Task): void {
  if (task.cgroup === undefined) return;
  try {
    const watch = watchOom(task.cgroup);
    task.oom = { watch, watched: pod.loop.watch(watch.fd, C.EPOLLIN, () => lookForOom(pod, task)) };
  } catch (error) {
    if (!(error instanceof RegError)) throw error;
    if (error.code !== "ENOENT") pod.warn(task.id, `its memory is not watched: ${describe(error)}`);
  }
}

/** Publishes what has happened since the last look. */
export function lookForOom(pod: Pod, task: Task): void {
  const happened = task.oom?.watch.next();
  if (happened === "oom") pod.publisher.publish("TaskOOM", { containerId: task.id });
  if (happened === "gone") stopOom(task);
}

export function stopOom(task: Task): void {
  task.oom?.watched.stop();
  task.oom?.watch.close();
  task.oom = undefined;
}
