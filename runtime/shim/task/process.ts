/**
 * One process of a container as its caller sees it: the init, or one that was added. What is asked of it is answered from
 * here, at once; its end is recorded once and stays the same for whoever asks.
 *
 *   creating ─▶ created ─▶ running ◀─▶ paused        (paused is the container's, and so its init's)
 *       └──────────┴──────────┴──▶ stopped
 */
import type { Time } from "../clock.ts";
import { STATUS } from "../proto/task.ts";
import type { Exit } from "../record.ts";
import type { Stdio } from "../stdio/stdio.ts";

export type Phase = "creating" | "created" | "running" | "stopped";

export class Process {
  readonly stdio: Stdio;
  /** "" for the init. */
  readonly execId: string;
  pid = 0;
  phase: Phase = "creating";
  /** An attempt to start it is under way; its end is told afterwards. */
  starting: Promise<void> | undefined;
  /** Deleting it is under way, or done; who asks again gets the same answer. */
  deleting: Promise<Deleted> | undefined;
  #exit: Exit | undefined;
  #waiting: ((exit: Exit) => void)[] = [];

  constructor(execId: string, stdio: Stdio) {
    this.execId = execId;
    this.stdio = stdio;
  }

  get exit(): Exit | undefined {
    return this.#exit;
  }

  /** Records the end, and answers those who wait for it. */
  ended(exit: Exit): void {
    if (this.#exit !== undefined) return;
    this.#exit = exit;
    this.phase = "stopped";
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const tell of waiting) tell(exit);
  }

  wait(): Promise<Exit> | Exit {
    return this.#exit ?? new Promise((resolve) => this.#waiting.push(resolve));
  }
}

export interface Deleted {
  readonly pid: number;
  readonly exitStatus: number;
  readonly exitedAt?: Time;
}

/** containerd.v1.types.Status of a process in a container that may be paused. */
export function statusOf({ phase }: Process, frozen: "no" | "pausing" | "paused"): number {
  if (phase === "stopped") return STATUS.stopped;
  if (frozen === "paused") return STATUS.paused;
  if (frozen === "pausing") return STATUS.pausing;
  return phase === "running" ? STATUS.running : STATUS.created;
}
