/**
 * Variants of a library for newer processors, in glibc-hwcaps/LEVEL below a library folder. An environment gets all of them, as it may run on
 * another processor; which one this processor would take matters to compare with its loader, in tests.
 * Source: glibc's manual page of ld.so.
 */
import { spawnSync } from "node:child_process";

/**
 * The levels that a loader of this machine takes, best first: none for one before glibc 2.33. The loader is asked, not /proc/cpuinfo: it goes by what
 * the processor says, and a virtual machine may hide from the kernel what the processor has.
 */
export function hostLevels(loader: string): string[] {
  const { stdout } = spawnSync(loader, ["--help"], { encoding: "utf8" });
  return [...(stdout ?? "").matchAll(/^ {2}(x86-64-v\d) \(.*\bsearched\)$/gm)].map(([, level = ""]) => level);
}
