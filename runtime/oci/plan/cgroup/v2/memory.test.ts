import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ConfigError } from "../../../../errors/errors.ts";
import type { Memory } from "../../../config.ts";
import { planMemory } from "./memory.ts";

const memory = suite("cgroup v2 memory");

const cases: readonly (readonly [name: string, given: Memory, written: readonly string[]])[] = [
  ["plans nothing for nothing", {}, []],
  ["writes a limit", { limit: 4096 }, ["memory.max=4096"]],
  ["takes 0 for not given", { limit: 0, swap: 0, reservation: 0 }, []],
  ["writes swap alone, and before the limit", { limit: 100, swap: 300 }, ["memory.swap.max=200", "memory.max=100"]],
  ["forbids swap when memory and swap are equal", { limit: 100, swap: 100 }, ["memory.swap.max=0", "memory.max=100"]],
  ["frees swap with memory", { limit: -1 }, ["memory.swap.max=max", "memory.max=max"]],
  ["lets swap be unlimited alone", { swap: -1 }, ["memory.swap.max=max"]],
  ["limits memory and not swap", { limit: 100, swap: -1 }, ["memory.swap.max=max", "memory.max=100"]],
  ["makes a reservation memory.low", { reservation: 50 }, ["memory.low=50"]],
  ["ignores what has no counterpart", { swappiness: 60, disableOOMKiller: true, kernel: 5, kernelTCP: 6 }, []],
  ["writes int64's largest number in digits", { limit: 2 ** 63 }, ["memory.max=9223372036854775808"]],
];
for (const [name, given, written] of cases)
  memory(name, () =>
    assert.equal(
      planMemory(given).map(({ file, value }) => `${file}=${value}`),
      written,
    ),
  );

const faults: readonly (readonly [name: string, given: Memory, message: string])[] = [
  ["swap without memory", { swap: 100 }, "unable to set swap limit without memory limit"],
  ["swap below memory", { limit: 100, swap: 99 }, "memory+swap limit should be >= memory limit"],
  ["limited swap with unlimited memory", { limit: -1, swap: 100 }, "unable to set swap limit with unlimited memory"],
];
for (const [name, given, message] of faults)
  memory(`refuses ${name}`, () =>
    assert.throws(
      () => planMemory(given),
      (error: unknown) =>
        error instanceof ConfigError &&
        error.message === message &&
        error.faults[0]?.pointer === "/linux/resources/memory/swap",
    ),
  );

memory("does not insist on a swap file when no swap, or all of it, was asked for", () => {
  assert.is(planMemory({ limit: 1, swap: 1 })[0]?.otherwise, "skip");
  assert.is(planMemory({ limit: 1, swap: -1 })[0]?.otherwise, "skip");
  assert.is(planMemory({ limit: 1, swap: 2 })[0]?.otherwise, undefined);
});

memory("compares with the present usage when asked to", () => {
  assert.is(planMemory({ limit: 1, checkBeforeUpdate: true }).at(-1)?.notBelow, "memory.current");
  assert.is(planMemory({ limit: -1, checkBeforeUpdate: true }).at(-1)?.notBelow, undefined);
  assert.is(planMemory({ limit: 1 }).at(-1)?.notBelow, undefined);
});

memory.run();
