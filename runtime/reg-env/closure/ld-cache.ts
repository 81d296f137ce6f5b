/**
 * An ld.so.cache for libraries in folders that the loader does not search by itself. The root's own cache is of no use: it names libraries that
 * the environment does not have. Where all libraries are in default folders there is none, so that environments can be put together.
 */
import type { Collector } from "./collector.ts";
import { type CacheEntry, formatCache } from "./loader/cache.ts";
import type { LoadedObject } from "./loader/objects.ts";

export function makeCache(collector: Collector): void {
  const entries = new Map<string, CacheEntry>();
  let first: LoadedObject | undefined;
  for (const object of collector.cached) {
    if (!collector.files.has(object.path)) continue;
    first ??= object;
    for (const name of object.names)
      if (!name.includes("/"))
        entries.set(`${name} ${object.elf.machine} ${object.elf.bits}`, {
          name,
          path: object.found,
          flags: flagsOf(object),
          legacy: false,
        });
  }
  if (first === undefined) return;
  collector.generate("/etc/ld.so.cache", {
    content: formatCache([...entries.values()], first.elf.bigEndian),
    mode: 0o644,
    reason: {
      rule: "ld.so.cache",
      from: first.path,
      text: `${first.path} is in a folder that the loader finds by ld.so.cache only; made anew with what is in the environment`,
    },
  });
}

const FLAG_ELF_LIBC6 = 3;
/** FLAG_X8664_LIB64 and its like, by e_machine. Source: glibc's sysdeps/generic/ldconfig.h. */
const ABI: ReadonlyMap<number, number> = new Map([
  [62, 0x0300],
  [22, 0x0400],
  [21, 0x0500],
  [183, 0x0a00],
  [243, 0x1000],
]);

function flagsOf({ elf }: LoadedObject): number {
  if (elf.machine === 40) return FLAG_ELF_LIBC6 | ((elf.flags & 0x400) !== 0 ? 0x0900 : 0x0b00);
  // x32: 32-bit files of a 64-bit machine.
  if (elf.machine === 62 && elf.bits === 32) return FLAG_ELF_LIBC6 | 0x0800;
  return FLAG_ELF_LIBC6 | (ABI.get(elf.machine) ?? 0);
}
