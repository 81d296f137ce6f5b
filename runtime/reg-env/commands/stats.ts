import type { CommandModule } from "yargs";
import { existingStore, formatOption, type StoreArguments, storeOptions } from "../options.ts";
import { formatBytes, plural, print, printJson, table } from "../output.ts";
import { storeStats } from "../store/stats.ts";

const MOST_UNITS = 15;

export const command: CommandModule<object, StoreArguments & { readonly format: string }> = {
  command: "stats",
  describe: "show how large a store is and what sharing saves",
  builder: (yargs) => formatOption(storeOptions(yargs)),
  handler: async (argv) => {
    const stats = await storeStats(existingStore(argv));
    if (argv.format === "json") {
      printJson(stats);
      return;
    }
    const { objects, bytes, units, trees, environments, sharedUnits, copiesBytes, sharing } = stats;
    print(
      `${plural(objects, "object")} (${formatBytes(bytes)}), ${plural(units, "unit")}, ${plural(trees, "tree")}, ` +
        `${plural(environments.length, "environment")}`,
    );
    if (environments.length === 0) return;
    print(
      `\n${table(
        ["ENVIRONMENT", "FILES", "SIZE", "ITS OWN"],
        environments.map((each) => [
          each.name,
          String(each.files),
          formatBytes(each.bytes),
          formatBytes(each.ownBytes),
        ]),
      )}`,
    );
    if (sharedUnits.length > 0) {
      const rows = sharedUnits
        .slice(0, MOST_UNITS)
        .map((each) => [each.unit, String(each.environments), formatBytes(each.bytes)]);
      print(`\n${table(["SHARED UNIT", "ENVIRONMENTS", "SIZE"], rows)}`);
      if (sharedUnits.length > MOST_UNITS) print(`and ${sharedUnits.length - MOST_UNITS} more`);
    }
    print(`\nin copies they would take ${formatBytes(copiesBytes)}; ${(sharing * 100).toFixed(1)} % of that is shared`);
  },
};
