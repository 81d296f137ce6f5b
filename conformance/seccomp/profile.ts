/** A filter of the size and shape of those that engines send: everything allowed by name, the rest refused. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { BUILD } from "../paths.ts";

export interface Rule {
  names: string[];
  action: string;
  errnoRet?: number;
  args?: { index: number; value: number; valueTwo?: number; op: string }[];
}

export interface Profile {
  defaultAction: string;
  defaultErrnoRet?: number;
  architectures?: string[];
  flags?: string[];
  listenerPath?: string;
  listenerMetadata?: string;
  syscalls?: Rule[];
}

const REFUSED =
  /^(kexec|init_module|finit_module|delete_module|reboot|swap|settimeofday|clock_settime|personality|mkdir)/;

/** Names of system calls, from the table that libseccomp is built from. */
export function systemCalls(): string[] {
  return readFileSync(join(BUILD, "seccomp/source/src/syscalls.csv"), "utf8")
    .split("\n")
    .map((line) => line.split(",")[0] ?? "")
    .filter((name) => /^\w+$/.test(name));
}

/** About 400 rules: one for each name, and some with conditions, as Podman's and Docker's profiles have. */
export function engineProfile(): Profile {
  const allowed = systemCalls().filter((name) => !REFUSED.test(name));
  return {
    defaultAction: "SCMP_ACT_ERRNO",
    defaultErrnoRet: 38,
    architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
    syscalls: [
      ...allowed.map((name) => ({ names: [name], action: "SCMP_ACT_ALLOW" })),
      ...[0, 8, 0x20000, 0x20008, 0xffffffff].map((value) => ({
        names: ["personality"],
        action: "SCMP_ACT_ALLOW",
        args: [{ index: 0, value, op: "SCMP_CMP_EQ" }],
      })),
      { names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 1 },
    ],
  };
}
