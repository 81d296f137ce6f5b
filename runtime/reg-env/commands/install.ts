import type { CommandModule } from "yargs";
import { formatEnvironmentName } from "../../reg/name.ts";
import { anyStore, type StoreArguments, storeOptions } from "../options.ts";
import { formatBytes, plural, print, warn } from "../output.ts";
import { withProgress } from "../progress.ts";
import type { Installed } from "../store/environment.ts";
import { importEnvironment } from "../store/export.ts";

export const command: CommandModule<
  object,
  StoreArguments & { readonly directory: string; readonly replace: boolean }
> = {
  command: "install <directory>",
  describe: "install an environment that reg-env export wrote",
  builder: (yargs) =>
    storeOptions(yargs)
      .positional("directory", { type: "string", demandOption: true, describe: "directory that export wrote" })
      .option("replace", { type: "boolean", default: false, describe: "replace an environment of the same name" }),
  handler: async (argv) => {
    const store = anyStore(argv);
    let files = 0;
    const installed = await withProgress("install", (report) =>
      importEnvironment(store, argv.directory, {
        replace: argv.replace,
        onFile: () => report(plural(++files, "file")),
        warn,
      }),
    );
    print(describeInstalled(installed));
  },
};

/** "web@1: 42 units, 3 new objects (1.2 MB), tree 0123456789ab". */
export function describeInstalled({ manifest, newObjects, newBytes, repaired, changed }: Installed): string {
  const name = formatEnvironmentName(manifest);
  const digest = manifest.tree.slice(0, 12);
  const mended = repaired === 0 ? "" : `, ${plural(repaired, "damaged object")} repaired`;
  if (!changed) return `${name} was there already, the same, tree ${digest}${mended}`;
  const units = plural(manifest.units.length, "unit");
  return `${name}: ${units}, ${plural(newObjects, "new object")} (${formatBytes(newBytes)}), tree ${digest}${mended}`;
}
