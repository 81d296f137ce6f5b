/** Capabilities by name. Source: capabilities(7), linux/capability.h, capget(2). */
import { checked } from "../libc/call.ts";
import * as C from "../libc/constants.ts";
import { libc } from "../libc/libc.ts";
import { Struct } from "../libc/memory.ts";
import { CAP_DATA, CAP_HEADER } from "../libc/structs.ts";

// biome-ignore format: the order is the kernel's numbering
const NAMES = [
  "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_SETGID",
  "CAP_SETUID", "CAP_SETPCAP", "CAP_LINUX_IMMUTABLE", "CAP_NET_BIND_SERVICE", "CAP_NET_BROADCAST", "CAP_NET_ADMIN",
  "CAP_NET_RAW", "CAP_IPC_LOCK", "CAP_IPC_OWNER", "CAP_SYS_MODULE", "CAP_SYS_RAWIO", "CAP_SYS_CHROOT",
  "CAP_SYS_PTRACE", "CAP_SYS_PACCT", "CAP_SYS_ADMIN", "CAP_SYS_BOOT", "CAP_SYS_NICE", "CAP_SYS_RESOURCE",
  "CAP_SYS_TIME", "CAP_SYS_TTY_CONFIG", "CAP_MKNOD", "CAP_LEASE", "CAP_AUDIT_WRITE", "CAP_AUDIT_CONTROL",
  "CAP_SETFCAP", "CAP_MAC_OVERRIDE", "CAP_MAC_ADMIN", "CAP_SYSLOG", "CAP_WAKE_ALARM", "CAP_BLOCK_SUSPEND",
  "CAP_AUDIT_READ", "CAP_PERFMON", "CAP_BPF", "CAP_CHECKPOINT_RESTORE",
] as const;

/** All capability names, in the kernel's order: the index is the number. */
export const CAPABILITY_NAMES: readonly string[] = NAMES;

/** A set of capabilities as the two 32-bit words of capset(2). */
export interface CapabilitySet {
  readonly low: number;
  readonly high: number;
}

/** The capability's number; -1 for a name this kernel interface does not have. Accepts names without CAP_, in any case. */
export function capabilityNumber(name: string): number {
  const upper = name.toUpperCase();
  return CAPABILITY_NAMES.indexOf(upper.startsWith("CAP_") ? upper : `CAP_${upper}`);
}

/** A set from names. Unknown names are put into `unknown`, not refused: a newer kernel may know them. */
export function capabilitySet(names: readonly string[], unknown: string[]): CapabilitySet {
  let low = 0;
  let high = 0;
  for (const name of names) {
    const number = capabilityNumber(name);
    if (number < 0) unknown.push(name);
    else if (number < 32) low |= 1 << number;
    else high |= 1 << (number - 32);
  }
  return { low: low >>> 0, high: high >>> 0 };
}

/** Whether the set has the capability of this number. */
export function hasCapability(set: CapabilitySet, number: number): boolean {
  return ((number < 32 ? set.low >>> number : set.high >>> (number - 32)) & 1) === 1;
}

export const LINUX_CAPABILITY_VERSION_3 = 0x20080522;

/** What this process may use and give on. */
export function permittedCapabilities(): CapabilitySet {
  const header = new Struct(CAP_HEADER.size).setU32(CAP_HEADER.version, LINUX_CAPABILITY_VERSION_3);
  const data = new Struct(2 * CAP_DATA.size);
  checked(libc.syscall(C.SYS_capget, header.bytes, data.bytes, 0, 0, 0), "capget(2)", "this process");
  return { low: data.u32(CAP_DATA.permitted), high: data.u32(CAP_DATA.size + CAP_DATA.permitted) };
}

/** What is in both sets. */
export function commonCapabilities(one: CapabilitySet, other: CapabilitySet): CapabilitySet {
  return { low: (one.low & other.low) >>> 0, high: (one.high & other.high) >>> 0 };
}
