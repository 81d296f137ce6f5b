/**
 * The system call filter, as data: what linux.seccomp asks for, in the numbers of seccomp(2). Pure. The rules are turned
 * into numbers only when a filter is compiled, which is once for each profile.
 * Source: runtime-spec config-linux.md "Seccomp", seccomp_init(3), seccomp_rule_add(3).
 */
import * as C from "../../libc/constants.ts";
import type { FilterPlan, FilterRule } from "../../linux/seccomp.ts";
import type { Config, LinuxSeccomp, SeccompAction, SeccompArg, SeccompOperator } from "../config.ts";

/** Actions as libseccomp numbers them; for ERRNO and TRACE, the errno or message is in the low 16 bits. */
export const SECCOMP_ACTIONS: Readonly<Record<SeccompAction, number>> = {
  SCMP_ACT_KILL: 0,
  SCMP_ACT_KILL_PROCESS: 0x8000_0000,
  SCMP_ACT_KILL_THREAD: 0,
  SCMP_ACT_TRAP: 0x0003_0000,
  SCMP_ACT_ERRNO: 0x0005_0000,
  SCMP_ACT_TRACE: 0x7ff0_0000,
  SCMP_ACT_ALLOW: 0x7fff_0000,
  SCMP_ACT_LOG: 0x7ffc_0000,
  SCMP_ACT_NOTIFY: 0x7fc0_0000,
};

/** enum scmp_compare */
export const SECCOMP_OPERATORS: Readonly<Record<SeccompOperator, number>> = {
  SCMP_CMP_NE: 1,
  SCMP_CMP_LT: 2,
  SCMP_CMP_LE: 3,
  SCMP_CMP_EQ: 4,
  SCMP_CMP_GE: 5,
  SCMP_CMP_GT: 6,
  SCMP_CMP_MASKED_EQ: 7,
};

/** SECCOMP_FILTER_FLAG_*. Init has one thread, so there is nothing for TSYNC to do. */
export const SECCOMP_FLAGS: Readonly<Record<string, number>> = {
  SECCOMP_FILTER_FLAG_TSYNC: 0,
  SECCOMP_FILTER_FLAG_LOG: C.SECCOMP_FILTER_FLAG_LOG,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: C.SECCOMP_FILTER_FLAG_SPEC_ALLOW,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV: C.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
};

/** Architectures of libseccomp; its own names are these in lower case. */
// biome-ignore format: a table
export const SECCOMP_ARCHITECTURES = [
  "X86", "X86_64", "X32", "ARM", "AARCH64", "LOONGARCH64", "M68K", "MIPS", "MIPS64", "MIPS64N32", "MIPSEL", "MIPSEL64",
  "MIPSEL64N32", "PARISC", "PARISC64", "PPC", "PPC64", "PPC64LE", "RISCV64", "S390", "S390X", "SH", "SHEB",
].map((name) => `SCMP_ARCH_${name}`);

/** Who answers for the system calls of SCMP_ACT_NOTIFY. */
export interface SeccompListener {
  /** Unix socket that gets the descriptor. */
  readonly path: string;
  readonly metadata: string;
}

export interface SeccompPlan {
  /** What the filter is compiled from. */
  readonly profile: LinuxSeccomp;
  /** SECCOMP_FILTER_FLAG_*. */
  readonly flags: number;
  readonly listener?: SeccompListener;
  /** The socket of a listener that there will not be. */
  readonly unusedListener?: string;
}

/** undefined when config.json has no filter: an empty one allows everything. */
export function planSeccomp({ linux, annotations }: Config): SeccompPlan | undefined {
  const profile = linux?.seccomp;
  if (profile === undefined || (profile.defaultAction ?? "") === "") return undefined;
  const { listenerPath, listenerMetadata, flags, ...rest } = profile;
  // As in runc: programs that are filtered anyway do not pay for speculation being off as well, unless they ask for it.
  const names = flags ?? ["SECCOMP_FILTER_FLAG_SPEC_ALLOW"];
  const path = listenerPath || annotations?.["run.oci.seccomp.receiver"];
  const notifies = (rest.syscalls ?? []).some(({ action }) => action === "SCMP_ACT_NOTIFY");
  return {
    profile: rest,
    flags: names.reduce((set, name) => set | (SECCOMP_FLAGS[name] ?? 0), 0),
    ...(path === undefined
      ? {}
      : notifies
        ? { listener: { path, metadata: listenerMetadata ?? "" } }
        : { unusedListener: path }),
  };
}

const EPERM = 1;

function action(name: SeccompAction, errno: number | undefined): number {
  const takesErrno = name === "SCMP_ACT_ERRNO" || name === "SCMP_ACT_TRACE";
  return SECCOMP_ACTIONS[name] + (takesErrno ? (errno ?? EPERM) & 0xffff : 0);
}

/** Actions under which a system call that the profile's author did not know does no harm. */
const PERMISSIVE: readonly string[] = ["SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE"];

/** The profile in numbers, for the compiler. */
export function planFilter(profile: LinuxSeccomp): FilterPlan {
  const { defaultAction = "", architectures = [], syscalls = [] } = profile;
  if (defaultAction === "") throw new TypeError("planFilter: an empty profile");
  const fallback = action(defaultAction, profile.defaultErrnoRet);
  const rules: FilterRule[] = [];
  syscalls.forEach((rule, index) => {
    const wanted = action(rule.action, rule.errnoRet);
    if (wanted === fallback) return; // libseccomp refuses rules that change nothing
    for (const conditions of alternatives(rule.args ?? []))
      rules.push({ names: rule.names, action: wanted, conditions, field: `/linux/seccomp/syscalls/${index}` });
  });
  return {
    defaultAction: fallback,
    unknownAction: PERMISSIVE.includes(defaultAction) ? undefined : C.SECCOMP_RET_ENOSYS,
    architectures: architectures.map((name) => name.replace("SCMP_ARCH_", "").toLowerCase()),
    names: syscalls.flatMap(({ names }) => names),
    rules,
  };
}

type Conditions = FilterRule["conditions"];

/** All conditions hold together; when an argument is named twice, any one of them is enough (as in runc). */
function alternatives(args: readonly SeccompArg[]): readonly Conditions[] {
  const conditions = args.map(({ index, op, value, valueTwo }) => ({
    argument: index,
    operator: SECCOMP_OPERATORS[op],
    a: value,
    b: valueTwo ?? 0,
  }));
  const distinct = new Set(args.map(({ index }) => index)).size === args.length;
  return distinct ? [conditions] : conditions.map((condition) => [condition]);
}
