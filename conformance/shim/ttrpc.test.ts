/** The shim under frames that no client of good will sends: whoever sends them gets an error, others notice nothing. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { encode } from "../../runtime/linux/protobuf.ts";
import { CONTAINER } from "../../runtime/shim/proto/task.ts";
import { REQUEST } from "../../runtime/shim/proto/ttrpc.ts";
import { sleep, type Tasks, withShim } from "../fixtures/shim-fixture.ts";
import { frameOf, type Refused } from "../fixtures/ttrpc.ts";
import { mounting, needs, root } from "../testing.ts";

const ttrpc = suite("shim: ttRPC");
const test = needs(ttrpc, root, mounting);

const SERVICE = "containerd.task.v3.Task";
const connectRequest = encode(REQUEST, {
  service: SERVICE,
  method: "Connect",
  payload: encode(CONTAINER, { id: "x" }),
});

function withConnection(body: (tasks: Tasks, other: Tasks) => Promise<void>): Promise<void> {
  return withShim(async (shim) => {
    const started = await shim.start("one", shim.bundle("true"));
    const [tasks, other] = [await shim.connect(started), await shim.connect(started)];
    await body(tasks, other);
    assert.is((await other.call("Connect", { id: "x" })).taskPid, 0, "another connection goes on");
  });
}

async function codeOf(answer: Promise<unknown>): Promise<number> {
  return answer.then(
    () => 0,
    (error: Refused) => error.code,
  );
}

test("takes frames in pieces of any size, and several at once", () =>
  withConnection(async ({ client }) => {
    const frame = frameOf(1, 1, connectRequest);
    const first = client.answer(1);
    for (const byte of frame) {
      client.socket.write(Buffer.from([byte]));
      await sleep(1);
    }
    await first;
    const both = [client.answer(3), client.answer(5)];
    client.socket.write(Buffer.concat([frameOf(3, 1, connectRequest), frameOf(5, 1, connectRequest)]));
    await Promise.all(both);
  }));

test("refuses streams that are even, or not above those before", () =>
  withConnection(async ({ client }) => {
    for (const [stream, code] of [
      [2, 3],
      [7, 0],
      [7, 3],
      [5, 3],
    ] as const) {
      const answer = client.answer(stream);
      client.socket.write(frameOf(stream, 1, connectRequest));
      assert.is(await codeOf(answer), code);
    }
  }));

test("throws a frame away that is too large, and goes on behind it", () =>
  withConnection(async ({ client }) => {
    const answer = client.answer(1);
    const large = Buffer.alloc(4 * 1024 * 1024 + 1);
    client.socket.write(frameOf(1, 1, large));
    assert.is(await codeOf(answer), 8);
    const next = client.answer(3);
    client.socket.write(frameOf(3, 1, connectRequest));
    await next;
  }));

test("refuses data without a stream, ignores frames of unknown types, refuses what is no message", () =>
  withConnection(async ({ client }) => {
    const data = client.answer(9);
    client.socket.write(frameOf(9, 3, new Uint8Array(3)));
    assert.is(await codeOf(data), 3);
    client.socket.write(frameOf(1, 77, new Uint8Array(3)));
    const garbage = client.answer(11);
    client.socket.write(frameOf(11, 1, Buffer.from([0xff, 0xff, 0xff, 0xff])));
    assert.is(await codeOf(garbage), 3);
  }));

test("says what service or method it does not know", () =>
  withConnection(async ({ client }) => {
    assert.is(await codeOf(client.call("containerd.task.v1.Task", "State", new Uint8Array(0))), 12);
    assert.is(await codeOf(client.call(SERVICE, "constructor", new Uint8Array(0))), 12);
    assert.is(await codeOf(client.call(SERVICE, "State", Buffer.from([0x0a, 0x7f]))), 3);
  }));

test("outlives 2,000 frames of chance", () =>
  withConnection(async ({ client }, other) => {
    let state = 1;
    const random = (below: number) => {
      state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
      return state % below;
    };
    client.socket.on("error", () => undefined);
    for (let count = 0; count < 2000; count++) {
      const data = Buffer.from(connectRequest);
      for (let change = random(4); change >= 0; change--) data[random(data.length)] = random(256);
      client.socket.write(
        frameOf(random(2) === 0 ? count * 2 + 1 : random(1000), random(5), data.subarray(0, random(data.length + 1))),
      );
      if (count % 200 === 0) await other.call("Connect", { id: "x" });
    }
  }));

ttrpc.run();
