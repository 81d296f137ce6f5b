/**
 * Variants of a library for newer processors, in glibc-hwcaps/LEVEL below a library folder. An environment gets all of them, as it may run on
 * another processor; which one this processor would take matters to compare with its loader.
 * Source: glibc's manual page of ld.so, sysdeps/x86_64/dl-hwcaps_subdirs.c.
 */
import { readFileSync } from "node:fs";

// What each level of the x86-64 psABI asks for, in the words of /proc/cpuinfo, beyond the level before.
const X86_64_LEVELS: readonly (readonly [level: string, flags: readonly string[]])[] = [
  ["x86-64-v2", ["cx16", "lahf_lm", "popcnt", "pni", "sse4_1", "sse4_2", "ssse3"]],
  ["x86-64-v3", ["avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe", "xsave"]],
  ["x86-64-v4", ["avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"]],
];

/** The levels of this machine's processor, best first. */
export function hostLevels(cpuinfo = readCpuinfo()): string[] {
  const flags = new Set(/^flags\s*:(.*)$/m.exec(cpuinfo)?.[1]?.trim().split(/\s+/));
  const missing = X86_64_LEVELS.findIndex(([, needed]) => !needed.every((flag) => flags.has(flag)));
  return X86_64_LEVELS.slice(0, missing === -1 ? undefined : missing)
    .map(([level]) => level)
    .reverse();
}

function readCpuinfo(): string {
  try {
    return readFileSync("/proc/cpuinfo", "utf8");
  } catch {
    return "";
  }
}
