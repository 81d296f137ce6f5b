/** The queue of events: its order, what is sent again, and that it does not grow without end. Time and containerd are the test's. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { decode } from "../linux/protobuf.ts";
import { Publisher } from "./events.ts";
import type { Loop } from "./loop.ts";
import { EVENTS, FORWARD } from "./proto/events.ts";
import { type Client, Disconnected } from "./ttrpc/client.ts";
import { CallError, CODE } from "./ttrpc/status.ts";

const events = suite("shim: events");

/** A publisher, what containerd took, and what it is told next: "away" until then. */
function begin() {
  const taken: number[] = [];
  const said: string[] = [];
  const sleeping: (() => void)[] = [];
  const daemon = { answer: (_pid: number): void => undefined };
  const client: Pick<Client, "call"> = {
    call: async (_service, _method, request) => {
      const { envelope } = decode(FORWARD, request);
      const { pid } = decode(EVENTS.TaskStart.table, envelope?.event?.value ?? new Uint8Array(0));
      daemon.answer(pid);
      taken.push(pid);
      return new Uint8Array(0);
    },
  };
  const loop = {
    sleep: (ms: number) => (ms === 0 ? Promise.resolve() : new Promise<void>((resolve) => sleeping.push(resolve))),
  };
  const publisher = new Publisher("test", client as Client, loop as unknown as Loop, (text) => said.push(text));
  const publish = (...pids: readonly number[]) => {
    for (const pid of pids) publisher.publish("TaskStart", { containerId: "one", pid });
  };
  const settle = () => new Promise((resolve) => setTimeout(resolve, 1));
  const again = async () => {
    await settle();
    for (const wake of sleeping.splice(0)) wake();
    await settle();
  };
  return { taken, said, daemon, publish, again, settle };
}

events("what was not taken is sent again, in its order, and what was taken is not", async () => {
  const { taken, said, daemon, publish, again, settle } = begin();
  publish(1);
  await settle();
  daemon.answer = () => {
    throw new Disconnected("away");
  };
  publish(2, 3);
  await again();
  await again();
  assert.equal(taken, [1]);
  daemon.answer = () => undefined;
  await again();
  assert.equal(taken, [1, 2, 3]);
  assert.equal(said, []);
});

events("what containerd refuses is told and dropped, and the next is sent", async () => {
  const { taken, said, daemon, publish, settle } = begin();
  daemon.answer = (pid) => {
    if (pid === 2) throw new CallError(CODE.invalidArgument, "no such topic");
  };
  publish(1, 2, 3);
  await settle();
  assert.equal(taken, [1, 3]);
  assert.equal(said, ["event /tasks/start is dropped: no such topic"]);
});

events("with more than 2,048 the oldest go, and each is told of", async () => {
  const { taken, said, daemon, publish, again } = begin();
  daemon.answer = () => {
    throw new Disconnected("away");
  };
  const all = Array.from({ length: 2100 }, (_, index) => index + 1);
  publish(...all);
  assert.is(said.length, 2100 - 2048);
  daemon.answer = () => undefined;
  await again();
  assert.equal(taken, all.slice(-2048));
});

events.run();
