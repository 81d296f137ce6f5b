/** The cgroup of a container that is being created: what of it is made and limited when. */
import { admissionOf } from "../init/spawn.ts";
import { type Cgroup, createCgroup, openCgroup } from "../linux/cgroup/cgroup.ts";
import type { CgroupLimits, CgroupPlan, CgroupState, FileWrite } from "../linux/cgroup/types.ts";
import type { Plan } from "../oci/plan/plan.ts";
import { systemdDriver } from "./systemd.ts";

const SIGKILL = 9;

export class NewCgroup {
  readonly #plan: CgroupPlan;
  /** What can be made while init works. */
  readonly #late: CgroupPlan | undefined;
  #cgroup: Cgroup;
  #devicesLimited = false;
  #limited = false;
  #memoryLimited = false;

  /** Makes what must be there when init is born. */
  constructor(plan: Plan) {
    this.#plan = plan.cgroup;
    const [early, late] = splitCgroup(plan);
    this.#late = late;
    this.#cgroup = early === undefined ? noneYet(plan.cgroup) : createCgroup(early, systemdDriver(early));
  }

  /** As it will be when it is complete. */
  get state(): CgroupState {
    const { state } = this.#cgroup;
    return this.#late === undefined ? state : { ...state, paths: this.#plan.paths };
  }

  /** Makes the rest. */
  complete(): void {
    if (this.#late === undefined) return;
    createCgroup(this.#late);
    this.#cgroup = openCgroup(this.state); // only now: one that was there and was refused is not ours to remove
  }

  /** Moves init in, which cannot do it by itself. */
  attach(pid: number): void {
    this.#cgroup.attach(pid);
  }

  /** Sets what devices may be used, as far as that takes several steps: nobody in the cgroup should see them. */
  limitDevices(): void {
    if (this.#devicesLimited) return;
    this.#devicesLimited = true;
    const writes = this.#plan.writes.filter(({ controller }) => controller === "devices");
    if (writes.length > 0) this.#cgroup.apply({ writes });
  }

  /** Sets all other limits but those of memory. */
  limit(): void {
    if (this.#limited) return;
    this.#limited = true;
    this.limitDevices();
    this.#cgroup.apply(limitsOf(this.#plan, ({ controller }) => controller !== "memory" && controller !== "devices"));
  }

  /** Sets those of memory: when init needs no more of it, so that a small limit is no obstacle. */
  limitMemory(): void {
    if (this.#memoryLimited) return;
    this.#memoryLimited = true;
    const writes = this.#plan.writes.filter((write) => write.controller === "memory");
    if (writes.length > 0) this.#cgroup.apply({ writes });
  }

  /** Removes what was made, with the processes in it: without a pid namespace, hooks may have left some. */
  destroy(): void {
    const cgroup = openCgroup(this.#cgroup.state, systemdDriver(this.#plan));
    cgroup.killAll(SIGKILL);
    cgroup.destroy();
  }
}

/**
 * The cgroups that must be there when init is born, and those that can be made while it works: init enters cgroups v1 by
 * itself, but a v2 one costs nothing only at birth (CLONE_INTO_CGROUP).
 */
function splitCgroup(plan: Plan): readonly [early: CgroupPlan | undefined, late: CgroupPlan | undefined] {
  const { cgroup } = plan;
  const { unified, ...rest } = cgroup.paths;
  const whole = admissionOf(plan) !== "init" || cgroup.version !== 1 || cgroup.optional;
  if (whole || Object.keys(rest).length === 0) return [cgroup, undefined];
  const early = unified === undefined ? undefined : { ...cgroup, paths: { unified }, early: [] };
  return [early, { ...cgroup, paths: rest }];
}

function noneYet({ driver, version }: CgroupPlan): Cgroup {
  return openCgroup({ driver, version, paths: {} });
}

/** The part of the limits that `which` selects; device programs and unit properties go with the first part. */
function limitsOf(cgroup: CgroupPlan, which: (write: FileWrite) => boolean): CgroupLimits {
  return { ...cgroup, writes: cgroup.writes.filter(which) };
}
