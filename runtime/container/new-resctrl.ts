/** The resctrl groups of a container that is being created. Source: runtime-spec config-linux.md "IntelRdt". */
import {
  findResctrl,
  joinResctrl,
  makeResctrl,
  type ResctrlRequest,
  type ResctrlState,
  removeResctrl,
  resctrlPaths,
} from "../linux/resctrl.ts";
import type { Rollback } from "./rollback.ts";

export class NewResctrl {
  readonly state: ResctrlState;
  readonly #request: ResctrlRequest;

  constructor(request: ResctrlRequest) {
    this.#request = request;
    this.state = resctrlPaths(findResctrl(), request);
  }

  make(rollback: Rollback): void {
    rollback.add(() => removeResctrl(this.state));
    makeResctrl(this.state, this.#request);
  }

  join(pid: number): void {
    joinResctrl(this.state, pid);
  }
}
