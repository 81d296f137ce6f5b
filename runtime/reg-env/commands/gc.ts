import type { CommandModule } from "yargs";
import { existingStore, formatOption, type StoreArguments, storeOptions } from "../options.ts";
import { formatBytes, plural, print, printJson, warn } from "../output.ts";
import { collectGarbage } from "../store/gc.ts";

export const command: CommandModule<object, StoreArguments & { readonly format: string; readonly "dry-run": boolean }> =
  {
    command: "gc",
    describe: "remove what no environment and no running container needs",
    builder: (yargs) =>
      formatOption(storeOptions(yargs)).option("dry-run", {
        type: "boolean",
        default: false,
        describe: "only say what would be removed",
      }),
    handler: (argv) => {
      const dryRun = argv["dry-run"];
      const summary = collectGarbage(existingStore(argv), {
        dryRun,
        onWait: () => warn("waiting for others who use the store"),
      });
      if (summary.hiddenPids.length > 0)
        warn(
          `the mounts of ${plural(summary.hiddenPids.length, "process", "processes")} could not be read: run gc as who starts the containers`,
        );
      if (argv.format === "json") {
        printJson(summary);
        return;
      }
      const { objects, bytes, units, trees, unfinished, keptForContainers } = summary;
      const parts = [
        `${plural(objects, "object")} (${formatBytes(bytes)})`,
        plural(units, "unit"),
        plural(trees, "tree"),
        plural(unfinished, "unfinished thing"),
      ];
      print(`${dryRun ? "would remove" : "removed"} ${parts.join(", ")}`);
      if (keptForContainers > 0) print(`kept ${plural(keptForContainers, "tree")} for containers that run`);
    },
  };
