/** The pod: the containers that one shim keeps, and what they share. */

import type { Children } from "./children.ts";
import type { Publisher } from "./events.ts";
import { log } from "./log.ts";
import type { Loop } from "./loop.ts";
import type { Program } from "./program.ts";
import type { Any } from "./proto/common.ts";
import type { Sandbox } from "./sandbox/service.ts";
import type { Maker } from "./task/create.ts";
import type { Task } from "./task/task.ts";
import { notFound } from "./ttrpc/status.ts";
import type { Workers } from "./worker.ts";

export interface PodOptions {
  readonly id: string;
  readonly namespace: string;
  /** Those that `start` was given, for the sandbox. */
  readonly options: Any | undefined;
  readonly loop: Loop;
  readonly children: Children;
  readonly workers: Workers;
  readonly publisher: Publisher;
  /** What is loaded when it is asked for. */
  readonly program: Pick<Program, "checkpoint" | "restore" | "idMapped">;
  /** Ends the shim, after what it has to say has been said. */
  readonly end: () => void;
  /** Called when the last container has been deleted. */
  readonly emptied: () => void;
}

export class Pod {
  readonly id: string;
  readonly namespace: string;
  /** The path of the shim's socket, once it listens. */
  socket = "";
  readonly loop: Loop;
  readonly children: Children;
  readonly workers: Workers;
  readonly publisher: Publisher;
  readonly program: PodOptions["program"];
  readonly options: Any | undefined;
  /** Waits for the first container. */
  maker: Maker | undefined;
  /** Where containerd has left the pod to its shim. */
  sandbox: Sandbox | undefined;
  readonly #tasks = new Map<string, Task>();
  readonly #end: () => void;
  readonly #emptied: () => void;
  /** Whether Shutdown was asked for while there were containers. */
  #shutdownAsked = false;

  constructor(options: PodOptions) {
    this.id = options.id;
    this.namespace = options.namespace;
    this.loop = options.loop;
    this.children = options.children;
    this.workers = options.workers;
    this.publisher = options.publisher;
    this.program = options.program;
    this.options = options.options;
    this.#end = options.end;
    this.#emptied = options.emptied;
  }

  get tasks(): Iterable<Task> {
    return this.#tasks.values();
  }

  get isEmpty(): boolean {
    return this.#tasks.size === 0;
  }

  find(id: string): Task | undefined {
    return this.#tasks.get(id);
  }

  /** Throws NotFound. */
  task(id: string): Task {
    const task = this.#tasks.get(id);
    if (task === undefined) throw notFound(`container not created: ${id}`);
    return task;
  }

  add(task: Task): void {
    this.#tasks.set(task.id, task);
  }

  /** The pod's last container was deleted: containerd does not always ask again to shut down. */
  remove(task: Task): void {
    this.#tasks.delete(task.id);
    if (!this.isEmpty) return;
    if (this.#shutdownAsked) this.#end();
    else this.#emptied();
  }

  /** Ends the shim if there are no containers, otherwise when there are none any more. */
  shutdown(): void {
    if (this.isEmpty) this.#end();
    else this.#shutdownAsked = true;
  }

  warn(task: string, text: string): void {
    log("warning", `container ${task}: ${text}`);
  }
}
