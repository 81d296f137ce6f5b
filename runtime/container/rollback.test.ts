import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Rollback } from "./rollback.ts";

const rollback = suite("rollback");

rollback("takes back the last step first, each once", () => {
  const order: number[] = [];
  const undo = new Rollback();
  for (const step of [1, 2, 3]) undo.add(() => order.push(step));
  assert.equal(undo.run(), []);
  undo.run();
  assert.equal(order, [3, 2, 1]);
});

rollback("goes on after a failure, and returns it", () => {
  const order: number[] = [];
  const failure = new Error("no");
  const undo = new Rollback();
  undo.add(() => order.push(1));
  undo.add(() => {
    throw failure;
  });
  undo.add(() => order.push(3));
  assert.equal(undo.run(), [failure]);
  assert.equal(order, [3, 1]);
});

rollback.run();
