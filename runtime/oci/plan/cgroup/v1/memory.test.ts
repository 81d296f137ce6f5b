import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ConfigError } from "../../../../errors/errors.ts";
import type { Memory } from "../../../config.ts";
import { planMemory } from "./memory.ts";

const memory = suite("cgroup v1 memory");

const cases: readonly (readonly [name: string, given: Memory, written: readonly string[]])[] = [
  ["plans nothing for nothing", {}, []],
  ["takes 0 for not given", { limit: 0, swap: 0, reservation: 0 }, []],
  ["writes a limit", { limit: 4096 }, ["limit_in_bytes=4096"]],
  ["writes swap as it is", { limit: 100, swap: 300 }, ["limit_in_bytes=100", "memsw.limit_in_bytes=300"]],
  ["frees swap with memory", { limit: -1 }, ["limit_in_bytes=-1", "memsw.limit_in_bytes=-1"]],
  ["writes a reservation", { reservation: 50 }, ["soft_limit_in_bytes=50"]],
  ["turns the killer off", { disableOOMKiller: true }, ["oom_control=1"]],
  ["leaves the killer on", { disableOOMKiller: false }, []],
  ["writes swappiness, 0 too", { swappiness: 0 }, ["swappiness=0"]],
  ["ignores kernel memory", { kernel: 1, kernelTCP: 0, useHierarchy: true }, []],
  ["limits TCP buffers", { kernelTCP: 2 }, ["kmem.tcp.limit_in_bytes=2"]],
];
for (const [name, given, written] of cases)
  memory(name, () =>
    assert.equal(
      planMemory(given).map(({ file, value }) => `${file.slice("memory.".length)}=${value}`),
      written,
    ),
  );

memory("tries the limit again after that of memory and swap", () =>
  assert.is(planMemory({ limit: 1 })[0]?.retry, true),
);

memory("compares with the present usage when asked to", () =>
  assert.is(planMemory({ limit: 1, checkBeforeUpdate: true })[0]?.notBelow, "memory.usage_in_bytes"),
);

memory("refuses swappiness above 100", () =>
  assert.throws(
    () => planMemory({ swappiness: 101 }),
    (error: unknown) => error instanceof ConfigError && error.message.includes("(valid range is 0-100)"),
  ),
);

memory.run();
