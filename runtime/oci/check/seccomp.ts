/** Rules of /linux/seccomp. */
import type { Config, LinuxSeccomp } from "../config.ts";
import { hasWord } from "../words.ts";
import type { Faults } from "./faults.ts";

const ARCHITECTURES =
  " X86 X86_64 X32 ARM AARCH64 LOONGARCH64 M68K MIPS MIPS64 MIPS64N32 MIPSEL MIPSEL64 MIPSEL64N32 PARISC PARISC64 PPC PPC64 PPC64LE RISCV64 S390 S390X SH SHEB ";
const SECCOMP_FLAGS = " TSYNC LOG SPEC_ALLOW WAIT_KILLABLE_RECV ";

/** seccomp_init(3), seccomp_rule_add(3). */
export function seccompRules(seccomp: LinuxSeccomp, { annotations }: Config, faults: Faults): void {
  const at = "/linux/seccomp";
  const { defaultAction = "", syscalls = [], architectures = [], flags = [] } = seccomp;
  if (defaultAction === "" && syscalls.length > 0)
    faults.add(`${at}/defaultAction`, "an action, because there are rules", seccomp.defaultAction);
  // The filter would stop the very call that hands its listener over.
  if (defaultAction === "SCMP_ACT_NOTIFY")
    faults.add(`${at}/defaultAction`, "another action, because init must send the listener", defaultAction);
  if (seccomp.defaultErrnoRet !== undefined && defaultAction !== "" && !takesErrno(defaultAction))
    faults.add(`${at}/defaultErrnoRet`, `no errno for ${defaultAction}`, seccomp.defaultErrnoRet);
  for (const [index, name] of architectures.entries()) {
    const bare = name.replace("SCMP_ARCH_", "").toUpperCase();
    if (!hasWord(ARCHITECTURES, bare))
      faults.add(
        `${at}/architectures/${index}`,
        "an architecture that libseccomp knows",
        name,
        prefixed("SCMP_ARCH_", ARCHITECTURES),
      );
  }
  for (const [index, name] of flags.entries())
    if (!hasWord(SECCOMP_FLAGS, name.replace("SECCOMP_FILTER_FLAG_", "")) || !name.startsWith("SECCOMP_"))
      faults.add(`${at}/flags/${index}`, "a flag of seccomp(2)", name, prefixed("SECCOMP_FILTER_FLAG_", SECCOMP_FLAGS));
  let notifies = false;
  for (let index = 0; index < syscalls.length; index++) {
    const { action, errnoRet, args } = syscalls[index] as (typeof syscalls)[number];
    if (action === "SCMP_ACT_NOTIFY") notifies = true;
    if (errnoRet !== undefined && !takesErrno(action))
      faults.add(`${at}/syscalls/${index}/errnoRet`, `no errno for ${action}`, errnoRet);
    if (args === undefined) continue;
    for (let number = 0; number < args.length; number++) {
      const argument = args[number]?.index ?? 0;
      if (argument > 5) faults.add(`${at}/syscalls/${index}/args/${number}/index`, "0 to 5", argument);
    }
  }
  // crun's callers name the listener by annotation.
  if (notifies && (seccomp.listenerPath ?? "") === "" && annotations?.["run.oci.seccomp.receiver"] === undefined)
    faults.add(`${at}/listenerPath`, "a socket for SCMP_ACT_NOTIFY", seccomp.listenerPath);
}

function takesErrno(action: string): boolean {
  return action === "SCMP_ACT_ERRNO" || action === "SCMP_ACT_TRACE";
}

function prefixed(prefix: string, names: string): string {
  return names.trim().replaceAll(" ", ` ${prefix}`).replace("", prefix);
}
