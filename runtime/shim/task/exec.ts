/** Exec: only records what is to run; Start runs it. */
import { host } from "#host";
import type { GivenMessage, Message } from "../../linux/protobuf.ts";
import type { Process as Spec } from "../../oci/config.ts";
import { parseProcess } from "../../oci/parse.ts";
import type { Pod } from "../pod.ts";
import type { EMPTY } from "../proto/common.ts";
import type { EXEC } from "../proto/task.ts";
import { Stdio } from "../stdio/stdio.ts";
import { alreadyExists, failedPrecondition } from "../ttrpc/status.ts";
import { Process } from "./process.ts";

/** Until it is started. */
const specs = new WeakMap<Process, Spec>();

export async function exec(pod: Pod, request: Message<typeof EXEC>): Promise<GivenMessage<typeof EMPTY>> {
  const { id, execId, stdin, stdout, stderr, terminal } = request;
  const task = pod.task(id);
  if (execId === "" || task.execs.has(execId)) throw alreadyExists(`id ${execId}: already exists`);
  if (task.init.phase === "stopped") throw failedPrecondition(`container ${id} init process is not running`);
  if (task.frozen !== "no") throw failedPrecondition(`cannot exec in a paused container: ${id}`);
  let spec: Spec;
  try {
    spec = parseProcess(host.decode(request.spec?.value ?? new Uint8Array(0)), `process ${execId}`);
  } catch (error) {
    throw await pod.workers.explain(error);
  }
  const { ioUid, ioGid } = task.options;
  const stdio = new Stdio(
    { stdin, stdout, stderr, terminal },
    {
      loop: pod.loop,
      uid: ioUid,
      gid: ioGid,
      logger: { id, namespace: pod.namespace, children: pod.children },
    },
  );
  const process = new Process(execId, stdio);
  process.phase = "created";
  specs.set(process, { ...spec, terminal });
  task.execs.set(execId, process);
  stdio.meet();
  pod.publisher.publish("TaskExecAdded", { containerId: id, execId });
  return {};
}

/** What the process is to be. Throws when it was asked for before. */
export function specOf(process: Process): Spec {
  const spec = specs.get(process);
  if (spec === undefined) throw new Error(`process ${process.execId} has been started already`);
  specs.delete(process);
  return spec;
}
