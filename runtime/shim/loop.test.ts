/** Who goes first in the shim's loop. The descriptors are pipes. */

import { suite } from "uvu";
import * as assert from "uvu/assert";
import { host } from "#host";
import * as C from "../libc/constants.ts";
import { close, writeAll } from "../libc/file.ts";
import { Loop } from "./loop.ts";
import { pipes } from "./stdio/pipe.ts";

const loops = suite("shim: loop");
Object.assign(host, { runJobs: () => undefined }); // Node runs them itself, and here are none

/** Runs a loop until something in it calls `stop`. Whatever else is thrown there is the test's. */
function runLoop(begin: (loop: Loop, stop: () => never) => void): void {
  const stopped = new Error("stopped");
  const loop = new Loop((error) => {
    throw error;
  });
  begin(loop, () => {
    throw stopped;
  });
  try {
    loop.run();
  } catch (error) {
    if (error !== stopped) throw error;
  }
}

/** Pipes, of which each holds a byte but the last. */
function withPipes(count: number, test: (pipes: (readonly [number, number])[]) => void): void {
  const made = pipes(count);
  try {
    for (const [, into] of made.slice(0, -1)) writeAll(into, Uint8Array.of(1));
    test(made);
  } finally {
    for (const end of made.flat()) close(end);
  }
}

loops("who waits for an answer comes before all that happened earlier", () =>
  withPipes(21, (made) => {
    const [from, into] = made.at(-1) as readonly [number, number];
    const order: string[] = [];
    runLoop((loop, stop) => {
      for (const [other] of made.slice(0, -1)) {
        const watch = loop.watch(other, C.EPOLLIN, () => {
          if (order.length === 0) writeAll(into, Uint8Array.of(1));
          order.push("other");
          watch.stop();
        });
      }
      const first = loop.watchFirst(from, C.EPOLLIN, () => {
        order.push("first");
        first.stop();
      });
      loop.after(50, stop);
    });
    assert.equal(order, ["other", "first", ...Array.from({ length: 19 }, () => "other")]);
  }),
);

loops("who waits for an answer comes between two times that have come", () =>
  withPipes(1, ([[from, into] = [-1, -1]]) => {
    const order: string[] = [];
    runLoop((loop, stop) => {
      const first = loop.watchFirst(from, C.EPOLLIN, () => {
        order.push("first");
        first.stop();
      });
      loop.after(0, () => {
        writeAll(into, Uint8Array.of(1));
        order.push("time");
      });
      loop.after(0, () => {
        order.push("time");
      });
      loop.after(50, stop);
    });
    assert.equal(order, ["time", "first", "time"]);
  }),
);

loops("who goes first all the time keeps nobody else waiting for ever", () =>
  withPipes(2, ([[other] = [-1], [from, into] = [-1, -1]]) => {
    writeAll(into, Uint8Array.of(1));
    let turns = 0;
    runLoop((loop, stop) => {
      loop.watchFirst(from, C.EPOLLIN, () => {
        turns++;
      });
      loop.watch(other, C.EPOLLIN, stop);
    });
    assert.ok(turns < 10, `${turns} turns`);
  }),
);

loops.run();
