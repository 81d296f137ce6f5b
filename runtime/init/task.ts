/** What init is told at its start: by fork on the native host, as JSON on the Node host. */
import type { CgroupHost } from "../linux/cgroup/host.ts";
import type { CgroupState } from "../linux/cgroup/types.ts";
import type { MemoryPolicy } from "../oci/config.ts";
import type { Plan } from "../oci/plan/plan.ts";
import type { ProcessPlan } from "../oci/plan/process.ts";
import type { SeccompPlan } from "../oci/plan/seccomp.ts";
import type { Trees } from "./trees.ts";

/** Descriptors that init is born with, besides 0, 1 and 2 and the preserved ones. */
export interface InitDescriptors {
  /** init's end of the channel. */
  readonly channel: number;
  /** exec.fifo, open for reading and writing; absent for `run`. */
  readonly execFifo?: number;
  /** The pid namespace that is joined. */
  readonly pidNamespace?: number;
  /** Detached mounts, see trees.ts. */
  readonly trees?: Trees;
}

/**
 * Who puts init into its cgroup. "init": init itself, when it gets there, which spares the kernel a wait of 10 ms and
 * more that moving another process costs; "intermediate": its parent did, before entering a user namespace that may not;
 * "runtime": the runtime does, since systemd wants to know the pid.
 */
export type Admission = "init" | "intermediate" | "runtime";

/** What the filter is made from: the plan, and the directory of containers' state, which keeps compiled ones. */
export interface SeccompRequest {
  readonly plan: SeccompPlan;
  readonly root: string;
}

/** The filter that the process comes under. */
export interface SeccompTask {
  /** Instructions for the kernel. */
  readonly program: Uint8Array;
  /** SECCOMP_FILTER_FLAG_*. */
  readonly flags: number;
  /** Whether a listener is to be handed to the runtime. */
  readonly listens: boolean;
}

export interface InitTask {
  readonly plan: Plan;
  readonly cgroupHost: CgroupHost;
  readonly cgroup: CgroupState;
  readonly admission: Admission;
  /**
   * Whether the runtime makes the network namespace and sends it. The kernel takes longer for it than for all the others
   * together, and init has mounts to do meanwhile.
   */
  readonly networkByRuntime: boolean;
  /** Whether the runtime is not root: it may write files below /proc/PID only while the process is dumpable. */
  readonly rootless: boolean;
  /** Whether the clone was born in the unified hierarchy (CLONE_INTO_CGROUP). */
  readonly bornInCgroup: boolean;
  readonly seccompRequest?: SeccompRequest;
  /** Made from the request, by the first native process that has it. */
  readonly seccomp?: SeccompTask;
  readonly descriptors: InitDescriptors;
}

/** What the process of `exec` is told at its start, likewise. */
export interface ExecTask {
  readonly type: "exec";
  readonly process: ProcessPlan;
  readonly personality?: { readonly domain: string };
  readonly memoryPolicy?: MemoryPolicy;
  /** The container's init, which has all that is joined. */
  readonly init: number;
  /** CLONE_NEW* of the namespaces that the container has of its own. */
  readonly namespaces: number;
  /** Where the process goes: the container's cgroup or one below it. */
  readonly cgroup: CgroupState;
  /** Whether it may go where init is when that cgroup takes no processes. */
  readonly besideInit: boolean;
  /** Whether the process was born in the unified hierarchy (CLONE_INTO_CGROUP). */
  readonly bornInCgroup: boolean;
  /** Name of a session keyring of its own; absent: the caller's. */
  readonly keyring?: string;
  readonly preserveFds: number;
  readonly seccompRequest?: SeccompRequest;
  readonly seccomp?: SeccompTask;
  readonly descriptors: { readonly channel: number; readonly pidfd: number };
}
