import type { CommandModule } from "yargs";
import { parseEnvironmentName } from "../../reg/name.ts";
import { existingStore, formatOption, type StoreArguments, storeOptions } from "../options.ts";
import { print, printJson } from "../output.ts";
import { tagEnvironment } from "../store/environment.ts";

interface TagArguments extends StoreArguments {
  readonly environment: string;
  readonly name: string;
  readonly replace: boolean;
  readonly format: string;
}

export const command: CommandModule<object, TagArguments> = {
  command: "tag <environment> <name>",
  describe: "give an environment another name as well",
  builder: (yargs) =>
    formatOption(storeOptions(yargs))
      .positional("environment", { type: "string", demandOption: true, describe: "name@version" })
      .positional("name", { type: "string", demandOption: true, describe: "the other name@version" })
      .option("replace", { type: "boolean", default: false, describe: "replace an environment of that name" }),
  handler: async (argv) => {
    const name = parseEnvironmentName(argv.name);
    const { manifest, changed } = await tagEnvironment(
      existingStore(argv),
      parseEnvironmentName(argv.environment),
      name,
      argv.replace,
    );
    if (argv.format === "json") printJson({ environment: argv.name, tree: manifest.tree, changed });
    else print(changed ? `${argv.name} is what ${argv.environment} is` : `${argv.name} was there already, the same`);
  },
};
