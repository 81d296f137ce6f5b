/**
 * Device access on cgroup v2: an eBPF program of the type cgroup_device, called for each open and mknod.
 * Source: kernel cgroup-v2.rst "Device controller"; linux/bpf.h (struct bpf_cgroup_dev_ctx).
 */
import { BpfProgram, R0, R1, R2, R3, R4, R5 } from "../../../../linux/bpf.ts";
import type { DeviceRule } from "../../../config.ts";
import { type DeviceAccess, resolveDevices } from "../device-rules.ts";

const DEVICE_BLOCK = 1;
const DEVICE_CHARACTER = 2;
const ACCESS_BITS: Readonly<Record<string, number>> = { m: 1, r: 2, w: 4 };
const ALL_ACCESS = 7;

/** The program for a container; undefined when it may do everything, which needs none. */
export function planDevices(rules: readonly DeviceRule[] | undefined): Uint8Array | undefined {
  const access = resolveDevices(rules ?? []);
  return access.allow && access.exceptions.length === 0 ? undefined : compileDevices(access);
}

/**
 * Its result is 1 to allow and 0 to deny. An exception that allows has to give all that is asked for; one that denies
 * needs to name only a part of it.
 */
export function compileDevices({ allow, exceptions }: DeviceAccess): Uint8Array {
  const program = new BpfProgram();
  // struct { u32 access_type: access << 16 | kind; u32 major; u32 minor; } in r1
  program.load32(R2, R1, 0).and32(R2, 0xffff);
  program.load32(R3, R1, 0).shiftRight32(R3, 16);
  program.load32(R4, R1, 4);
  program.load32(R5, R1, 8);
  for (const { type, major, minor, access } of exceptions) {
    const next = program.label();
    program.jumpUnless(R2, type === "b" ? DEVICE_BLOCK : DEVICE_CHARACTER, next);
    let bits = 0;
    for (const letter of access) bits |= ACCESS_BITS[letter] ?? 0;
    if (bits !== ALL_ACCESS) {
      program.copy32(R1, R3).and32(R1, bits);
      if (allow) program.jumpIf(R1, 0, next);
      else program.jumpUnlessSame(R1, R3, next);
    }
    if (major >= 0) program.jumpUnless(R4, major, next);
    if (minor >= 0) program.jumpUnless(R5, minor, next);
    program.set(R0, allow ? 0 : 1).exit();
    program.place(next);
  }
  return program
    .set(R0, allow ? 1 : 0)
    .exit()
    .finish();
}
