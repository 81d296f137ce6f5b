import { resolve } from "node:path";
import type { CommandModule } from "yargs";
import { UsageError } from "../../errors/errors.ts";
import { parseEnvironmentName } from "../../reg/name.ts";
import { newId } from "../container.ts";
import {
  afterDashes,
  existingStore,
  formatOption,
  parseMount,
  parseSize,
  parseWorkdir,
  parseWritable,
  type StoreArguments,
  storeOptions,
} from "../options.ts";
import { note, print, printJson } from "../output.ts";
import { runEnvironments, startEnvironments } from "../run.ts";

interface RunArguments extends StoreArguments {
  readonly environments: string[];
  readonly env: string[];
  readonly cwd: string | undefined;
  readonly writable: string;
  readonly workdir: string | undefined;
  readonly network: string;
  readonly runtime: string | undefined;
  readonly user: string | undefined;
  readonly volume: string[];
  readonly hostname: string | undefined;
  readonly memory: string | undefined;
  readonly name: string | undefined;
  readonly detach: boolean;
  readonly format: string;
}

export const command: CommandModule<object, RunArguments> = {
  command: "run <environments..>",
  describe: "run a command in a container made of environments; its exit status is passed on",
  builder: (yargs) =>
    formatOption(storeOptions(yargs))
      .usage("$0 run <environments..> [-- command]\n\nrun a command in a container made of environments")
      .positional("environments", {
        type: "string",
        array: true,
        demandOption: true,
        describe: "name@version; earlier ones win where files collide",
      })
      .option("env", {
        type: "string",
        array: true,
        requiresArg: true,
        nargs: 1,
        default: [],
        describe: "NAME=value, or NAME to pass on this process's",
      })
      .option("cwd", { type: "string", requiresArg: true, describe: "working directory in the container" })
      .option("writable", {
        type: "string",
        default: "tmpfs",
        requiresArg: true,
        describe: "where writes go: none, tmpfs, tmpfs:SIZE, directory:PATH",
      })
      .option("workdir", {
        type: "string",
        requiresArg: true,
        describe: "SOURCE:DESTINATION[:ro], a directory to mount",
      })
      .option("network", {
        choices: ["none", "host"],
        default: "none",
        requiresArg: true,
        describe: "a loopback device, or the host's network",
      })
      .option("user", { type: "string", requiresArg: true, describe: "USER[:GROUP] of the environment, or numbers" })
      .option("volume", {
        type: "string",
        array: true,
        requiresArg: true,
        nargs: 1,
        default: [],
        describe: "SOURCE:DESTINATION[:ro], a file or directory to mount; can be given more than once",
      })
      .option("hostname", { type: "string", requiresArg: true, describe: "the container's hostname" })
      .option("memory", { type: "string", requiresArg: true, describe: "limit for memory and swap, such as 512m" })
      .option("name", { type: "string", requiresArg: true, describe: "the container's name, for reg's other commands" })
      .option("detach", {
        type: "boolean",
        default: false,
        describe: "leave it in the background: reg list shows it, reg delete --force NAME ends it",
      })
      .option("runtime", {
        type: "string",
        requiresArg: true,
        describe: "the reg binary; $REG, or reg in PATH when not given",
      }),
  handler: async (argv) => {
    if (argv.format === "json" && !argv.detach)
      throw new UsageError("--format json goes with --detach: in the foreground the output is the command's own");
    const store = existingStore(argv);
    const options = {
      environments: argv.environments.map(parseEnvironmentName),
      store: argv.store,
      domain: argv.domain,
      args: afterDashes(argv),
      env: argv.env.map(expandVariable),
      writable: parseWritable(argv.writable),
      hostNetwork: argv.network === "host",
      cwd: argv.cwd,
      ...(argv.workdir === undefined ? {} : { workdir: parseWorkdir(argv.workdir) }),
      runtime: argv.runtime,
      user: argv.user,
      volumes: argv.volume.map((text) => {
        const { source, destination, readonly } = parseMount("volume", text);
        return { source: resolve(source), destination, readonly };
      }),
      hostname: argv.hostname,
      memoryBytes: argv.memory === undefined ? undefined : parseSize("memory", argv.memory),
    };
    if (!argv.detach) {
      process.exitCode = await runEnvironments(store, options, argv.name);
      return;
    }
    const name = argv.name ?? newId();
    const output = await startEnvironments(store, options, name);
    if (argv.format === "json") {
      printJson({ name, output });
      return;
    }
    print(name);
    note(`its output is in ${output}; reg delete --force ${name} ends it`);
  },
};

function expandVariable(text: string): string {
  return text.includes("=") ? text : `${text}=${process.env[text] ?? ""}`;
}
