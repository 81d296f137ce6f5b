/**
 * A container's cgroup. The order of a create:
 *
 *   createCgroup(plan)                      directories, so that a process can join
 *   clone3(CLONE_INTO_CGROUP), attachSelf   init joins; or attach(pid) by the parent, which costs more: see there
 *   apply(plan)                             limits, after init's own costly work, so that a small memory limit starts
 *   state                                   what state.json keeps; openCgroup(state) finds the cgroup again
 */
import { host } from "#host";
import { EACCES, EBUSY, ENODEV, ENOENT, ENOSPC, EOPNOTSUPP, EPERM, ESRCH } from "../../errors/errno.ts";
import { at, RegError, SyscallError } from "../../errors/errors.ts";
import * as C from "../../libc/constants.ts";
import { isErrno, open, readText, withFd } from "../../libc/file.ts";
import { libc } from "../../libc/libc.ts";
import { setDeviceProgram } from "../bpf.ts";
import { makeCgroups } from "./create.ts";
import { removeCgroup } from "./destroy.ts";
import { tryWriteControl } from "./file.ts";
import * as freezer from "./freezer.ts";
import { CGROUP_ROOT, parseOwnCgroups } from "./host.ts";
import { listPids, signalAll } from "./processes.ts";
import type { CgroupLimits, CgroupPlan, CgroupState, UnitPlan, UnitProperty } from "./types.ts";
import { nowMs } from "./wait.ts";
import { applyWrites } from "./write.ts";

const SIGKILL = 9;

/** What the systemd driver (systemd.ts) does; handed in, so that only those who use it load it. */
export interface SystemdDriver {
  /**
   * Starts the unit with this process in it. Returns when the job is done; where the plan can not know the unit's cgroup,
   * that is the result.
   */
  start(unit: UnitPlan, pid: number): string | undefined;
  /** Stops and forgets the unit; one that is gone already is fine. */
  stop(name: string, user: boolean): void;
  setProperties(name: string, user: boolean, properties: readonly UnitProperty[]): void;
}

/**
 * Makes the cgroup's directories (not its limits). On failure nothing is left behind. With the systemd driver, the unit
 * and so the directories come with `attach`. Without permission and when the plan says `optional`, the container goes
 * without: `driver` is then "disabled".
 */
export function createCgroup(plan: CgroupPlan, systemd?: SystemdDriver): Cgroup {
  const { driver, version, paths, unit } = plan;
  if (driver === "disabled") return new Cgroup({ driver, version, paths: {} });
  if (Object.keys(paths).length === 0) throw noCgroups();
  if (driver === "systemd") {
    if (unit === undefined || systemd === undefined) throw new TypeError("the systemd driver was not handed in");
    const state = { driver, version, paths, unit: unit.name, ...(unit.user ? { user: true } : {}) };
    return new Cgroup(state, systemd, plan);
  }
  const made = makeCgroups(plan, { driver, version, paths });
  return new Cgroup(made ? { driver, version, paths } : { driver: "disabled", version, paths: {} });
}

/** The cgroup that state.json tells of. No system call. */
export function openCgroup(state: CgroupState, systemd?: SystemdDriver): Cgroup {
  return new Cgroup(state, systemd);
}

function noCgroups(): RegError {
  return new RegError("ENOENT", "no cgroup hierarchy is mounted below /sys/fs/cgroup", {
    field: "/linux/cgroupsPath",
    hint: "mount -t cgroup2 none /sys/fs/cgroup, or go without: --cgroup-manager disabled",
  });
}

export class Cgroup {
  #state: CgroupState;
  readonly #systemd: SystemdDriver | undefined;
  /** Of a systemd unit that has not been started. */
  #plan: CgroupPlan | undefined;

  constructor(state: CgroupState, systemd?: SystemdDriver, plan?: CgroupPlan) {
    this.#state = state;
    this.#systemd = systemd;
    this.#plan = plan;
  }

  /** Plain data for state.json. With a user's systemd it is final only after `attach`. */
  get state(): CgroupState {
    return this.#state;
  }

  /**
   * A descriptor for clone3(CLONE_INTO_CGROUP): the cgroup v2 directory, or the unified one of a hybrid host. Undefined
   * when there is none (yet). The caller closes it. Linux 5.7.
   */
  openDirectory(): number | undefined {
    const path = this.#plan === undefined ? (this.state.paths[""] ?? this.state.paths.unified) : undefined;
    return path === undefined ? undefined : open(path, C.O_PATH | C.O_DIRECTORY);
  }

  /**
   * The calling process joins; it must have one thread. `cloned`: it was born in the unified hierarchy by
   * CLONE_INTO_CGROUP. Prefer this to `attach`: moving another process makes the kernel wait until no processor can be
   * inside fork or exit (an RCU grace period, 10-15 ms on an idle machine), moving oneself by `tasks` does not (0.2 ms).
   */
  attachSelf(cloned: boolean): void {
    const { paths } = this.state;
    const self = new Uint8Array([48]); // "0": the writer
    for (const name in paths) {
      const unified = name === "" || name === "unified";
      if (unified && cloned) continue;
      const file = `${paths[name]}/${unified ? "cgroup.procs" : "tasks"}`;
      const errno = tryWriteControl(file, self);
      if (errno !== 0) throw notJoined(`the process itself to ${file}`, errno);
    }
  }

  /** Puts a process into the cgroup, in every hierarchy. The systemd driver's unit starts with its first process. */
  attach(pid: number): void {
    const plan = this.#plan;
    if (plan?.unit !== undefined) this.#startUnit(plan, plan.unit, pid);
    const { paths } = this.state;
    const digits = host.encode(String(pid));
    for (const name in paths) {
      const file = `${paths[name]}/cgroup.procs`;
      const errno = tryWriteControl(file, digits);
      if (errno !== 0) throw notJoined(`${pid} to ${file}`, errno);
    }
  }

  #startUnit(plan: CgroupPlan, unit: UnitPlan, pid: number): void {
    const controlGroup = this.#systemd?.start(unit, pid);
    this.#plan = undefined;
    if (controlGroup !== undefined) {
      const paths: Record<string, string> = {};
      for (const name in plan.paths) paths[name] = `${plan.mountpoints[name]}${controlGroup}`;
      this.#state = { ...this.#state, paths };
    }
    try {
      // What systemd does not manage: other v1 hierarchies, and the directory below the unit.
      makeCgroups({ ...plan, optional: false }, this.state, true);
    } catch (error) {
      this.destroy();
      throw error;
    }
  }

  /** Sets limits: all of the plan's, or those of an update. Throws with the field that the kernel refused. */
  apply(limits: CgroupLimits): void {
    const { unit, user } = this.state;
    if (limits.properties !== undefined && limits.properties.length > 0 && unit !== undefined)
      this.#systemd?.setProperties(unit, user === true, limits.properties);
    applyWrites(this.state, limits.writes);
    const { deviceProgram } = limits;
    const path = this.state.paths[""];
    if (deviceProgram === undefined || path === undefined) return;
    try {
      at("/linux/resources/devices", () =>
        withFd(open(path, C.O_RDONLY | C.O_DIRECTORY), (fd) => setDeviceProgram(fd, deviceProgram)),
      );
    } catch (error) {
      if (limits.devicesOptional !== true || !isErrno(error, EPERM, EACCES)) throw error;
    }
  }

  /** The hierarchy to ask about processes; undefined without a cgroup. */
  #main(): string | undefined {
    const { paths } = this.state;
    return paths[""] ?? paths.freezer ?? paths.devices ?? Object.values(paths)[0];
  }

  exists(): boolean {
    const path = this.#main();
    return path !== undefined && libc.faccessat(C.AT_FDCWD, path, 0, 0) === 0;
  }

  /** Process ids in the caller's pid namespace; `recursive` adds those in cgroups that the container made. */
  pids(recursive = true): number[] {
    const path = this.#main();
    return path === undefined ? [] : listPids(path, recursive);
  }

  /** Freezes all processes; returns when the last one has stopped. */
  freeze(): void {
    freezer.freeze(this.state);
  }

  thaw(): void {
    freezer.thaw(this.state);
  }

  isFrozen(): boolean {
    return freezer.isFrozen(this.state);
  }

  /** Signals every process of the container, none escaping by fork. Kills frozen ones too. */
  killAll(signal: number): void {
    const path = this.#main();
    if (path === undefined) return;
    if (this.state.version === 2 && signal === SIGKILL) {
      const errno = tryWriteControl(`${path}/cgroup.kill`, new Uint8Array([49])); // Linux 5.14
      if (errno === 0 || errno === ENODEV) return;
      if (errno === ENOENT && !this.exists()) return;
    }
    if (listPids(path, true).length === 0) return;
    const frozen = this.#freezeIfPossible();
    try {
      // Without a freezer, a process may fork meanwhile: those are found by the next round.
      for (let round = 0; round < (frozen === "not" && signal === SIGKILL ? 100 : 1); round++)
        if (signalAll(listPids(path, true), signal) === 0) break;
    } finally {
      if (frozen === "now" || (frozen === "before" && signal === SIGKILL)) this.thaw();
    }
  }

  #freezeIfPossible(): "before" | "now" | "not" {
    if (this.isFrozen()) return "before";
    try {
      this.freeze();
      return "now";
    } catch (error) {
      if (error instanceof RegError) return "not";
      throw error;
    }
  }

  /**
   * Removes the cgroup and all that the container made below, waiting for processes that are dying. What was removed
   * already is fine. A system call for each hierarchy, if nothing is in the way. Throws RegError EBUSY, with the ids of
   * the processes that stay, when the time is over.
   */
  destroy(timeoutMs = 5000): void {
    const { driver, unit, user, paths } = this.state;
    if (driver === "systemd" && unit !== undefined) this.#systemd?.stop(unit, user === true);
    const deadlineMs = nowMs() + timeoutMs;
    for (const name in paths) removeCgroup(paths[name] ?? "", deadlineMs);
  }

  /**
   * A cgroup below this one, for `exec --cgroup`: one path for all hierarchies, or by controller (v1). Its `attach` and
   * `attachSelf` join it; it must exist. Throws RegError EINVAL for a path that leads out.
   */
  below(sub: string | Readonly<Record<string, string>>): Cgroup {
    const paths: Record<string, string> = {};
    for (const name in this.state.paths) {
      const path = typeof sub === "string" ? sub : Object.hasOwn(sub, name) ? (sub[name] ?? "") : "";
      const parts = path.split("/").filter((part) => part !== "" && part !== ".");
      if (parts.includes("..")) throw new RegError("EINVAL", `bad sub cgroup path: ${path}`);
      paths[name] = [this.state.paths[name], ...parts].join("/");
    }
    return new Cgroup({ ...this.state, paths });
  }
}

/**
 * Where a process of the container is at the moment, on cgroup v2: the place for `exec` when the container's own cgroup
 * answers EBUSY, because the container has made cgroups below it with controllers. On v1 this is the cgroup itself.
 */
export function besideProcess(cgroup: Cgroup, pid: number): Cgroup {
  const { state } = cgroup;
  if (state.version === 1 || state.paths[""] === undefined) return cgroup;
  const place = parseOwnCgroups(readText(`/proc/${pid}/cgroup`), [{ name: "", mountpoint: CGROUP_ROOT }])[""];
  const path = `${CGROUP_ROOT}${place}`;
  return path.startsWith(`${state.paths[""]}/`) ? new Cgroup({ ...state, paths: { "": path } }) : cgroup;
}

function notJoined(subject: string, errno: number): SyscallError {
  const hint =
    errno === ENOSPC
      ? "cpuset.cpus or cpuset.mems of the cgroup is empty"
      : errno === EBUSY
        ? "processes can not be put into a cgroup that has controllers enabled for those below it"
        : errno === EOPNOTSUPP
          ? "a cgroup above holds processes itself, or is threaded"
          : errno === ESRCH
            ? "the process is gone"
            : errno === EPERM
              ? "moving a process needs write access to the cgroup it comes from, too"
              : undefined;
  return new SyscallError("write(2)", subject, errno, hint === undefined ? {} : { hint });
}
