import type { CommandModule } from "yargs";
import { parseEnvironmentName } from "../../reg/name.ts";
import { existingStore, formatOption, type StoreArguments, storeOptions } from "../options.ts";
import { formatBytes, print, printJson, table, warn } from "../output.ts";
import { listEnvironments } from "../store/contents.ts";
import { readManifest } from "../store/environment.ts";
import { filesOfEnvironment } from "../store/stats.ts";
import { type Store, withShared } from "../store/store.ts";

export const command: CommandModule<object, StoreArguments & { readonly format: string }> = {
  command: "list",
  describe: "show the environments of a store",
  builder: (yargs) => formatOption(storeOptions(yargs)),
  handler: async (argv) => {
    const store = existingStore(argv);
    const environments = await withShared(store, () =>
      listEnvironments(store.directory).flatMap((name) => {
        try {
          return [describe(store, name)];
        } catch (error) {
          // One that is damaged must not hide the others.
          warn(`${name} can not be read: ${error instanceof Error ? error.message : error} (reg-env verify)`);
          return [];
        }
      }),
    );
    if (argv.format === "json") {
      printJson(environments);
      return;
    }
    const rows = environments.map(({ name, files, bytes, units, args }) => [
      name,
      String(files),
      formatBytes(bytes),
      String(units),
      args.join(" "),
    ]);
    print(table(["ENVIRONMENT", "FILES", "SIZE", "UNITS", "COMMAND"], rows));
  },
};

function describe(store: Store, name: string) {
  const files = filesOfEnvironment(store.directory, name);
  const { tree, units, command } = readManifest(store, parseEnvironmentName(name));
  const bytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
  return { name, files: files.length, bytes, units: units.length, tree, args: command.args };
}
