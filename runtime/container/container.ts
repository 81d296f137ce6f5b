/**
 * A container that exists: its state file, and the status that the kernel says it has.
 *
 *   creating ──▶ created ──▶ running ◀──▶ paused
 *       └───────────┴───────────┴──▶ stopped ──▶ (deleted)
 */
import { doesNotExist } from "../errors/messages.ts";
import { type Cgroup, openCgroup } from "../linux/cgroup/cgroup.ts";
import { isAlive } from "../linux/process.ts";
import type { State } from "../oci/config.ts";
import { StateDirectory, type StateFile } from "./store.ts";
import { systemdDriver } from "./systemd.ts";

export type Status = State["status"];

export class Container {
  readonly state: StateFile;
  readonly directory: StateDirectory;

  constructor(directory: StateDirectory, state: StateFile) {
    this.directory = directory;
    this.state = state;
  }

  /** Opens a container by its id. Throws RegError "does not exist", also while its creator has not written its state. */
  static open(root: string, id: string): Container {
    return Container.#read(StateDirectory.open(root, id), id);
  }

  /** As open, for one of many: see StateDirectory.openIn. */
  static openIn(rootDirectory: number, root: string, id: string): Container {
    return Container.#read(StateDirectory.openIn(rootDirectory, root, id), id);
  }

  static #read(directory: StateDirectory, id: string): Container {
    const state = directory.read();
    if (state === undefined) {
      directory.close();
      throw doesNotExist(id);
    }
    return new Container(directory, state);
  }

  /** As open, and nobody else changes the container until its directory is unlocked or closed. */
  static openLocked(root: string, id: string): Container {
    const directory = StateDirectory.open(root, id);
    try {
      directory.lock();
      const state = directory.read(); // only now: it may just have been created
      if (state === undefined) throw doesNotExist(id);
      return new Container(directory, state);
    } catch (error) {
      directory.close();
      throw error;
    }
  }

  get cgroup(): Cgroup {
    return openCgroup(this.state.cgroup, systemdDriver(this.state.cgroup));
  }

  isAlive(): boolean {
    const { pid, startTime } = this.state;
    return pid !== undefined && startTime !== undefined && isAlive(pid, startTime);
  }

  status(): Status {
    if (this.state.pid === undefined) return "creating";
    if (!this.isAlive()) return "stopped";
    if (this.directory.hasExecFifo()) return "created";
    return this.cgroup.isFrozen() ? "paused" : "running";
  }

  /** The state of runtime-spec runtime.md, as hooks and `reg state` show it. */
  describe(status: Status = this.status()): State {
    const { ociVersion, id, pid, bundle, annotations } = this.state;
    return { ociVersion, id, pid: status === "stopped" ? 0 : (pid ?? 0), status, bundle, annotations };
  }
}
