/**
 * System call filters: compiled by libseccomp, which is part of the native binary, and loaded by seccomp(2).
 * Source: seccomp(2), seccomp_rule_add(3), linux/filter.h.
 */
import { host } from "#host";
import { EEXIST, errnoName, errnoText } from "../errors/errno.ts";
import { at, RegError, SyscallError } from "../errors/errors.ts";
import * as C from "../libc/constants.ts";
import { libc } from "../libc/libc.ts";
import { Struct } from "../libc/memory.ts";
import { SCMP_ARG_CMP, SOCK_FILTER, SOCK_FPROG } from "../libc/structs.ts";
import { LIBSECCOMP, type Libseccomp } from "../libc/table.ts";

export interface FilterCondition {
  /** 0 to 5. */
  readonly argument: number;
  /** enum scmp_compare */
  readonly operator: number;
  readonly a: number;
  readonly b: number;
}

/** An action for some system calls, when all conditions hold. */
export interface FilterRule {
  readonly names: readonly string[];
  readonly action: number;
  readonly conditions: readonly FilterCondition[];
  readonly field: string;
}

/** A filter before it is compiled, in libseccomp's numbers. */
export interface FilterPlan {
  readonly defaultAction: number;
  /** SECCOMP_RET_* for system calls with a number above all that `names` knows; undefined: as for all others. */
  readonly unknownAction: number | undefined;
  /** libseccomp's names of architectures beside the machine's own. */
  readonly architectures: readonly string[];
  /** All system calls that the profile speaks of, also those of rules that changed nothing. */
  readonly names: readonly string[];
  readonly rules: readonly FilterRule[];
}

/** Bound when it is first needed: the Node host does not have it, and lets the native binary compile. */
let library: Libseccomp | undefined;

/** libseccomp's functions give a negative errno. */
function succeeded(result: number, call: string, subject: string, ...allowed: readonly number[]): void {
  if (result >= 0 || allowed.includes(-result)) return;
  throw new RegError(errnoName(-result), `${call}(3) ${subject}: ${errnoText(-result)}`);
}

/** enum scmp_filter_attr: the system calls as a binary tree, so that the kernel is quick with long lists. */
const SCMP_FLTATR_CTL_OPTIMIZE = 8;

/** Compiles a filter to the instructions that the kernel takes. Names that libseccomp does not know are left out. */
export function compileFilter(plan: FilterPlan): Uint8Array {
  library ??= host.bind(LIBSECCOMP);
  const seccomp = library;
  const filter = seccomp.seccomp_init(plan.defaultAction);
  if (filter === 0)
    throw new RegError(
      "EINVAL",
      `seccomp_init(3) 0x${plan.defaultAction.toString(16)}: the kernel cannot do this action`,
      {
        field: "/linux/seccomp/defaultAction",
      },
    );
  try {
    seccomp.seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
    const architectures = [seccomp.seccomp_arch_native()];
    plan.architectures.forEach((name, index) => {
      const token = seccomp.seccomp_arch_resolve_name(name);
      at(`/linux/seccomp/architectures/${index}`, () =>
        succeeded(seccomp.seccomp_arch_add(filter, token), "seccomp_arch_add", name, EEXIST),
      );
      if (!architectures.includes(token)) architectures.push(token);
    });
    // Otherwise each rule would be a transaction of its own, with a copy of all before it.
    succeeded(seccomp.seccomp_transaction_start(filter), "seccomp_transaction_start", "the filter");
    for (const rule of plan.rules) at(rule.field, () => addRule(seccomp, filter, rule));
    succeeded(seccomp.seccomp_transaction_commit(filter), "seccomp_transaction_commit", "the filter");
    const program = exportProgram(seccomp, filter);
    const { unknownAction } = plan;
    return unknownAction === undefined
      ? program
      : concatenate(unknownGuard(seccomp, architectures, plan.names, unknownAction), program);
  } finally {
    seccomp.seccomp_release(filter);
  }
}

function addRule(seccomp: Libseccomp, filter: number, { names, action, conditions }: FilterRule): void {
  const list = new Struct(conditions.length * SCMP_ARG_CMP.size);
  conditions.forEach(({ argument, operator, a, b }, index) => {
    const base = index * SCMP_ARG_CMP.size;
    list
      .setU32(base + SCMP_ARG_CMP.arg, argument)
      .setU32(base + SCMP_ARG_CMP.op, operator)
      .setU64(base + SCMP_ARG_CMP.datum_a, uint64(a))
      .setU64(base + SCMP_ARG_CMP.datum_b, uint64(b));
  });
  for (const name of names) {
    const number = seccomp.seccomp_syscall_resolve_name(name);
    if (number === C.NR_SCMP_ERROR) continue; // newer than libseccomp, or of another machine
    succeeded(
      seccomp.seccomp_rule_add_array(
        filter,
        action,
        number,
        conditions.length,
        conditions.length === 0 ? null : list.bytes,
      ),
      "seccomp_rule_add",
      name,
      EEXIST,
    );
  }
}

/** JSON.parse rounds 2^64 - 1 up. */
function uint64(value: number): number {
  return value >= 2 ** 64 ? -1 : value;
}

function exportProgram(seccomp: Libseccomp, filter: number): Uint8Array {
  const length = new Struct(8);
  succeeded(seccomp.seccomp_export_bpf_mem(filter, null, length.bytes), "seccomp_export_bpf_mem", "its size");
  const program = new Uint8Array(length.u64(0));
  succeeded(seccomp.seccomp_export_bpf_mem(filter, program, length.bytes), "seccomp_export_bpf_mem", "the filter");
  return program;
}

function concatenate(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    whole.set(part, offset);
    offset += part.length;
  }
  return whole;
}

// linux/bpf_common.h: load a word of struct seccomp_data; jump when equal, above, or bits are set; return.
const LOAD = 0x20;
const JUMP_EQUAL = 0x15;
const JUMP_ABOVE = 0x25;
const JUMP_SET = 0x45;
const RETURN = 0x06;
/** struct seccomp_data */
const DATA = { nr: 0, arch: 4 } as const;

/** libseccomp's token for x32, which to the kernel is x86-64 with a bit in the number. */
const X32 = 0x4000_003e;
const X86_64 = 0xc000_003e;
const X32_BIT = 0x4000_0000;

function instruction(code: number, k: number, whenTrue = 0, whenFalse = 0): Uint8Array {
  return new Struct(SOCK_FILTER.size)
    .setU16(SOCK_FILTER.code, code)
    .setU8(SOCK_FILTER.jt, whenTrue)
    .setU8(SOCK_FILTER.jf, whenFalse)
    .setU32(SOCK_FILTER.k, k).bytes;
}

/**
 * Instructions to stand before a filter, which answer for system calls that were added to Linux after the profile was
 * written: programs take ENOSYS for "this kernel does not have it" and do without, but EPERM for a failure. What is new is
 * what has a number above all those the profile names.
 */
function unknownGuard(
  seccomp: Libseccomp,
  architectures: readonly number[],
  names: readonly string[],
  action: number,
): Uint8Array {
  const known = new Map<number, { plain: number; x32: number }>();
  for (const token of architectures) {
    let last = 0;
    for (const name of names) last = Math.max(last, seccomp.seccomp_syscall_resolve_name_arch(token, name));
    if (last === 0) continue;
    const kernel = token === X32 ? X86_64 : token;
    const entry = known.get(kernel) ?? { plain: 0, x32: 0 };
    known.set(kernel, token === X32 ? { ...entry, x32: last } : { ...entry, plain: last });
  }
  const parts = [instruction(LOAD, DATA.arch)];
  for (const [token, { plain, x32 }] of known) {
    const body = [instruction(LOAD, DATA.nr)];
    const check = (last: number) => [instruction(JUMP_ABOVE, last, 0, 1), instruction(RETURN, action)];
    if (token === X86_64) {
      // Numbers of x32 are above all others: they are judged by themselves, or left to the filter.
      const ofX32 = x32 === 0 ? [] : check(x32);
      const ofX86 = plain === 0 ? [] : check(plain);
      body.push(instruction(JUMP_SET, X32_BIT, 0, ofX32.length + 1), ...ofX32);
      body.push(instruction(JUMP_SET, X32_BIT, ofX86.length, 0), ...ofX86);
    } else body.push(...check(plain));
    // The other architectures are not looked at: the number that was loaded is none of theirs.
    parts.push(instruction(JUMP_EQUAL, token, 0, body.length), ...body);
  }
  return concatenate(...parts);
}

const SECCOMP_SET_MODE_FILTER = 1;

/**
 * Puts this process under a filter, for good. Without no-new-privileges it takes CAP_SYS_ADMIN. Returns the descriptor of
 * the listener when SECCOMP_FILTER_FLAG_NEW_LISTENER is among the flags.
 */
export function loadFilter(program: Uint8Array, flags: number): number {
  const header = new Struct(SOCK_FPROG.size)
    .setU16(SOCK_FPROG.len, program.length / SOCK_FILTER.size)
    .setPointer(SOCK_FPROG.filter, program);
  const result = libc.syscall(C.SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, header.bytes, 0, 0);
  if (result === -1)
    throw new SyscallError(
      "seccomp(2)",
      `a filter of ${program.length / SOCK_FILTER.size} instructions`,
      host.errno(),
      {
        field: "/linux/seccomp",
      },
    );
  return result;
}
