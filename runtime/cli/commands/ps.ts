import { processIds, processTable } from "../../container/ps.ts";
import { defineCommand } from "../command.ts";
import { print, printJson } from "../output.ts";

export const command = defineCommand({
  name: "ps",
  describe: "show the processes of a container",
  positionals: [
    { name: "id", describe: "the container" },
    { name: "options", describe: "for ps(1), in place of -ef", optional: true, rest: true },
  ],
  options: {
    format: { type: "string", alias: "f", choices: ["table", "json"], describe: "output format" },
  },
  optionsFirst: true,
  run: (values, [id = "", ...args], { root }) => {
    if (values.format === "json") printJson(processIds(root, id));
    else print(processTable(root, id, args.length === 0 ? ["-ef"] : args));
  },
});
