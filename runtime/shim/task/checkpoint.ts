/**
 * Checkpoint, and the start of a task that was created from one. Both are rare: their code is loaded by the worker that needs it, and is
 * not in the memory of the shim.
 */
import type { CgroupMode } from "../../container/criu/options.ts";
import * as C from "../../libc/constants.ts";
import { close } from "../../libc/file.ts";
import type { CgroupState } from "../../linux/cgroup/types.ts";
import { decode, type GivenMessage, type Message } from "../../linux/protobuf.ts";
import { isRootless } from "../../linux/user-namespace.ts";
import { compose } from "../../reg/compose.ts";
import type { Pod } from "../pod.ts";
import { type Any, type EMPTY, typeName } from "../proto/common.ts";
import { CHECKPOINT_OPTIONS } from "../proto/options.ts";
import type { CHECKPOINT } from "../proto/task.ts";
import { writeRecord } from "../record.ts";
import { CallError, CODE, describe, failedPrecondition, invalidArgument } from "../ttrpc/status.ts";
import { expectExit } from "./exit.ts";
import { startOom } from "./oom.ts";
import type { Task } from "./task.ts";

type Warning = { readonly warning: string };

/** Without options a checkpoint leaves the container running. */
const NONE = decode(CHECKPOINT_OPTIONS, new Uint8Array(0));

function parseOptions(any: Any | undefined): Message<typeof CHECKPOINT_OPTIONS> {
  if (any === undefined || typeName(any) === "") return NONE;
  if (typeName(any) !== "containerd.runc.v1.CheckpointOptions")
    throw invalidArgument(`options of a checkpoint of type ${typeName(any)}`);
  return decode(CHECKPOINT_OPTIONS, any.value);
}

export function checkpoint(
  pod: Pod,
  { id, path, options }: Message<typeof CHECKPOINT>,
): Promise<GivenMessage<typeof EMPTY>> {
  const task = pod.task(id);
  const asked = parseOptions(options);
  const imagePath = path || asked.imagePath;
  if (imagePath === "") throw invalidArgument("no path is given for the checkpoint");
  return task.inOrder(async () => {
    if (task.init.phase !== "running" || task.init.exit !== undefined)
      throw failedPrecondition(`cannot checkpoint a container that is not running: ${id}`);
    try {
      await pod.workers.run<Warning, void>({
        work: async (tell) => {
          const container = await pod.program.checkpoint();
          container.checkpoint({
            root: task.root,
            id,
            imagePath,
            workPath: asked.workPath || `${task.bundle}/criu-work`,
            leaveRunning: !asked.exit,
            keep: true, // Delete will come for it, as for any that has ended
            tcpEstablished: asked.openTcp,
            externalUnixSockets: asked.externalUnixSockets,
            shellJob: asked.terminal,
            fileLocks: asked.fileLocks,
            ...(asked.cgroupsMode === "" ? {} : { manageCgroupsMode: asked.cgroupsMode as CgroupMode }),
            ...(asked.parentPath === "" ? {} : { parentPath: asked.parentPath }),
            warn: (warning) => tell({ warning }),
            compose,
          });
        },
        note: ({ warning }) => pod.warn(id, warning),
      });
    } catch (error) {
      throw new CallError(CODE.unknown, `OCI runtime checkpoint failed: ${describe(error)}`);
    }
    pod.publisher.publish("TaskCheckpointed", { containerId: id, checkpoint: imagePath });
    return {};
  });
}

/** What the worker tells of the container; with the terminal's master beside it, if there is one. */
interface Restored {
  readonly pid: number;
  readonly cgroup: CgroupState;
  readonly ownPids: boolean;
}

/** Lets the processes of the checkpoint go on, in a task that was created for them. */
export async function restore(pod: Pod, task: Task, imagePath: string): Promise<void> {
  const { init, root, id, bundle, options } = task;
  const { stdio } = init;
  let master: number | undefined;
  try {
    await pod.workers.run<{ readonly restored: Restored } | Warning, void>({
      keep: stdio.theirs,
      work: async (tell) => {
        const container = await pod.program.restore();
        stdio.adopt();
        const restored = container.rebuild(
          {
            root,
            id,
            bundle,
            imagePath,
            workPath: options.criuWorkPath || `${bundle}/criu-work`,
            detach: false,
            noPivot: options.noPivotRoot,
            noNewKeyring: options.noNewKeyring,
            cgroupManager: options.systemdCgroup ? "systemd" : "cgroupfs",
            rootless: isRootless(),
            warn: (warning) => tell({ warning }),
            compose,
          },
          false,
        );
        const { pid, plan, terminal } = restored;
        const ownPids = (plan.namespaces.create & C.CLONE_NEWPID) !== 0;
        const made = { pid, cgroup: restored.container.state.cgroup, ownPids };
        tell({ restored: made }, terminal === undefined ? [] : [terminal]);
      },
      note: (note, [terminal]) => {
        if ("warning" in note) return pod.warn(id, note.warning);
        master = terminal;
        init.pid = note.restored.pid;
        task.cgroup = note.restored.cgroup;
        task.ownPids = note.restored.ownPids;
        expectExit(pod, task, init);
      },
    });
  } catch (error) {
    if (master !== undefined) close(master);
    throw error;
  }
  stdio.begin(master);
  stdio.beginInput();
  startOom(pod, task);
  writeRecord(bundle, { version: 1, root, socket: pod.socket, pid: init.pid });
}
