/** State, Wait, Pids and Connect: what is known, told at once. */

import { libc } from "../../libc/libc.ts";
import { openCgroup } from "../../linux/cgroup/cgroup.ts";
import { encode, type GivenMessage, type Message } from "../../linux/protobuf.ts";
import type { Pod } from "../pod.ts";
import {
  type CONNECTED,
  type CONTAINER,
  type PIDS,
  type PROCESS,
  PROCESS_DETAILS,
  type STATE,
  type WAITED,
} from "../proto/task.ts";
import { statusOf } from "./process.ts";

export function state(pod: Pod, { id, execId }: Message<typeof PROCESS>): GivenMessage<typeof STATE> {
  const task = pod.task(id);
  const process = task.process(execId);
  const { exit, pid } = process;
  return {
    id: execId === "" ? id : execId,
    bundle: task.bundle,
    pid,
    status: statusOf(process, task.frozen),
    ...process.stdio.streams,
    ...(exit === undefined ? {} : { exitStatus: exit.status, exitedAt: exit.at }),
    execId,
  };
}

export async function wait(pod: Pod, { id, execId }: Message<typeof PROCESS>): Promise<GivenMessage<typeof WAITED>> {
  const { status, at } = await pod.task(id).process(execId).wait();
  return { exitStatus: status, exitedAt: at };
}

/** All processes in the container's cgroup. Never none as long as there is a record: containerd would take the task for lost. */
export function pids(pod: Pod, { id }: Message<typeof CONTAINER>): GivenMessage<typeof PIDS> {
  const task = pod.task(id);
  const found = task.cgroup === undefined ? [] : openCgroup(task.cgroup).pids();
  const all = found.length > 0 ? found : [task.init.pid];
  const execIds = new Map([...task.execs.values()].map((process) => [process.pid, process.execId]));
  return {
    processes: all.map((pid) => {
      const execId = execIds.get(pid);
      if (execId === undefined) return { pid };
      return {
        pid,
        info: { typeUrl: "containerd.runc.v1.ProcessDetails", value: encode(PROCESS_DETAILS, { execId }) },
      };
    }),
  };
}

/** Never an error: containerd asks first of all, also for what is not there. */
export function connect(pod: Pod, { id }: Message<typeof CONTAINER>): GivenMessage<typeof CONNECTED> {
  return { shimPid: libc.getpid(), taskPid: pod.find(id)?.init.pid ?? 0, version: "v2" };
}
