import type { CommandModule } from "yargs";
import { parseEnvironmentName } from "../../reg/name.ts";
import { existingStore, type StoreArguments, storeOptions } from "../options.ts";
import { print } from "../output.ts";
import { uninstallEnvironment } from "../store/environment.ts";

export const command: CommandModule<object, StoreArguments & { readonly environments: string[] }> = {
  command: "uninstall <environments..>",
  describe: "remove environments; containers that run in them go on, and gc removes the files",
  builder: (yargs) =>
    storeOptions(yargs).positional("environments", {
      type: "string",
      array: true,
      demandOption: true,
      describe: "name@version",
    }),
  handler: async (argv) => {
    const store = existingStore(argv);
    for (const name of argv.environments) {
      await uninstallEnvironment(store, parseEnvironmentName(name));
      print(`${name} is removed`);
    }
  },
};
