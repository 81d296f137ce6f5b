import { UsageError } from "../../errors/errors.ts";
import { type Command, defineCommand, loadAll } from "../command.ts";
import { bash, fish, zsh } from "../completion.ts";
import { print } from "../output.ts";

const SHELLS: Readonly<Record<string, (commands: readonly Command[]) => string>> = { bash, zsh, fish };

export const command = defineCommand({
  name: "completion",
  describe: "print a script that completes reg's command line in a shell",
  positionals: [{ name: "shell", describe: "bash, zsh or fish" }],
  options: {},
  run: async (_values, [shell = ""], { registry }) => {
    const script = Object.hasOwn(SHELLS, shell) ? SHELLS[shell] : undefined;
    if (script === undefined) throw new UsageError(`unknown shell: ${shell}`, { hint: "bash, zsh or fish" });
    print(script(await loadAll(registry)));
  },
});
