import type { CommandModule } from "yargs";
import { formatEnvironmentName, parseEnvironmentName } from "../../reg/name.ts";
import { existingStore, formatOption, type StoreArguments, storeOptions } from "../options.ts";
import { formatBytes, plural, print, printJson, table } from "../output.ts";
import { describeEnvironment } from "../show.ts";

interface ShowArguments extends StoreArguments {
  readonly format: string;
  readonly environment: string;
  readonly files: boolean;
}

export const command: CommandModule<object, ShowArguments> = {
  command: "show <environment>",
  describe: "show what an environment is made of: its command, its units, and with --files each file and why it is in",
  builder: (yargs) =>
    formatOption(storeOptions(yargs))
      .positional("environment", { type: "string", demandOption: true, describe: "name@version" })
      .option("files", { type: "boolean", default: false, describe: "every file, the largest first" }),
  handler: async (argv) => {
    const shown = await describeEnvironment(existingStore(argv), parseEnvironmentName(argv.environment));
    if (argv.format === "json") {
      printJson(shown);
      return;
    }
    const { manifest, units, files } = shown;
    const { args, env, cwd, user } = manifest.command;
    print(`${formatEnvironmentName(manifest)}, tree ${manifest.tree.slice(0, 12)}`);
    if (args.length > 0) print(`command: ${args.join(" ")}${user === undefined ? "" : `, as ${user}`}, in ${cwd}`);
    if (env.length > 0) print(`variables: ${env.join(" ")}`);
    if (argv.files) {
      const rows = files.map(({ path, sizeBytes, unit, reason }) => [
        `/${path}`,
        formatBytes(sizeBytes),
        unit,
        reason ?? "",
      ]);
      print(`\n${table(["FILE", "SIZE", "UNIT", "WHY"], rows)}`);
      return;
    }
    const rows = units.map(({ unit, files: count, bytes }) => [unit, String(count), formatBytes(bytes)]);
    print(`\n${table(["UNIT", "FILES", "SIZE"], rows)}`);
    const bytes = files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    print(`\n${plural(files.length, "file")}, ${formatBytes(bytes)}`);
  },
};
