import { resolve } from "node:path";
import type { CommandModule } from "yargs";
import { RegError } from "../../errors/errors.ts";
import { parseEnvironmentName } from "../../reg/name.ts";
import { writeBundle } from "../bundle.ts";
import { computeClosure, type TracedFile } from "../closure/closure.ts";
import { PRESETS } from "../closure/presets.ts";
import { generateEnvironment } from "../generate.ts";
import { afterDashes, anyStore, type StoreArguments, storeOptions } from "../options.ts";
import { plural, print, warn } from "../output.ts";
import { withProgress } from "../progress.ts";
import { traceCommand } from "../trace/trace.ts";
import { splitWords } from "../trace/words.ts";
import { describeInstalled } from "./install.ts";

interface GenerateArguments extends StoreArguments {
  readonly environment: string;
  readonly program: readonly string[];
  readonly package: readonly string[];
  readonly root: string;
  readonly preset: readonly string[];
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly trace: string | readonly string[] | undefined;
  readonly bundle: string | undefined;
  readonly replace: boolean;
}

const LIST = { type: "string", array: true, requiresArg: true, nargs: 1, default: [] as string[] } as const;

export const command: CommandModule<object, GenerateArguments> = {
  command: "generate <environment>",
  describe: "make an environment of programs or packages, with all that they need to run",
  builder: (yargs) =>
    storeOptions(yargs)
      .usage(
        "$0 generate <environment> [-- command]\n\nmake an environment of programs or packages, with all that they need to run",
      )
      .positional("environment", { type: "string", demandOption: true, describe: "name@version" })
      .option("program", { ...LIST, describe: "a program, by path or by name; the command's is one already" })
      .option("package", { ...LIST, describe: "an installed package: all of its files" })
      .option("root", {
        type: "string",
        default: "/",
        requiresArg: true,
        describe: "directory of a root filesystem to take the files from",
      })
      .option("preset", { ...LIST, describe: `files that no program names: ${Object.keys(PRESETS).join(", ")}` })
      .option("include", { ...LIST, describe: "a path or glob to take as well" })
      .option("exclude", { ...LIST, describe: "a path or glob to leave out" })
      .option("trace", {
        type: "string",
        describe:
          "run the command behind --, or this line, and take what it touches as well; can be given more than once",
      })
      .option("env", { ...LIST, describe: "NAME=value for the command" })
      .option("cwd", { type: "string", default: "/", requiresArg: true, describe: "the command's working directory" })
      .option("bundle", { type: "string", requiresArg: true, describe: "write an OCI bundle too, for any runtime" })
      .option("replace", { type: "boolean", default: false, describe: "replace an environment of the same name" })
      .example("$0 generate web@1 -- nginx -g 'daemon off;'", "what nginx needs, and how to run it")
      .example("$0 generate tools@1 --program curl --program git --preset tls", "several programs at once"),
  handler: async (argv) => {
    const name = parseEnvironmentName(argv.environment);
    const args = afterDashes(argv);
    const [first] = args;
    const programs = [...(first === undefined ? [] : [first]), ...argv.program];
    if (programs.length === 0 && argv.package.length === 0 && argv.include.length === 0)
      throw new RegError("EINVAL", "nothing is asked for", {
        hint: "name a --program or a --package, or a command behind --, as in reg-env generate web@1 -- nginx",
      });
    const store = anyStore(argv);
    const root = resolve(argv.root);
    const traced = await traceAll(root, traceLines(argv.trace, args), argv.env);
    const closure = await withProgress("look for what is needed", async () =>
      computeClosure({
        root,
        programs,
        packages: argv.package,
        presets: argv.preset,
        include: argv.include,
        exclude: argv.exclude,
        ...libraryPathOf(argv.env),
        traced,
      }),
    );
    const installed = await withProgress("generate", (report) =>
      generateEnvironment(store, closure, {
        name,
        command: { args: args.length > 0 ? args : (closure.command ?? []), env: argv.env, cwd: argv.cwd },
        replace: argv.replace,
        onFile: (done, total) => report(`${done} of ${plural(total, "file")}`),
      }),
    );
    for (const warning of closure.warnings) warn(warning);
    print(`${describeInstalled(installed)}, ${plural(closure.files.size + closure.generated.size, "file")}`);
    if (argv.bundle === undefined) return;
    await writeBundle(store, installed.manifest, argv.bundle);
    print(`bundle in ${argv.bundle}`);
  },
};

function libraryPathOf(env: readonly string[]): { libraryPath?: string } {
  const libraryPath = env.findLast((each) => each.startsWith("LD_LIBRARY_PATH="))?.replace(/^[^=]*=/, "");
  return libraryPath === undefined ? {} : { libraryPath };
}

/** The commands to trace: an empty value stands for the one behind "--". */
function traceLines(trace: GenerateArguments["trace"], args: readonly string[]): (readonly string[])[] {
  const lines = trace === undefined ? [] : typeof trace === "string" ? [trace] : trace;
  return lines.map((line) => {
    const command = line === "" ? args : splitWords(line);
    if (command.length > 0) return command;
    throw new RegError("EINVAL", "--trace has no command to run", {
      hint: "as in reg-env generate web@1 --trace -- nginx -t, or --trace 'nginx -t'",
    });
  });
}

/** What all runs touched. A command that fails is told of: it may have been traced to the wrong end. */
async function traceAll(
  root: string,
  commands: readonly (readonly string[])[],
  env: readonly string[],
): Promise<TracedFile[]> {
  const files: TracedFile[] = [];
  for (const command of commands) {
    const traced = await traceCommand(root, command, env);
    if (traced.status !== 0) warn(`the traced command ${command.join(" ")} ended with status ${traced.status}`);
    files.push(...traced.files);
  }
  return files;
}
