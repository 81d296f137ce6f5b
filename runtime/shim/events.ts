/**
 * Events to containerd, in order. The first of the queue stays until it is delivered or too old; what containerd has
 * acknowledged is never sent again. Nobody should build on them alone: State, Wait and Delete say the same.
 */

import { nowMs } from "../linux/cgroup/wait.ts";
import { encode, type GivenMessage } from "../linux/protobuf.ts";
import { now } from "./clock.ts";
import type { Loop } from "./loop.ts";
import { EVENTS, FORWARD } from "./proto/events.ts";
import type { Client } from "./ttrpc/client.ts";
import { CallError } from "./ttrpc/status.ts";

type EventName = keyof typeof EVENTS;
export type EventOf<Name extends EventName> = GivenMessage<(typeof EVENTS)[Name]["table"]>;

const SERVICE = "containerd.services.events.ttrpc.v1.Events";
const LONGEST_QUEUE = 2048;
const OLDEST_MS = 20_000;
const TIMEOUT_MS = 5000;

interface Waiting {
  readonly atMs: number;
  readonly topic: string;
  readonly request: () => Uint8Array;
}

export class Publisher {
  readonly #namespace: string;
  readonly #client: Client | undefined;
  readonly #loop: Loop;
  readonly #log: (text: string) => void;
  readonly #queue: Waiting[] = [];
  #muted: string | undefined;
  #idle: (() => void)[] = [];
  #sending = false;

  /** Without a client, where containerd is too old to take events by ttRPC, they are dropped. */
  constructor(namespace: string, client: Client | undefined, loop: Loop, log: (text: string) => void) {
    this.#namespace = namespace;
    this.#client = client;
    this.#loop = loop;
    this.#log = log;
  }

  /** The container is none for containerd: nothing of it is told. */
  mute(containerId: string): void {
    this.#muted = containerId;
  }

  publish<Name extends EventName>(name: Name, event: EventOf<Name>): void {
    if (this.#client === undefined || event.containerId === this.#muted) return;
    const { topic, table } = EVENTS[name];
    const timestamp = now();
    const request = () => {
      const value = encode(table, event);
      const envelope = {
        timestamp,
        namespace: this.#namespace,
        topic,
        event: { typeUrl: `containerd.events.${name}`, value },
      };
      return encode(FORWARD, { envelope });
    };
    if (this.#queue.length >= LONGEST_QUEUE) this.#drop("there are too many");
    this.#queue.push({ atMs: nowMs(), topic, request });
    if (this.#sending) return;
    this.#sending = true;
    const client = this.#client;
    // A call that is answered now is answered first: somebody waits for that.
    void this.#loop.sleep(0).then(() => this.#send(client));
  }

  /** Resolves when all is delivered, or the time is over. */
  flush(timeoutMs: number): Promise<void> {
    if (!this.#sending) return Promise.resolve();
    return new Promise((resolve) => {
      this.#idle.push(resolve);
      this.#loop.after(timeoutMs, resolve);
    });
  }

  async #send(client: Client): Promise<void> {
    for (let delayMs = 10; this.#queue[0] !== undefined; ) {
      const [first] = this.#queue;
      try {
        await client.call(SERVICE, "Forward", first.request(), TIMEOUT_MS);
        delayMs = 10;
        if (this.#queue[0] === first) this.#queue.shift();
      } catch (error) {
        // containerd has it and does not want it: again would be no better.
        if (error instanceof CallError) this.#drop(error.message);
        else if (nowMs() - first.atMs > OLDEST_MS) this.#drop("containerd does not answer");
        else {
          await this.#loop.sleep(delayMs);
          delayMs = Math.min(delayMs * 2, 1000);
        }
      }
    }
    this.#sending = false;
    const waiting = this.#idle;
    this.#idle = [];
    for (const resolve of waiting) resolve();
  }

  #drop(why: string): void {
    const dropped = this.#queue.shift();
    this.#log(`event ${dropped?.topic} is dropped: ${why}`);
  }
}
