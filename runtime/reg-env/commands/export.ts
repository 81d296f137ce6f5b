import { existsSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import type { CommandModule } from "yargs";
import { RegError, UsageError } from "../../errors/errors.ts";
import { parseEnvironmentName } from "../../reg/name.ts";
import { billOfMaterials } from "../image/sbom.ts";
import { type ImageFormat, writeImage } from "../image/write.ts";
import { existingStore, type StoreArguments, storeOptions } from "../options.ts";
import { formatBytes, plural, print, printJson } from "../output.ts";
import { withProgress } from "../progress.ts";
import { exportEnvironment } from "../store/export.ts";
import { withShared } from "../store/store.ts";

interface ExportArguments extends StoreArguments {
  readonly environment: string;
  readonly destination: string;
  readonly format: "directory" | ImageFormat;
  readonly compress: boolean;
  readonly sbom: string | undefined;
  readonly json: boolean;
}

export const command: CommandModule<object, ExportArguments> = {
  command: "export <environment> <destination>",
  describe: "write an environment as a directory, or as an image that every engine can run; reg-env install takes both",
  builder: (yargs) =>
    storeOptions(yargs)
      .positional("environment", { type: "string", demandOption: true, describe: "name@version" })
      .positional("destination", { type: "string", demandOption: true, describe: "a path where there is nothing yet" })
      .option("format", {
        choices: ["directory", "oci", "oci-archive", "docker-archive"] as const,
        default: "directory" as const,
        requiresArg: true,
        describe:
          "a directory of reg-env's own, an image layout of OCI, an archive of one, or as docker save writes it",
      })
      .option("compress", {
        type: "boolean",
        default: false,
        describe: "layers by gzip; without, the same units have the same digests wherever they are written",
      })
      .option("sbom", {
        type: "string",
        requiresArg: true,
        describe: "write a bill of materials, too: a file of SPDX 2.3 in JSON",
      })
      .option("json", { type: "boolean", default: false, describe: "say in JSON what was written" }),
  handler: async (argv) => {
    const { environment, format, compress, sbom } = argv;
    const name = parseEnvironmentName(environment);
    const store = existingStore(argv);
    const destination = resolve(argv.destination);
    if (existsSync(destination))
      throw new RegError("EEXIST", `${argv.destination} is there already`, {
        hint: "name a path where there is nothing",
      });
    if (format === "directory") {
      if (compress) throw new UsageError("--compress goes with an image: --format oci, oci-archive or docker-archive");
      await exportEnvironment(store, name, destination);
      if (argv.json) printJson({ environment, destination, format });
      else print(`${environment} is in ${argv.destination}`);
    } else {
      const { digest, layers, sizeBytes } = await withProgress("export", (report) =>
        writeImage(store, name, destination, {
          format,
          compress,
          onLayer: (done, total) => report(`${done} of ${plural(total, "layer")}`),
        }),
      );
      if (argv.json) printJson({ environment, destination, format, digest, layers, bytes: sizeBytes });
      else
        print(
          `${environment} is in ${argv.destination}: ${plural(layers, "layer")}, ${formatBytes(sizeBytes)}, ${digest}`,
        );
    }
    if (sbom === undefined) return;
    const document = await withShared(store, () => billOfMaterials(store, name));
    writeFileSync(sbom, `${JSON.stringify(document, undefined, 2)}\n`, { flag: "wx" });
  },
};
