import type { CommandModule } from "yargs";
import { parseEnvironmentName } from "../../reg/name.ts";
import { existingStore, formatOption, type StoreArguments, storeOptions } from "../options.ts";
import { print, printJson } from "../output.ts";
import { uninstallEnvironment } from "../store/environment.ts";

interface UninstallArguments extends StoreArguments {
  readonly environments: string[];
  readonly format: string;
}

export const command: CommandModule<object, UninstallArguments> = {
  command: "uninstall <environments..>",
  describe: "remove environments; containers that run in them go on, and gc removes the files",
  builder: (yargs) =>
    formatOption(storeOptions(yargs)).positional("environments", {
      type: "string",
      array: true,
      demandOption: true,
      describe: "name@version",
    }),
  handler: async (argv) => {
    const store = existingStore(argv);
    for (const name of argv.environments) {
      await uninstallEnvironment(store, parseEnvironmentName(name));
      if (argv.format === "text") print(`${name} is removed`);
    }
    if (argv.format === "json") printJson({ removed: argv.environments });
  },
};
