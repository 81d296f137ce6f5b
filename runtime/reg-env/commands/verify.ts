import type { CommandModule } from "yargs";
import { UsageError } from "../../errors/errors.ts";
import { existingStore, formatOption, type StoreArguments, storeOptions } from "../options.ts";
import { formatBytes, plural, print, printJson } from "../output.ts";
import { withProgress } from "../progress.ts";
import { repairStore } from "../store/repair.ts";
import { verifyStore } from "../store/verify.ts";

interface VerifyArguments extends StoreArguments {
  readonly format: string;
  readonly repair: boolean;
  readonly root: readonly string[];
}

export const command: CommandModule<object, VerifyArguments> = {
  command: "verify",
  describe: "read a whole store again and name what is damaged; exit status 1 when something is",
  builder: (yargs) =>
    formatOption(storeOptions(yargs))
      .option("repair", {
        type: "boolean",
        default: false,
        describe: "make damaged objects and trees whole again, while containers run",
      })
      .option("root", {
        type: "string",
        array: true,
        requiresArg: true,
        nargs: 1,
        default: [] as string[],
        defaultDescription: "/",
        describe: "root filesystems that have the files, for --repair",
      }),
  handler: async (argv) => {
    if (argv.root.length > 0 && !argv.repair) throw new UsageError("--root goes with --repair");
    const store = existingStore(argv);
    const verify = () =>
      withProgress("verify", (show) =>
        verifyStore(store, (done, total) => show(`${done} of ${plural(total, "object")}`)),
      );
    let report = await verify();
    if (argv.repair && report.faults.length > 0) {
      const before = report.faults.length;
      await repairStore(store, report.faults, argv.root.length > 0 ? argv.root : ["/"]);
      report = await verify();
      if (argv.format === "text") print(`repaired ${before - report.faults.length} of ${plural(before, "fault")}`);
    }
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
      print(
        argv.repair
          ? "hint: name a root that has the files with --root, or generate or install the environments named again, with --replace"
          : "hint: reg-env verify --repair, or generate or install the environments named again, with --replace",
      );
  },
};
