/** Internal: the Node host starts the native binary with this command, as the parent of init, or of a process for `exec`. */
import { host } from "#host";
import { UsageError } from "../../errors/errors.ts";
import { inClone } from "../../init/enter.ts";
import { runExec } from "../../init/exec.ts";
import { type NetworkTask, type RestoreTask, runNetwork, runRestore } from "../../init/restore.ts";
import { runOutside, SPAWNED, type SpawnedInitTask } from "../../init/spawn.ts";
import type { ExecTask } from "../../init/task.ts";
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
    const channel = first + SPAWNED.channel;
    const extra = first + SPAWNED.extra;
    const task = JSON.parse(text) as SpawnedInitTask | ExecTask | RestoreTask | NetworkTask;
    if (task.type === "network") return inClone(channel, () => runNetwork(task));
    if (task.type === "restore") return inClone(channel, () => runRestore(task, channel, extra));
    if (task.type === "exec")
      return inClone(channel, () => runExec({ ...task, descriptors: { channel, pidfd: extra } }));
    const descriptors = { channel, ...(task.detached ? { execFifo: extra } : {}) };
    return inClone(channel, () => runOutside({ ...task, bornInCgroup: false, descriptors }));
  },
});
