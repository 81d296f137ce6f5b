import type { CommandModule } from "yargs";
import { RegError, UsageError } from "../../errors/errors.ts";
import { formatOption } from "../options.ts";
import { formatBytes, plural, print, printJson, warn } from "../output.ts";
import { withProgress } from "../progress.ts";
import { parseExclusion } from "../share/exclusion.ts";
import { type ShareReport, shareStore } from "../share/share.ts";
import { isHostRoot, storesAt, usualStores } from "../share/stores/find.ts";
import type { ImageStore } from "../share/stores/store.ts";
import { watchStores } from "../share/watch.ts";

interface ShareArguments {
  readonly root: readonly string[];
  readonly "dry-run": boolean;
  readonly undo: boolean;
  readonly watch: boolean;
  readonly "link-to-mounted": boolean;
  readonly exclude: readonly string[];
  readonly domain: readonly string[];
  readonly cache: string;
  readonly format: string;
}

const LIST = { type: "string", array: true, requiresArg: true, nargs: 1, default: [] as string[] } as const;

export const command: CommandModule<object, ShareArguments> = {
  command: "share",
  describe: "make links of the equal files in the image stores of engines, so that they are on disk and in memory once",
  builder: (yargs) =>
    formatOption(yargs)
      .option("root", { ...LIST, describe: "an image store; without it those in the usual places" })
      .option("dry-run", { type: "boolean", default: false, describe: "only say what would be gained" })
      .option("undo", { type: "boolean", default: false, describe: "make copies of the links again" })
      .option("watch", {
        type: "boolean",
        default: false,
        describe: "go on, and share again when images have come in",
      })
      .option("link-to-mounted", {
        type: "boolean",
        default: false,
        describe: "let files of images that are in use have more links; their names are never touched",
      })
      .option("exclude", {
        ...LIST,
        describe: "images to leave alone: label:NAME[=VALUE], image:NAME, namespace:NAME (containerd's)",
      })
      .option("domain", {
        ...LIST,
        describe: "images that share among themselves only, named as for --exclude: label:tenant=a",
      })
      .option("cache", {
        type: "string",
        default: defaultCache(),
        defaultDescription: "/var/lib/reg/share",
        requiresArg: true,
        describe: "directory in which the digests of files are remembered",
      })
      .example("$0 share --dry-run", "what there is to gain")
      .example("$0 share --root /srv/storage", "one store"),
  handler: async (argv) => {
    if (argv.watch && (argv["dry-run"] || argv.undo))
      throw new UsageError("--watch goes with neither --dry-run nor --undo");
    const exclusions = argv.exclude.map((text) => parseExclusion(text));
    const domains = argv.domain.map((text) => parseExclusion(text, "--domain"));
    const stores = argv.root.length > 0 ? argv.root.flatMap(storesAt) : usualStores();
    if (stores.length === 0)
      throw new RegError("ENOENT", "no image store is in its usual place", { hint: "name one with --root" });
    const ending = new AbortController();
    for (const signal of ["SIGINT", "SIGTERM"] as const)
      process.once(signal, () => {
        ending.abort();
        process.exitCode = argv.watch ? 0 : 128 + (signal === "SIGINT" ? 2 : 15);
      });
    const share = (store: ImageStore) =>
      withProgress(`share ${store.root}`, (report) =>
        shareStore(store, {
          exclusions,
          domains,
          linkToMounted: argv["link-to-mounted"],
          dryRun: argv["dry-run"],
          undo: argv.undo,
          cache: argv.cache,
          signal: ending.signal,
          onProgress: report,
          onWait: (who) => warn(`waiting for ${who}`),
        }),
      );
    if (argv.watch) {
      const onNewLayers = async (store: ImageStore) => tell([await share(store)], argv);
      await watchStores(stores, { signal: ending.signal, onNewLayers });
      return;
    }
    const reports: ShareReport[] = [];
    for (const store of stores) if (!ending.signal.aborted) reports.push(await share(store));
    tell(reports, argv);
  },
};

function tell(reports: readonly ShareReport[], argv: ShareArguments): void {
  if (argv.format === "json") printJson(reports);
  else for (const report of reports) tellOne(report, argv);
}

function defaultCache(): string {
  if (isHostRoot()) return "/var/lib/reg/share";
  return `${process.env.XDG_CACHE_HOME ?? `${process.env.HOME ?? ""}/.cache`}/reg/share`;
}

function tellOne(report: ShareReport, { "dry-run": dryRun, undo }: ShareArguments): void {
  const { layers, found, done, recovered } = report;
  if (report.unclear !== undefined)
    warn(`the overlay on ${report.unclear} does not say what it is made of: nothing in ${report.root} is changed`);
  if (report.hiddenProcesses > 0)
    warn(`the mounts of ${plural(report.hiddenProcesses, "process", "processes")} can not be seen`);
  const all = layers.free + layers.mounted + layers.excluded;
  const gain = dryRun ? found : done;
  const verb = undo ? (dryRun ? "would copy" : "copied") : dryRun ? "would link" : "linked";
  print(
    `${report.root} (${report.engine}): ${plural(all, "layer")}, ${plural(report.files, "file")}; ${verb} ` +
      `${plural(gain.files, "file")}: ${formatBytes(gain.diskBytes)} of disk, up to ${formatBytes(gain.cacheBytes)} of page cache`,
  );
  const notes = [
    [layers.mounted, "layers are in use and stay as they are"],
    [layers.excluded, "layers are excluded"],
    [report.linkedElsewhere, "files have links elsewhere and stay as they are"],
    [report.skippedDirectories, "directories could not be read, or lie too deep"],
    [done.changed, "files had changed or came into use meanwhile"],
    [done.refused, "files can not be linked, the kernel says"],
    [recovered.leftovers + recovered.directories, "things were put in order that a killed run had left"],
  ] as const;
  for (const [count, text] of notes) if (count > 0) print(`  ${count} ${text}`);
}
