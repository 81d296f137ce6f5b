/** Create: the root is mounted, the streams are there, and init waits to be started. */
import { build } from "../../container/create.ts";
import * as C from "../../libc/constants.ts";
import type { CgroupState } from "../../linux/cgroup/types.ts";
import type { GivenMessage, Message } from "../../linux/protobuf.ts";
import { isRootless } from "../../linux/user-namespace.ts";
import { compose } from "../../reg/compose.ts";
import { mountRoot, unmountRoot, wantsIdMap } from "../mounts.ts";
import { parseOptions } from "../options.ts";
import type { Pod } from "../pod.ts";
import type { CREATE, PID } from "../proto/task.ts";
import { writeRecord } from "../record.ts";
import { stateRoot } from "../state-root.ts";
import { Stdio } from "../stdio/stdio.ts";
import { alreadyExists, CallError, CODE, describe } from "../ttrpc/status.ts";
import { removeContainer } from "./delete.ts";
import { expectExit } from "./exit.ts";
import { startOom, stopOom } from "./oom.ts";
import { Process } from "./process.ts";
import { Task } from "./task.ts";

/** What a worker tells of the container that it has made; with the terminal's master beside it, if there is one. */
interface Made {
  readonly pid: number;
  readonly cgroup: CgroupState;
  readonly ownPids: boolean;
  readonly hasPoststart: boolean;
}
type Note = { readonly made: Made } | { readonly warning: string };

export async function create(pod: Pod, request: Message<typeof CREATE>): Promise<GivenMessage<typeof PID>> {
  const { id, bundle, rootfs, terminal, stdin, stdout, stderr, checkpoint } = request;
  if (pod.find(id) !== undefined) throw alreadyExists(`container ${id} already exists`);
  const options = parseOptions(request.options, (text) => pod.warn(id, text));
  const stdio = new Stdio(
    { stdin, stdout, stderr, terminal },
    {
      loop: pod.loop,
      uid: options.ioUid,
      gid: options.ioGid,
      logger: { id, namespace: pod.namespace, children: pod.children },
    },
  );
  const init = new Process("", stdio);
  const root = stateRoot(options, pod.namespace);
  const task = new Task({ id, bundle, root, options, init, mounts: rootfs.length, checkpoint });
  pod.add(task);
  init.starting = task.inOrder(() => make(pod, task, rootfs));
  try {
    await init.starting;
    pod.publisher.publish("TaskCreate", {
      containerId: id,
      bundle,
      rootfs,
      io: { stdin, stdout, stderr, terminal },
      checkpoint,
      pid: init.pid,
    });
  } catch (error) {
    pod.remove(task);
    stdio.close();
    if (error instanceof CallError) throw error;
    throw new CallError(CODE.unknown, `OCI runtime create failed: ${describe(error)}`);
  } finally {
    init.starting = undefined;
  }
  return { pid: init.pid };
}

async function make(pod: Pod, task: Task, rootfs: Message<typeof CREATE>["rootfs"]): Promise<void> {
  const { init, bundle, root } = task;
  const { stdio } = init;
  stdio.open();
  await stdio.ready();
  const { mountMapped } = wantsIdMap(rootfs) ? await pod.program.idMapped() : { mountMapped: undefined };
  if (task.checkpoint !== "") {
    // Its processes are made by Start: until then, its root may get the files that it had.
    await pod.workers.run({
      work: () => {
        pod.sandbox?.giveFiles(bundle);
        mountRoot(rootfs, `${bundle}/rootfs`, mountMapped);
      },
    });
    writeRecord(bundle, { version: 1, root, socket: pod.socket });
    init.phase = "created";
    return;
  }
  let master: number | undefined;
  await pod.workers.run<Note, null>({
    keep: stdio.theirs,
    work: (tell) => {
      pod.sandbox?.giveFiles(bundle);
      return makeInWorker(task, () => mountRoot(rootfs, `${bundle}/rootfs`, mountMapped), tell);
    },
    note: (note, [terminal]) => {
      if ("warning" in note) return pod.warn(task.id, note.warning);
      master = terminal;
      init.pid = note.made.pid;
      task.cgroup = note.made.cgroup;
      task.ownPids = note.made.ownPids;
      task.hasPoststart = note.made.hasPoststart;
      expectExit(pod, task, init);
    },
  });
  try {
    stdio.begin(master);
    startOom(pod, task);
    writeRecord(bundle, { version: 1, root, socket: pod.socket, pid: init.pid });
  } catch (error) {
    pod.children.forget(init.pid);
    stopOom(task);
    stdio.close(); // first of all: it may be descriptors that are missing
    await removeContainer(pod, task, true).catch((failure) => pod.warn(task.id, `is left: ${describe(failure)}`));
    throw error;
  }
  if (init.exit === undefined) init.phase = "created";
}

function makeInWorker(
  { id, bundle, root, options, init, mounts }: Task,
  mountAll: () => void,
  tell: (note: Note, descriptors?: readonly number[]) => void,
): null {
  mountAll();
  try {
    init.stdio.adopt();
    const built = build(
      {
        root,
        id,
        bundle,
        noPivot: options.noPivotRoot,
        noNewKeyring: options.noNewKeyring,
        preserveFds: 0,
        listenFds: 0,
        cgroupManager: options.systemdCgroup ? "systemd" : "cgroupfs",
        rootless: isRootless(),
        warn: (warning) => tell({ warning }),
        compose,
      },
      false,
      true,
    );
    try {
      if (!built.told) built.channel.send({ type: "park" });
      const { pid, plan, terminal, container } = built;
      const made: Made = {
        pid,
        cgroup: container.state.cgroup,
        ownPids: (plan.namespaces.create & C.CLONE_NEWPID) !== 0,
        hasPoststart: (container.state.hooks.poststart ?? []).length > 0,
      };
      tell({ made }, terminal === undefined ? [] : [terminal]);
      return null;
    } catch (error) {
      built.rollback.run();
      throw error;
    }
  } catch (error) {
    if (mounts > 0) unmountRoot(`${bundle}/rootfs`);
    throw error;
  }
}
