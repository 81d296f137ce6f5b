/** Internal: the Node host starts the native binary with this command, as init's parent. */
import { host } from "#host";
import { UsageError } from "../../errors/errors.ts";
import { runIntermediate, SPAWNED } from "../../init/spawn.ts";
import type { InitTask } from "../../init/task.ts";
import { close, readAll } from "../../libc/file.ts";
import { defineCommand } from "../command.ts";

export const command = defineCommand({
  name: "init",
  describe: "become a container's init (internal)",
  hidden: true,
  positionals: [{ name: "base", describe: "first of the descriptors that hold the task" }],
  options: {},
  run: (_values, [base = ""]) => {
    if (!/^\d{1,6}$/.test(base))
      throw new UsageError("init is started by reg itself", { hint: "see reg create and reg run" });
    const first = Number(base);
    const text = host.decode(readAll(first + SPAWNED.task, "the task"));
    close(first + SPAWNED.task);
    const task = JSON.parse(text) as Omit<InitTask, "descriptors" | "bornInCgroup"> & { readonly detached: boolean };
    const descriptors = {
      channel: first + SPAWNED.channel,
      ...(task.detached ? { execFifo: first + SPAWNED.execFifo } : {}),
    };
    return runIntermediate({ ...task, bornInCgroup: false, descriptors });
  },
});
