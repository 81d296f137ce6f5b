/** The container's process, as data: who it is, what it may do, what it runs. Pure. Source: runtime-spec config.md "Process". */
import {
  CAPABILITY_NAMES,
  type CapabilitySet,
  capabilitySet,
  commonCapabilities,
  hasCapability,
} from "../../linux/capability.ts";
import type { SecurityModules } from "../../linux/security-module.ts";
import type { IoPriority, Process, Scheduler } from "../config.ts";

/** The five sets of capabilities(7). */
export interface CapabilityPlan {
  readonly bounding: CapabilitySet;
  readonly effective: CapabilitySet;
  readonly permitted: CapabilitySet;
  readonly inheritable: CapabilitySet;
  readonly ambient: CapabilitySet;
}

export interface RlimitPlan {
  readonly resource: number;
  readonly name: string;
  readonly soft: number;
  readonly hard: number;
  readonly field: string;
}

export interface ProcessPlan {
  readonly args: readonly string[];
  /** NAME=value, each name once; HOME is added inside, where /etc/passwd can be read. */
  readonly env: readonly string[];
  readonly cwd: string;
  readonly uid: number;
  readonly gid: number;
  /** Absent: those of the caller, as crun's annotation for them says. */
  readonly groups?: readonly number[];
  readonly umask: number;
  /** Absent when config.json has no capabilities: the process has none. */
  readonly capabilities: CapabilityPlan;
  readonly rlimits: readonly RlimitPlan[];
  readonly noNewPrivileges: boolean;
  readonly terminal: boolean;
  readonly consoleSize?: { readonly height: number; readonly width: number };
  readonly apparmorProfile?: string;
  readonly selinuxLabel?: string;
  readonly oomScoreAdj?: number;
  readonly scheduler?: Scheduler;
  readonly ioPriority?: IoPriority;
  readonly cpuAffinity?: { readonly initial?: string; readonly final?: string };
}

/** Numbers of getrlimit(2). */
// biome-ignore format: a table
const RLIMITS: Readonly<Record<string, number>> = {
  RLIMIT_CPU: 0, RLIMIT_FSIZE: 1, RLIMIT_DATA: 2, RLIMIT_STACK: 3, RLIMIT_CORE: 4, RLIMIT_RSS: 5, RLIMIT_NPROC: 6,
  RLIMIT_NOFILE: 7, RLIMIT_MEMLOCK: 8, RLIMIT_AS: 9, RLIMIT_LOCKS: 10, RLIMIT_SIGPENDING: 11, RLIMIT_MSGQUEUE: 12,
  RLIMIT_NICE: 13, RLIMIT_RTPRIO: 14, RLIMIT_RTTIME: 15,
};

/** Each name once, at its first place, with its last value: what getenv(3) in the container should see. */
export function lastWins(env: readonly string[]): string[] {
  const values = new Map<string, string>();
  for (const entry of env) {
    const equals = entry.indexOf("=");
    values.set(equals < 0 ? entry : entry.slice(0, equals), entry);
  }
  return [...values.values()];
}

/** crun's, which `podman run --group-add keep-groups` sets: supplementary groups that only the host knows stay the process's. */
const KEEP_GROUPS = "run.oci.keep_original_groups";

/** Plans a process of a container with these annotations. Names of capabilities that this machine's headers do not know are put into `unknown`. */
export function planProcess(
  process: Process,
  unknown: string[],
  annotations: Readonly<Record<string, string>> = {},
): ProcessPlan {
  const { user = { uid: 0, gid: 0 }, capabilities = {} } = process;
  const set = (names: readonly string[] | undefined) => capabilitySet(names ?? [], unknown);
  return {
    args: process.args ?? [],
    env: lastWins(process.env ?? []),
    cwd: process.cwd,
    uid: user.uid ?? 0,
    gid: user.gid ?? 0,
    ...(annotations[KEEP_GROUPS] === undefined ? { groups: user.additionalGids ?? [] } : {}),
    umask: user.umask ?? 0o022,
    capabilities: {
      bounding: set(capabilities.bounding),
      effective: set(capabilities.effective),
      permitted: set(capabilities.permitted),
      inheritable: set(capabilities.inheritable),
      ambient: set(capabilities.ambient),
    },
    rlimits: (process.rlimits ?? []).map(({ type, soft, hard }, index) => ({
      resource: RLIMITS[type] ?? -1,
      name: type,
      soft,
      hard,
      field: `/process/rlimits/${index}`,
    })),
    noNewPrivileges: process.noNewPrivileges ?? false,
    terminal: process.terminal ?? false,
    ...(process.consoleSize === undefined ? {} : { consoleSize: process.consoleSize }),
    ...(process.apparmorProfile ? { apparmorProfile: process.apparmorProfile } : {}),
    ...(process.selinuxLabel ? { selinuxLabel: process.selinuxLabel } : {}),
    ...(process.oomScoreAdj === undefined ? {} : { oomScoreAdj: process.oomScoreAdj }),
    ...(process.scheduler === undefined ? {} : { scheduler: process.scheduler }),
    ...(process.ioPriority === undefined ? {} : { ioPriority: process.ioPriority }),
    ...(process.execCPUAffinity === undefined ? {} : { cpuAffinity: process.execCPUAffinity }),
  };
}

/** What of the host decides what a process can have. */
export interface ProcessHost {
  readonly modules: SecurityModules;
  /** What the runtime has, and so may give on. */
  readonly capabilities: CapabilitySet;
}

/** The process as this host can make it; what it goes without is told in `warnings`. The root of a user namespace has all capabilities. */
export function fitProcess(
  plan: ProcessPlan,
  host: ProcessHost,
  inUserNamespace: boolean,
  warnings: string[],
): ProcessPlan {
  const fitted = withoutMissingModules(plan, host.modules, warnings);
  return inUserNamespace ? fitted : withoutMissingCapabilities(fitted, host.capabilities, warnings);
}

/**
 * Leaves out what is for a security module that the kernel does not have, and says so in `warnings`. runc fails, crun goes on; engines
 * ask for a profile only where there is the module.
 */
function withoutMissingModules(plan: ProcessPlan, modules: SecurityModules, warnings: string[]): ProcessPlan {
  const { apparmorProfile, selinuxLabel, ...rest } = plan;
  const ignore = (what: string, module: string) => {
    warnings.push(`process.${what} is ignored: this kernel has no ${module}`);
  };
  const profile = apparmorProfile !== undefined && !modules.hasAppArmor() ? undefined : apparmorProfile;
  const label = selinuxLabel !== undefined && !modules.hasSelinux() ? undefined : selinuxLabel;
  if (profile !== apparmorProfile) ignore("apparmorProfile", "AppArmor");
  if (label !== selinuxLabel) ignore("selinuxLabel", "SELinux");
  return {
    ...rest,
    ...(profile === undefined ? {} : { apparmorProfile: profile }),
    ...(label === undefined ? {} : { selinuxLabel: label }),
  };
}

/**
 * Leaves out the capabilities that the runtime does not have itself, and says so in `warnings`: it could not give them on. "Runtimes SHOULD
 * NOT fail" for such a wish (runtime-spec config.md, "capabilities").
 */
function withoutMissingCapabilities(plan: ProcessPlan, own: CapabilitySet, warnings: string[]): ProcessPlan {
  const { bounding, permitted, effective, inheritable, ambient } = plan.capabilities;
  const granted = commonCapabilities(permitted, own);
  if (granted.low === permitted.low && granted.high === permitted.high) return plan;
  if ((own.low | own.high) === 0) return plan; // a user: other things will fail before, or it is only a plan
  const missing = CAPABILITY_NAMES.filter(
    (_, number) => hasCapability(permitted, number) && !hasCapability(granted, number),
  );
  warnings.push(`capabilities that the runtime does not have itself are left out: ${missing.join(", ")}`);
  return {
    ...plan,
    capabilities: {
      bounding,
      permitted: granted,
      effective: commonCapabilities(effective, own),
      inheritable: commonCapabilities(inheritable, own),
      ambient: commonCapabilities(ambient, own),
    },
  };
}
