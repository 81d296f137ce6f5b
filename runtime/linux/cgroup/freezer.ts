/** Freezing a cgroup. Source: cgroup-v1/freezer-subsystem.rst, cgroup-v2.rst "cgroup.freeze". */
import { ENODEV, ENOENT } from "../../errors/errno.ts";
import { RegError } from "../../errors/errors.ts";
import { isErrno } from "../../libc/file.ts";
import { readControl, writeControl } from "./file.ts";
import type { CgroupState } from "./types.ts";
import { napUs, nowMs, waitForControl } from "./wait.ts";

const FREEZE_TIMEOUT_MS = 10_000;

function freezerPath(state: CgroupState): string {
  const path = state.version === 2 ? state.paths[""] : state.paths.freezer;
  if (path === undefined)
    throw new RegError("ENOENT", "freeze the container: it has no freezer cgroup", {
      hint: state.version === 2 ? "the container was created without a cgroup" : "mount the freezer controller",
    });
  return path;
}

/** True for a cgroup that is frozen, or is about to be. False when it is gone or can not be frozen. */
export function isFrozen(state: CgroupState): boolean {
  if (state.version === 2) {
    const path = state.paths[""];
    return path !== undefined && readControl(`${path}/cgroup.freeze`) === "1";
  }
  const path = state.paths.freezer;
  const text = path === undefined ? undefined : readControl(`${path}/freezer.state`);
  return text === "FROZEN" || text === "FREEZING";
}

/** Freezes all processes below and comes back when the last one is. On failure, thaws them and throws. */
export function freeze(state: CgroupState): void {
  const path = freezerPath(state);
  const frozen = state.version === 2 ? freezeV2(path) : freezeV1(path);
  if (frozen) return;
  thaw(state);
  throw new RegError("ETIMEDOUT", `freeze the container: not all processes stopped in ${FREEZE_TIMEOUT_MS / 1000} s`, {
    hint: "a process that waits in the kernel, such as for a dead NFS server, can not be frozen",
  });
}

/** Thaws all processes below; nothing happens to a cgroup that is gone. */
export function thaw(state: CgroupState): void {
  const path = freezerPath(state);
  try {
    if (state.version === 2) writeControl(`${path}/cgroup.freeze`, "0");
    else writeControl(`${path}/freezer.state`, "THAWED");
  } catch (error) {
    if (!isErrno(error, ENOENT, ENODEV)) throw error;
  }
}

function freezeV2(path: string): boolean {
  writeControl(`${path}/cgroup.freeze`, "1");
  return waitForControl(`${path}/cgroup.events`, (text) => text.includes("frozen 1"), nowMs() + FREEZE_TIMEOUT_MS);
}

/**
 * v1 tells nobody when it is done: reading the state is what makes the kernel look again. A process that forks at the
 * wrong moment can leave it FREEZING for good, hence the new write, and a thaw in between now and then.
 */
function freezeV1(path: string): boolean {
  const deadlineMs = nowMs() + FREEZE_TIMEOUT_MS;
  const file = `${path}/freezer.state`;
  for (let attempt = 0; ; attempt++) {
    if (attempt % 50 === 49) {
      writeControl(file, "THAWED");
      napUs(1000);
    }
    writeControl(file, "FROZEN");
    // Most processes sleep and are frozen by now; running ones need the scheduler.
    for (let look = 0; look < 10; look++) {
      if (readControl(file) === "FROZEN") return true;
      napUs(20 << Math.min(look, 6));
    }
    if (nowMs() > deadlineMs) return false;
  }
}
