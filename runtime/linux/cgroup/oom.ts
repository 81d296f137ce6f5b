/** Notice of out-of-memory kills in a cgroup, by a descriptor to poll. Source: cgroup-v1/memory.rst, cgroup-v2.rst. */
import { host } from "#host";
import { EAGAIN, EINTR } from "../../errors/errno.ts";
import { RegError, SyscallError } from "../../errors/errors.ts";
import { checked } from "../../libc/call.ts";
import * as C from "../../libc/constants.ts";
import { close, open } from "../../libc/file.ts";
import { libc } from "../../libc/libc.ts";
import { readControl, writeControl } from "./file.ts";
import { parseTable } from "./stats.ts";
import type { CgroupState } from "./types.ts";
import { directoryOf } from "./write.ts";

const IN_MODIFY = 2;

/** Poll `fd` for reading, then call `next`. */
export interface OomWatch {
  readonly fd: number;
  /** What has happened since the last call: a kill, nothing, or the cgroup is empty or removed and no more will come. */
  next(): "oom" | "nothing" | "gone";
  close(): void;
}

/** Starts to watch the memory controller of the cgroup. Throws RegError when the container has none. */
export function watchOom(state: CgroupState): OomWatch {
  const path = directoryOf(state, "memory");
  if (path === undefined)
    throw new RegError("ENOENT", "watch for out-of-memory kills: the container has no memory cgroup", {
      hint: "the host has no memory controller, or the container was created without a cgroup",
    });
  return state.version === 2 ? watchV2(path) : watchV1(path);
}

/** Empties a descriptor that does not block. True when something was there. */
function drain(fd: number): boolean {
  const buffer = new Uint8Array(4096);
  let any = false;
  for (;;) {
    const count = libc.read(fd, buffer, buffer.length);
    if (count > 0) any = true;
    // An eventfd is empty after one read, and says so; so does inotify.
    else if (count === 0 || host.errno() === EAGAIN) return any;
    else if (host.errno() !== EINTR) throw new SyscallError("read(2)", "out-of-memory events", host.errno());
  }
}

/** v1: an eventfd is registered with the kernel, which also signals it when the cgroup is removed. */
function watchV1(path: string): OomWatch {
  const control = open(`${path}/memory.oom_control`, C.O_RDONLY);
  let fd = -1;
  try {
    fd = checked(libc.eventfd(0, C.O_CLOEXEC | C.O_NONBLOCK), "eventfd(2)", "out-of-memory events");
    writeControl(`${path}/cgroup.event_control`, `${fd} ${control}`);
  } catch (error) {
    if (fd >= 0) close(fd);
    throw error;
  } finally {
    close(control); // the registration keeps what it needs
  }
  return {
    fd,
    next() {
      const signalled = drain(fd);
      if (readControl(`${path}/memory.oom_control`) === undefined) return "gone";
      return signalled ? "oom" : "nothing";
    },
    close: () => close(fd),
  };
}

/** v2: the kernel reports changes of memory.events, which counts kills, and of cgroup.events, which tells of the last exit. */
function watchV2(path: string): OomWatch {
  const fd = checked(libc.inotify_init1(C.O_CLOEXEC | C.O_NONBLOCK), "inotify_init1(2)", "out-of-memory events");
  const kills = () => {
    const text = readControl(`${path}/memory.events`);
    return text === undefined ? undefined : (parseTable(text).oom_kill ?? 0);
  };
  let seen = 0;
  try {
    for (const file of ["memory.events", "cgroup.events"])
      checked(libc.inotify_add_watch(fd, `${path}/${file}`, IN_MODIFY), "inotify_add_watch(2)", `${path}/${file}`);
    seen = kills() ?? 0;
  } catch (error) {
    close(fd);
    throw error;
  }
  return {
    fd,
    next() {
      drain(fd);
      const count = kills();
      if (count !== undefined && count > seen) {
        seen = count;
        return "oom";
      }
      if (count === undefined) return "gone";
      return readControl(`${path}/cgroup.events`)?.includes("populated 0") ? "gone" : "nothing";
    },
    close: () => close(fd),
  };
}
