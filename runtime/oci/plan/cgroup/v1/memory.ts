/**
 * memory controller, cgroup v1. Bytes; -1 is unlimited, 0 counts as not given. A limit of kernel memory as such is
 * ignored: Linux 5.16 refuses it. That of TCP buffers still works, where the kernel has it.
 * Source: runtime-spec config-linux.md "Memory"; kernel cgroup-v1/memory.rst.
 */
import { ConfigError } from "../../../../errors/errors.ts";
import type { FileWrite } from "../../../../linux/cgroup/types.ts";
import type { Memory } from "../../../config.ts";
import { decimal } from "../number.ts";

const FIELD = "/linux/resources/memory";

export function planMemory(memory: Memory | undefined): FileWrite[] {
  if (memory === undefined) return [];
  const controller = "memory";
  const writes: FileWrite[] = [];
  const limit = memory.limit ?? 0;
  if (limit !== 0) {
    const check = memory.checkBeforeUpdate === true && limit > 0 ? { notBelow: "memory.usage_in_bytes" } : {};
    // The kernel wants limit <= memory+swap at all times: when both rise, the second write has to come first.
    const write = { controller, file: "memory.limit_in_bytes", value: decimal(limit), field: `${FIELD}/limit` };
    writes.push({ ...write, ...check, retry: true });
  }
  if (memory.swap !== undefined && memory.swap !== 0)
    writes.push({
      controller,
      file: "memory.memsw.limit_in_bytes",
      value: decimal(memory.swap),
      field: `${FIELD}/swap`,
      ...(memory.swap < 0 ? { otherwise: "skip" } : {}),
    });
  // Unlimited memory means unlimited swap, where the kernel counts swap at all.
  else if (limit < 0)
    writes.push({
      controller,
      file: "memory.memsw.limit_in_bytes",
      value: "-1",
      field: `${FIELD}/limit`,
      otherwise: "skip",
    });
  if (memory.reservation !== undefined && memory.reservation !== 0)
    writes.push({
      controller,
      file: "memory.soft_limit_in_bytes",
      value: decimal(memory.reservation),
      field: `${FIELD}/reservation`,
    });
  if (memory.kernelTCP !== undefined && memory.kernelTCP !== 0)
    writes.push({
      controller,
      file: "memory.kmem.tcp.limit_in_bytes",
      value: decimal(memory.kernelTCP),
      field: `${FIELD}/kernelTCP`,
      otherwise: "skip",
    });
  if (memory.disableOOMKiller === true)
    writes.push({ controller, file: "memory.oom_control", value: "1", field: `${FIELD}/disableOOMKiller` });
  const { swappiness } = memory;
  if (swappiness !== undefined) {
    if (swappiness > 100)
      throw new ConfigError(`invalid memory swappiness value: ${decimal(swappiness)} (valid range is 0-100)`, [
        { pointer: `${FIELD}/swappiness`, expected: "0 to 100", found: decimal(swappiness) },
      ]);
    writes.push({
      controller,
      file: "memory.swappiness",
      value: String(swappiness),
      field: `${FIELD}/swappiness`,
    });
  }
  return writes;
}
