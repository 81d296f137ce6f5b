import type { CommandModule } from "yargs";
import { parseEnvironmentName } from "../../reg/name.ts";
import { explainPath } from "../explain.ts";
import { existingStore, formatOption, type StoreArguments, storeOptions } from "../options.ts";
import { formatBytes, plural, print, printJson } from "../output.ts";

export const command: CommandModule<
  object,
  StoreArguments & { readonly format: string; readonly environment: string; readonly path: string }
> = {
  command: "explain <environment> <path>",
  describe: "show why a file is in an environment",
  builder: (yargs) =>
    formatOption(storeOptions(yargs))
      .positional("environment", { type: "string", demandOption: true, describe: "name@version" })
      .positional("path", { type: "string", demandOption: true, describe: "path in the environment" }),
  handler: async (argv) => {
    const explained = await explainPath(existingStore(argv), parseEnvironmentName(argv.environment), argv.path);
    if (argv.format === "json") {
      printJson(explained);
      return;
    }
    for (const { path, unit, sizeBytes, environments, chain, target } of explained) {
      const size = sizeBytes === undefined ? "" : `, ${formatBytes(sizeBytes)}`;
      print(
        `${path}${target === undefined ? "" : ` -> ${target}`}   (${unit}${size}, in ${plural(environments, "environment")})`,
      );
      chain.forEach(({ rule, text, from }, depth) => {
        print(`${"  ".repeat(depth + 1)}${rule}: ${text}${from === undefined ? "" : ` (${from})`}`);
      });
    }
  },
};
