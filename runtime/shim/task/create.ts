/** Create: the root is mounted, the streams are there, and init waits to be started. */
import { build } from "../../container/create.ts";
import { type CreateOptions, type PlannedAhead, planAhead } from "../../container/plan.ts";
import { RegError } from "../../errors/errors.ts";
import * as C from "../../libc/constants.ts";
import { close } from "../../libc/file.ts";
import type { CgroupState } from "../../linux/cgroup/types.ts";
import type { GivenMessage, Message } from "../../linux/protobuf.ts";
import { isRootless } from "../../linux/user-namespace.ts";
import { compose } from "../../reg/compose.ts";
import { type MountMapped, mountRoot, unmountRoot, wantsIdMap } from "../mounts.ts";
import { parseOptions } from "../options.ts";
import type { Pod } from "../pod.ts";
import type { Mount } from "../proto/common.ts";
import type { CREATE, PID } from "../proto/task.ts";
import { writeRecord } from "../record.ts";
import { stateRoot } from "../state-root.ts";
import { adoptStreams, Stdio } from "../stdio/stdio.ts";
import { alreadyExists, CallError, CODE, describe } from "../ttrpc/status.ts";
import type { Standby, Tell } from "../worker.ts";
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

/** What a worker has to know to make a container. */
interface Order extends Pick<Task, "id" | "bundle" | "root" | "options"> {
  readonly rootfs: readonly Mount[];
  /** Which of 0 to 2 the descriptors are that come with it. */
  readonly streams: readonly number[];
}

/** A worker that waits for the pod's first Create, and has planned what is in the bundle. */
export type Maker = Standby<Order>;

/** Has a worker get ready for the first Create: it plans the container of the bundle, while containerd looks for the shim. */
export function prepareCreate(pod: Pod, bundle: string): void {
  const options = parseOptions(pod.options, () => {}); // Create will say what is odd
  const likely = { id: pod.id, bundle, root: stateRoot(options, pod.namespace), options };
  pod.maker = pod.workers.aheadNow({
    prepare: () => planAhead(createOptions(likely, () => {})),
    work: (order: Order, descriptors, planned, tell: Tell<Note>) =>
      makeInWorker(order, () => adoptStreams(descriptors, order.streams), undefined, tell, planned),
  });
}

/** The worker that got ready, for a container that it can make; nobody else will want it. */
function takeMaker(pod: Pod, suits: boolean): Maker | undefined {
  const { maker } = pod;
  pod.maker = undefined;
  if (suits) return maker;
  maker?.dismiss();
  return undefined;
}

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
    takeMaker(pod, false);
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
  /** Said when the container is there to be taken back. */
  let failure: { readonly error: unknown } | undefined;
  const { id, options } = task;
  const order: Order = { id, bundle, root, options, rootfs, streams: stdio.targets };
  await pod.workers.run<Note, null, Order>(
    {
      keep: stdio.theirs,
      work: (tell) => {
        pod.sandbox?.giveFiles(bundle);
        return makeInWorker(order, () => stdio.adopt(), mountMapped, tell);
      },
      // Now, while the shim would wait; a terminal is not there yet.
      begun: () => {
        try {
          if (!stdio.streams.terminal) stdio.begin(undefined);
        } catch (error) {
          failure = { error };
        }
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
    },
    { by: () => takeMaker(pod, mountMapped === undefined && pod.sandbox === undefined), order },
  );
  try {
    if (failure !== undefined) throw failure.error;
    if (stdio.streams.terminal) stdio.begin(master);
    else if (master !== undefined) throw unasked(master);
    startOom(pod, task);
    writeRecord(bundle, { version: 1, root, socket: pod.socket, pid: init.pid });
    stdio.beginInputSoon();
  } catch (error) {
    pod.children.forget(init.pid);
    stopOom(task);
    stdio.close(); // first of all: it may be descriptors that are missing
    await removeContainer(pod, task, true).catch((failure) => pod.warn(task.id, `is left: ${describe(failure)}`));
    throw error;
  }
  if (init.exit === undefined) init.phase = "created";
}

/** Who asked for no terminal has nobody who would read what a terminal says. */
function unasked(terminal: number): RegError {
  close(terminal);
  return new RegError("EINVAL", "the container has a terminal, for which the caller did not ask", {
    field: "/process/terminal",
    hint: "let Create ask for a terminal when config.json has one",
  });
}

function createOptions(
  { root, id, bundle, options }: Pick<Order, "id" | "bundle" | "root" | "options">,
  warn: (warning: string) => void,
): CreateOptions {
  return {
    root,
    id,
    bundle,
    noPivot: options.noPivotRoot,
    noNewKeyring: options.noNewKeyring,
    preserveFds: 0,
    listenFds: 0,
    cgroupManager: options.systemdCgroup ? "systemd" : "cgroupfs",
    rootless: isRootless(),
    warn,
    compose,
  };
}

function makeInWorker(
  order: Order,
  adopt: () => void,
  mountMapped: MountMapped | undefined,
  tell: Tell<Note>,
  planned?: PlannedAhead,
): null {
  const { bundle, rootfs } = order;
  mountRoot(rootfs, `${bundle}/rootfs`, mountMapped);
  try {
    adopt();
    const options = createOptions(order, (warning) => tell({ warning }));
    const built = build(options, false, true, undefined, planned);
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
    if (rootfs.length > 0) unmountRoot(`${bundle}/rootfs`);
    throw error;
  }
}
