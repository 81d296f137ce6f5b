import { existsSync } from "node:fs";
import { join } from "node:path";
import type { CommandModule } from "yargs";
import { UsageError } from "../../errors/errors.ts";
import { formatEnvironmentName } from "../../reg/name.ts";
import { installImage } from "../image/install.ts";
import { withImage } from "../image/location.ts";
import { anyStore, formatOption, type StoreArguments, storeOptions } from "../options.ts";
import { formatBytes, plural, print, printJson, warn } from "../output.ts";
import { withProgress } from "../progress.ts";
import type { Installed } from "../store/environment.ts";
import { importEnvironment } from "../store/export.ts";

interface InstallArguments extends StoreArguments {
  readonly source: string;
  readonly replace: boolean;
  readonly digest: string | undefined;
  readonly format: string;
}

export const command: CommandModule<object, InstallArguments> = {
  command: "install <source>",
  describe: "install an environment that reg-env export wrote, and share its files with those that are there",
  builder: (yargs) =>
    formatOption(storeOptions(yargs))
      .positional("source", {
        type: "string",
        demandOption: true,
        describe:
          "a directory or image that export wrote: a path, podman:NAME, containerd:NAME, docker-daemon:NAME, docker://REGISTRY/NAME",
      })
      .option("digest", {
        type: "string",
        requiresArg: true,
        describe: "sha256:..., what the image's manifest has to be",
      })
      .option("replace", { type: "boolean", default: false, describe: "replace an environment of the same name" }),
  handler: async (argv) => {
    const { source, digest, replace } = argv;
    const store = anyStore(argv);
    let files = 0;
    const installed = await withProgress("install", (report) => {
      const options = { replace, onFile: () => report(plural(++files, "file")), warn };
      if (!existsSync(join(source, "units")))
        return withImage(source, digest, (image) => installImage(store, image, options));
      if (digest !== undefined)
        throw new UsageError("--digest goes with an image; each file of a directory is checked anyway");
      return importEnvironment(store, source, options);
    });
    if (argv.format === "json") {
      const { manifest, newObjects, newBytes, repaired, changed } = installed;
      printJson({
        environment: formatEnvironmentName(manifest),
        tree: manifest.tree,
        newObjects,
        newBytes,
        repaired,
        changed,
      });
    } else print(describeInstalled(installed));
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
