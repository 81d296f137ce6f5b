/**
 * memory controller, cgroup v2. Bytes; -1 is unlimited, 0 counts as not given. The specification's swap is memory and swap
 * together, as on v1; memory.swap.max is swap alone. swappiness, disableOOMKiller and kernel limits have no counterpart.
 * Source: runtime-spec config-linux.md "Memory"; kernel cgroup-v2.rst "Memory Interface Files".
 */
import { ConfigError } from "../../../../errors/errors.ts";
import type { FileWrite } from "../../../../linux/cgroup/types.ts";
import type { Memory } from "../../../config.ts";
import { decimalOrMax } from "../number.ts";

const FIELD = "/linux/resources/memory";

/** What memory.swap.max becomes; undefined leaves it alone. Throws ConfigError for a swap limit that can not be. */
export function swapAlone(memory: Memory): string | undefined {
  const limit = memory.limit ?? 0;
  const swap = memory.swap ?? 0;
  if (swap < 0 || (swap === 0 && limit === -1)) return "max";
  if (swap === 0) return undefined;
  const fault = (message: string, expected: string) =>
    new ConfigError(message, [{ pointer: `${FIELD}/swap`, expected, found: decimalOrMax(swap) }]);
  if (limit === 0) throw fault("unable to set swap limit without memory limit", "memory.limit as well");
  if (limit < 0) throw fault("unable to set swap limit with unlimited memory", "a memory.limit, or swap -1");
  if (swap < limit) throw fault("memory+swap limit should be >= memory limit", `at least ${decimalOrMax(limit)}`);
  return decimalOrMax(swap - limit);
}

export function planMemory(memory: Memory | undefined): FileWrite[] {
  if (memory === undefined) return [];
  const controller = "memory";
  const writes: FileWrite[] = [];
  const swap = swapAlone(memory);
  if (swap !== undefined)
    writes.push({
      controller,
      file: "memory.swap.max",
      value: swap,
      field: `${FIELD}/${memory.swap ? "swap" : "limit"}`,
      // A kernel that does not count swap gives none and limits none: fine when that is what was asked for.
      ...(swap === "max" || swap === "0" ? { otherwise: "skip" } : {}),
    });
  const limit = memory.limit ?? 0;
  if (limit !== 0)
    writes.push({
      controller,
      file: "memory.max",
      value: decimalOrMax(limit),
      field: `${FIELD}/limit`,
      ...(memory.checkBeforeUpdate === true && limit > 0 ? { notBelow: "memory.current" } : {}),
    });
  if (memory.reservation !== undefined && memory.reservation !== 0)
    writes.push({
      controller,
      file: "memory.low",
      value: decimalOrMax(memory.reservation),
      field: `${FIELD}/reservation`,
    });
  return writes;
}
