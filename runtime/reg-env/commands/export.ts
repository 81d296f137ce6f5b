import type { CommandModule } from "yargs";
import { parseEnvironmentName } from "../../reg/name.ts";
import { existingStore, type StoreArguments, storeOptions } from "../options.ts";
import { print } from "../output.ts";
import { exportEnvironment } from "../store/export.ts";

export const command: CommandModule<
  object,
  StoreArguments & { readonly environment: string; readonly directory: string }
> = {
  command: "export <environment> <directory>",
  describe: "write an environment into a directory, for reg-env install on another host",
  builder: (yargs) =>
    storeOptions(yargs)
      .positional("environment", { type: "string", demandOption: true, describe: "name@version" })
      .positional("directory", { type: "string", demandOption: true, describe: "a directory that does not exist yet" }),
  handler: async (argv) => {
    await exportEnvironment(existingStore(argv), parseEnvironmentName(argv.environment), argv.directory);
    print(`${argv.environment} is in ${argv.directory}`);
  },
};
