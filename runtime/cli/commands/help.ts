import { defineCommand } from "../command.ts";
import { showHelp } from "../help.ts";

export const command = defineCommand({
  name: "help",
  describe: "explain a command",
  positionals: [{ name: "command", describe: "the command; all of them when absent", optional: true }],
  options: {},
  run: (_values, [name], { registry }) => showHelp(registry, name),
});
