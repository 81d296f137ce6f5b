import type { CommandModule } from "yargs";
import { parseEnvironmentName } from "../../reg/name.ts";
import { existingStore, formatOption, type StoreArguments, storeOptions } from "../options.ts";
import { formatBytes, plural, print, printJson } from "../output.ts";
import { compareEnvironments, describeEnvironment } from "../show.ts";

interface DiffArguments extends StoreArguments {
  readonly format: string;
  readonly first: string;
  readonly second: string;
}

const SIGNS = { added: "+", removed: "-", changed: "~" } as const;

export const command: CommandModule<object, DiffArguments> = {
  command: "diff <first> <second>",
  describe: "show which files differ between two environments",
  builder: (yargs) =>
    formatOption(storeOptions(yargs))
      .positional("first", { type: "string", demandOption: true, describe: "name@version" })
      .positional("second", { type: "string", demandOption: true, describe: "name@version" }),
  handler: async (argv) => {
    const store = existingStore(argv);
    const first = await describeEnvironment(store, parseEnvironmentName(argv.first));
    const second = await describeEnvironment(store, parseEnvironmentName(argv.second));
    const found = compareEnvironments(first, second);
    if (argv.format === "json") {
      printJson(found);
      return;
    }
    for (const { path, change, sizeBytes } of found) print(`${SIGNS[change]} /${path} (${formatBytes(sizeBytes)})`);
    const same = second.files.length - found.filter(({ change }) => change !== "removed").length;
    print(`${plural(same, "file")} the same, ${found.length} not`);
  },
};
