import type { CommandModule } from "yargs";
import { parseEnvironmentName } from "../../reg/name.ts";
import {
  afterDashes,
  existingStore,
  parseWorkdir,
  parseWritable,
  type StoreArguments,
  storeOptions,
} from "../options.ts";
import { runEnvironments } from "../run.ts";

interface RunArguments extends StoreArguments {
  readonly environments: string[];
  readonly env: string[];
  readonly cwd: string | undefined;
  readonly writable: string;
  readonly workdir: string | undefined;
  readonly network: string;
  readonly runtime: string | undefined;
}

export const command: CommandModule<object, RunArguments> = {
  command: "run <environments..>",
  describe: "run a command in a container made of environments; its exit status is passed on",
  builder: (yargs) =>
    storeOptions(yargs)
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
      .option("runtime", {
        type: "string",
        requiresArg: true,
        describe: "the reg binary; $REG, or reg in PATH when not given",
      }),
  handler: async (argv) => {
    process.exitCode = await runEnvironments(existingStore(argv), {
      environments: argv.environments.map(parseEnvironmentName),
      store: argv.store,
      domain: argv.domain,
      args: afterDashes(argv),
      env: argv.env.map(expandVariable),
      writable: parseWritable(argv.writable),
      hostNetwork: argv.network === "host",
      ...(argv.cwd === undefined ? {} : { cwd: argv.cwd }),
      ...(argv.workdir === undefined ? {} : { workdir: parseWorkdir(argv.workdir) }),
      ...(argv.runtime === undefined ? {} : { runtime: argv.runtime }),
    });
  },
};

function expandVariable(text: string): string {
  return text.includes("=") ? text : `${text}=${process.env[text] ?? ""}`;
}
