/** Applies planned writes to a cgroup, and explains what the kernel refuses. */
import { host } from "#host";
import { EACCES, EBUSY, EINTR, EINVAL, ENODEV, ENOENT, ENOSPC, EPERM, EROFS } from "../../errors/errno.ts";
import { RegError, SyscallError } from "../../errors/errors.ts";
import * as C from "../../libc/constants.ts";
import { libc } from "../../libc/libc.ts";
import { readControl } from "./file.ts";
import { hasController } from "./host.ts";
import type { CgroupState, FileWrite } from "./types.ts";

const ERANGE = 34; // a CPU or memory node that the kernel has no room for

/** The directory where the controller's files are; undefined when the container has no cgroup there. */
export function directoryOf(state: CgroupState, controller: string): string | undefined {
  const { paths } = state;
  if (state.version === 2) return paths[""];
  if (Object.hasOwn(paths, controller)) return paths[controller];
  for (const name in paths) if (hasController(name, controller)) return paths[name];
  return undefined;
}

/**
 * Writes files one after the other, keeping the last one open: rules of the device cgroup all go to one file.
 * Throws SyscallError or RegError with the field that asked for the write.
 */
export function applyWrites(state: CgroupState, writes: readonly FileWrite[]): void {
  let openPath = "";
  let fd = -1;
  /** 0, or the errno of open or write. */
  const put = (path: string, value: string): number => {
    if (path !== openPath) {
      if (fd >= 0) libc.close(fd);
      openPath = "";
      fd = libc.openat(C.AT_FDCWD, path, C.O_WRONLY | C.O_CLOEXEC, 0);
      if (fd === -1) return host.errno();
      openPath = path;
    }
    const bytes = host.encode(value);
    for (;;) {
      if (libc.write(fd, bytes, bytes.length) !== -1) return 0;
      if (host.errno() !== EINTR) return host.errno();
    }
  };
  const again: FileWrite[] = [];
  const run = (write: FileWrite, last: boolean): void => {
    const directory = directoryOf(state, write.controller);
    if (directory === undefined) {
      if (write.otherwise === "skip") return;
      throw missingController(state, write);
    }
    const path = `${directory}/${write.file}`;
    if (write.notBelow !== undefined) refuseBelow(write, `${directory}/${write.notBelow}`);
    const errno = put(path, write.value);
    if (errno === 0) return;
    if (write.otherwise === "skip" && (errno === ENOENT || errno === EPERM || errno === EACCES)) return;
    if (errno === ENOENT && write.otherwise !== undefined && write.otherwise !== "skip") run(write.otherwise, last);
    else if (errno === EINVAL && write.retry && !last) again.push(write);
    else throw refused(state, write, path, errno);
  };
  try {
    for (const write of writes) run(write, false);
    for (const write of again) run(write, true);
  } finally {
    if (fd >= 0) libc.close(fd);
  }
}

function missingController(state: CgroupState, write: FileWrite): RegError {
  const message = `cannot set ${write.controller} limit: container could not join or create cgroup`;
  const hint =
    Object.keys(state.paths).length === 0
      ? "reg had no permission to create a cgroup: run as root, or let systemd delegate one (--systemd-cgroup)"
      : `the host has no cgroup v1 hierarchy with the ${write.controller} controller: mount it below /sys/fs/cgroup, or remove the limit`;
  return new RegError("ENOENT", message, { field: write.field, hint });
}

function refuseBelow(write: FileWrite, usageFile: string): void {
  const usage = Number(readControl(usageFile) ?? "0");
  if (write.value === "max" || Number(write.value) >= usage) return;
  throw new RegError("EBUSY", `unable to set memory limit to ${write.value} (current usage: ${usage})`, {
    field: write.field,
    hint: "checkBeforeUpdate is set: raise the limit, or free memory first",
  });
}

function refused(state: CgroupState, write: FileWrite, path: string, errno: number): SyscallError {
  return new SyscallError("write(2)", `${JSON.stringify(write.value)} to ${path}`, errno, {
    field: write.field,
    ...hintOf(state, write, path, errno),
  });
}

function hintOf(state: CgroupState, write: FileWrite, path: string, errno: number): { hint?: string } {
  const { controller, file } = write;
  const directory = path.slice(0, path.lastIndexOf("/"));
  switch (errno) {
    case ENOENT: {
      const enabled = state.version === 2 ? readControl(`${directory}/cgroup.controllers`) : undefined;
      if (enabled !== undefined && controller !== "cgroup" && !enabled.split(" ").includes(controller))
        return {
          hint: `the ${controller} controller is not enabled for this cgroup: write +${controller} to cgroup.subtree_control of every cgroup above it; for a user, systemd's Delegate= has to name it`,
        };
      return { hint: `this kernel has no ${file}` };
    }
    case EACCES:
    case EPERM:
    case EROFS:
      return { hint: "the cgroup is not writable: run as root, or let systemd delegate it (--systemd-cgroup)" };
    case EBUSY: {
      const usage = controller === "memory" ? readControl(`${directory}/memory.usage_in_bytes`) : undefined;
      return usage === undefined ? {} : { hint: `the cgroup uses ${usage} bytes at the moment` };
    }
    case EINVAL:
    case ERANGE:
      return { hint: `the kernel does not accept this value in ${file}` };
    case ENOSPC:
      return { hint: "a cgroup above does not allow so much" };
    case ENODEV:
      return {
        hint: file.startsWith("io.") ? "no such block device" : "the cgroup, or the device named, does not exist",
      };
    default:
      return {};
  }
}
