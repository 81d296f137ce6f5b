/** The functions of ffi_test.c, in the form of runtime/libc/table.ts. Each tells what reached it. */
import type { Signature } from "../runtime/host/host.ts";

export const PROBES = {
  probe_int: ["int", ["int"]],
  probe_uint: ["uint", ["uint"]],
  probe_long: ["long", ["long"]],
  probe_ulong: ["ulong", ["ulong"]],
  probe_string: ["long", ["string"]],
  probe_first: ["long", ["pointer"]],
  probe_pointer: ["pointer", ["pointer"]],
  probe_void: ["void", []],
  probe_errno: ["int", ["int"]],
  probe_six: ["long", ["int", "uint", "long", "ulong", "string", "pointer"]],
  probe_fail: ["void", ["string"]],
} as const satisfies Record<string, Signature>;
