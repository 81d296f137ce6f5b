/** A container of the shim's pod: what is known of it, without asking anybody. */
import type { OomWatch } from "../../linux/cgroup/oom.ts";
import type { CgroupState } from "../../linux/cgroup/types.ts";
import type { Watch } from "../loop.ts";
import type { Options } from "../options.ts";
import type { Any } from "../proto/common.ts";
import { notFound } from "../ttrpc/status.ts";
import type { Remover } from "./delete.ts";
import type { Process } from "./process.ts";

export interface TaskOptions {
  readonly id: string;
  readonly bundle: string;
  /** Directory of the containers' state, the namespace's. */
  readonly root: string;
  readonly options: Options;
  readonly init: Process;
  /** How many mounts the shim made for the root filesystem, and has to unmount. */
  readonly mounts: number;
  /** Directory of the checkpoint that Start goes on from; "" for a new container. */
  readonly checkpoint: string;
}

export class Task {
  readonly id: string;
  readonly bundle: string;
  readonly root: string;
  readonly options: Options;
  readonly init: Process;
  readonly mounts: number;
  readonly checkpoint: string;
  readonly execs = new Map<string, Process>();
  cgroup: CgroupState | undefined;
  /** Whether the end of init is the end of all: it has a pid namespace of its own. */
  ownPids = true;
  /** Hooks that have to run after init has started. */
  hasPoststart = false;
  frozen: "no" | "pausing" | "paused" = "no";
  oom: { readonly watch: OomWatch; readonly watched: Watch } | undefined;
  /** The last statistics, for the time between the end and Delete, when the cgroup may be gone. */
  lastStats: Any | undefined;
  /** Waits for Delete. */
  remover: Remover | undefined;
  /** What changes the container happens in order. */
  #last: Promise<unknown> = Promise.resolve();

  constructor({ id, bundle, root, options, init, mounts, checkpoint }: TaskOptions) {
    this.id = id;
    this.bundle = bundle;
    this.root = root;
    this.options = options;
    this.init = init;
    this.mounts = mounts;
    this.checkpoint = checkpoint;
  }

  /** The process with this exec id, "" for the init. Throws NotFound. */
  process(execId: string): Process {
    if (execId === "") return this.init;
    const process = this.execs.get(execId);
    if (process === undefined) throw notFound(`process ${execId} in container ${this.id} does not exist`);
    return process;
  }

  /** Runs `action` after all that was asked for before. Other containers do not wait. */
  inOrder<T>(action: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(action, action);
    this.#last = mine.catch(() => undefined);
    return mine;
  }
}
