import type { CommandModule } from "yargs";
import { existingStore, formatOption, type StoreArguments, storeOptions } from "../options.ts";
import { formatBytes, plural, print, printJson } from "../output.ts";
import { withProgress } from "../progress.ts";
import { verifyStore } from "../store/verify.ts";

export const command: CommandModule<object, StoreArguments & { readonly format: string }> = {
  command: "verify",
  describe: "read a whole store again and name what is damaged; exit status 1 when something is",
  builder: (yargs) => formatOption(storeOptions(yargs)),
  handler: async (argv) => {
    const store = existingStore(argv);
    const report = await withProgress("verify", (show) =>
      verifyStore(store, (done, total) => show(`${done} of ${plural(total, "object")}`)),
    );
    if (report.faults.length > 0) process.exitCode = 1;
    if (argv.format === "json") {
      printJson(report);
      return;
    }
    for (const { path, fault, environments } of report.faults)
      print(`${path}: ${fault}${environments.length === 0 ? "" : ` (in ${environments.join(", ")})`}`);
    const { objects, bytes, units, trees, environments, faults } = report;
    const checked = [
      `${plural(objects, "object")} (${formatBytes(bytes)})`,
      plural(units, "unit"),
      plural(trees, "tree"),
      plural(environments, "environment"),
    ].join(", ");
    print(`${checked}: ${faults.length === 0 ? "all in order" : plural(faults.length, "fault")}`);
    if (faults.length > 0)
      print("hint: uninstall the environments named, run reg-env gc, and generate or install them again");
  },
};
