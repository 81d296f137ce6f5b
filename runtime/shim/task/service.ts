/** The Task service: its methods by name, each with its request and its answer. */
import type { Pod } from "../pod.ts";
import { EMPTY } from "../proto/common.ts";
import * as proto from "../proto/task.ts";
import { method, type Service } from "../ttrpc/server.ts";
import { checkpoint } from "./checkpoint.ts";
import * as control from "./control.ts";
import { create } from "./create.ts";
import { deleteProcess } from "./delete.ts";
import { exec } from "./exec.ts";
import { start } from "./start.ts";
import * as state from "./state.ts";
import { stats } from "./stats.ts";

export function taskService(pod: Pod): Service {
  return {
    Create: method(proto.CREATE, proto.PID, (request) => create(pod, request)),
    Start: method(proto.PROCESS, proto.PID, (request) => start(pod, request)),
    Delete: method(proto.PROCESS, proto.DELETED, (request) => deleteProcess(pod, request)),
    Exec: method(proto.EXEC, EMPTY, (request) => exec(pod, request)),
    ResizePty: method(proto.RESIZE, EMPTY, (request) => control.resizePty(pod, request)),
    State: method(proto.PROCESS, proto.STATE, (request) => state.state(pod, request)),
    Pause: method(proto.CONTAINER, EMPTY, (request) => control.pause(pod, request)),
    Resume: method(proto.CONTAINER, EMPTY, (request) => control.resume(pod, request)),
    Kill: method(proto.KILL, EMPTY, (request) => control.kill(pod, request)),
    Pids: method(proto.CONTAINER, proto.PIDS, (request) => state.pids(pod, request)),
    CloseIO: method(proto.CLOSE_IO, EMPTY, (request) => control.closeIo(pod, request)),
    Checkpoint: method(proto.CHECKPOINT, EMPTY, (request) => checkpoint(pod, request)),
    Update: method(proto.UPDATE, EMPTY, (request) => control.update(pod, request)),
    Wait: method(proto.PROCESS, proto.WAITED, (request) => state.wait(pod, request)),
    Stats: method(proto.CONTAINER, proto.STATS, (request) => stats(pod, request)),
    Connect: method(proto.CONTAINER, proto.CONNECTED, (request) => state.connect(pod, request)),
    Shutdown: method(proto.SHUTDOWN, EMPTY, () => {
      pod.shutdown();
      return {};
    }),
  };
}
