/** The runtime's side of the messages with init, see init/protocol.ts. */
import { at, fromErrorData, RegError } from "../errors/errors.ts";
import type { FromInit } from "../init/protocol.ts";
import { endedEarly, receive, type Spawned, welcome } from "../init/spawned.ts";
import { writeText } from "../libc/file.ts";
import { runHooks } from "../oci/hooks.ts";
import type { Plan } from "../oci/plan/plan.ts";
import { handOverTerminal } from "./caller.ts";
import type { Container } from "./container.ts";
import type { Interrupt } from "./interrupt.ts";
import type { NewCgroup } from "./new-cgroup.ts";
import { handOverListener } from "./seccomp.ts";

/** Answers init until it is ready; `begun` is called before the first hook, or then. Returns the terminal's master when there is one and no console socket to send it to. */
export function serveInit(
  plan: Plan,
  container: Container,
  cgroup: NewCgroup,
  spawned: Spawned,
  consoleSocket: number | undefined,
  interrupt: Interrupt | undefined,
  begun: () => void,
): number | undefined {
  const context = interrupt === undefined ? {} : { interrupt };
  const { channel, pid } = spawned;
  let terminal: number | undefined;
  for (;;) {
    const received = receive(spawned, interrupt);
    if (received === undefined) throw endedEarly(spawned, "container init");
    const { message, descriptors } = received;
    // What the container can see may have been taken over from inside it.
    if (spawned.pid !== pid && !AFTER_BIRTH.includes(message.type)) throw unexpected(message.type);
    switch (message.type) {
      case "error":
        throw fromErrorData(message.error);
      case "time":
        at("/linux/timeOffsets", () =>
          writeText(`/proc/${container.state.pid}/timens_offsets`, plan.namespaces.timeOffsets ?? ""),
        );
        channel.tell({ type: "proceed" });
        break;
      case "hooks":
        begun();
        // Before the hooks that see the container from outside, as they may change what is set.
        if ((plan.hooks.prestart ?? plan.hooks.createRuntime ?? []).length > 0) cgroup.limitMemory();
        // The hook of specification 1.0, which ran when the container had been created.
        runHooks("prestart", plan.hooks, container.describe("created"), context);
        runHooks("createRuntime", plan.hooks, container.describe("creating"), context);
        channel.tell({ type: "proceed" });
        break;
      case "console":
        [terminal] = descriptors;
        if (terminal !== undefined) interrupt?.takeTerminal(terminal);
        if (consoleSocket !== undefined && terminal !== undefined) {
          handOverTerminal(consoleSocket, terminal);
          terminal = undefined;
        }
        break;
      case "born":
        welcome(spawned, message.pid);
        break;
      case "seccomp":
        handOverListener(plan.seccomp?.listener, descriptors, spawned.pid, container.describe("creating"));
        break;
      case "ready":
        begun();
        cgroup.limitMemory(); // only now: what init needed is behind it, so a small limit is no obstacle
        return terminal;
      default:
        throw unexpected(message.type);
    }
  }
}

/** What a process that was born in a joined pid namespace still has to say. */
const AFTER_BIRTH: readonly FromInit["type"][] = ["seccomp", "ready", "error"];

function unexpected(type: string): RegError {
  return new RegError("EPROTO", `init sent an unexpected message: ${type}`);
}
