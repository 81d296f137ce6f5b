import { chmodSync, existsSync, lstatSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, posix, resolve } from "node:path";
import type { CommandModule } from "yargs";
import { RegError, UsageError } from "../../errors/errors.ts";
import { type EnvironmentName, formatEnvironmentName, parseEnvironmentName } from "../../reg/name.ts";
import { writeBundle } from "../bundle.ts";
import { type Closure, computeClosure, type TracedFile } from "../closure/closure.ts";
import { PRESETS } from "../closure/presets.ts";
import { generateEnvironment } from "../generate.ts";
import { withImage } from "../image/location.ts";
import { unpackImage } from "../image/unpack.ts";
import { afterDashes, anyStore, formatOption, type StoreArguments, storeOptions } from "../options.ts";
import { formatBytes, note, plural, print, printJson, table, warn } from "../output.ts";
import { withProgress } from "../progress.ts";
import type { Installed } from "../store/environment.ts";
import { traceCommand } from "../trace/trace.ts";
import { splitWords } from "../trace/words.ts";
import { parseProbe } from "../trial/probe.ts";
import { runTrial, saidLast, type TrialReport } from "../trial/trial.ts";
import { splitClosure } from "../units.ts";
import { describeInstalled } from "./install.ts";

interface GenerateArguments extends StoreArguments {
  readonly environment: string;
  readonly program: readonly string[];
  readonly package: readonly string[];
  readonly root: string;
  readonly image: string | undefined;
  readonly digest: string | undefined;
  readonly preset: readonly string[];
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string | undefined;
  readonly trace: string | readonly string[] | undefined;
  readonly bundle: string | undefined;
  readonly replace: boolean;
  readonly user: string | undefined;
  readonly trial: boolean;
  readonly probe: string | undefined;
  readonly "time-limit": number;
  readonly mkdir: readonly string[];
  readonly runtime: string | undefined;
  readonly "dry-run": boolean;
  readonly format: string;
}

const LIST = { type: "string", array: true, requiresArg: true, nargs: 1, default: [] as string[] } as const;

export const command: CommandModule<object, GenerateArguments> = {
  command: "generate <environment>",
  describe: "make an environment of programs or packages, with all that they need to run",
  builder: (yargs) =>
    formatOption(storeOptions(yargs))
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
      .option("image", {
        type: "string",
        requiresArg: true,
        describe:
          "an image to take the files from, and the command: a path, podman:NAME, containerd:NAME, docker-daemon:NAME, docker://REGISTRY/NAME",
      })
      .option("digest", {
        type: "string",
        requiresArg: true,
        describe: "sha256:..., what the image's manifest has to be",
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
      .option("cwd", {
        type: "string",
        requiresArg: true,
        defaultDescription: "/, or the current directory where the command names files of it",
        describe: "the command's working directory",
      })
      .option("user", { type: "string", requiresArg: true, describe: "USER[:GROUP] that the command runs as" })
      .option("mkdir", { ...LIST, describe: "PATH[:MODE[:USER[:GROUP]]], an empty directory that the program needs" })
      .option("trial", {
        type: "boolean",
        default: false,
        describe:
          "run the command in the full root and in the environment, and add what it lacks until it does the same",
      })
      .option("probe", {
        type: "string",
        requiresArg: true,
        describe: "what tells in a trial that a server works: http:PORT/PATH, tcp:PORT, exec:COMMAND",
      })
      .option("time-limit", {
        type: "number",
        default: 60,
        requiresArg: true,
        describe: "seconds for each run of a trial",
      })
      .option("runtime", { type: "string", requiresArg: true, describe: "the reg binary, for a trial" })
      .option("dry-run", { type: "boolean", default: false, describe: "only say what would come in" })
      .option("bundle", { type: "string", requiresArg: true, describe: "write an OCI bundle too, for any runtime" })
      .option("replace", { type: "boolean", default: false, describe: "replace an environment of the same name" })
      .example("$0 generate web@1 -- nginx -g 'daemon off;'", "what nginx needs, and how to run it")
      .example("$0 generate tools@1 --program curl --program git --preset tls", "several programs at once"),
  handler: async (argv) => {
    if (argv.image === undefined) {
      if (argv.digest !== undefined) throw new UsageError("--digest goes with --image");
      await generateFrom(argv, afterDashes(argv));
      return;
    }
    if (argv.root !== "/") throw new UsageError("--image takes the place of --root");
    await withImage(argv.image, argv.digest, async (image) => {
      const root = mkdtempSync(join(tmpdir(), "reg-env-root-"));
      try {
        await withProgress("unpack", (report) =>
          unpackImage(image, root, (done) => report(`${done} of ${plural(image.layers, "layer")}`)),
        );
        chmodSync(root, 0o755);
        const { command, env, cwd, user } = image.config;
        const own = afterDashes(argv);
        const isAsked = own.length + argv.program.length + argv.package.length + argv.include.length > 0;
        await generateFrom(
          {
            ...argv,
            root,
            env: [...env.filter((each) => !each.startsWith("PATH=")), ...argv.env],
            cwd: argv.cwd ?? cwd,
            user: argv.user ?? user,
          },
          isAsked ? own : command,
        );
      } finally {
        rmSync(root, { recursive: true, force: true });
      }
    });
  },
};

async function generateFrom(argv: GenerateArguments, args: readonly string[]): Promise<void> {
  const name = parseEnvironmentName(argv.environment);
  if (args.length + argv.program.length + argv.package.length + argv.include.length === 0)
    throw new RegError("EINVAL", "nothing is asked for", {
      hint: "name a --program or a --package, or a command behind --, as in reg-env generate web@1 -- nginx",
    });
  const probe = argv.probe === undefined ? undefined : parseProbe(argv.probe);
  const tries = argv.trial || probe !== undefined;
  if (tries && (args.length === 0 || argv["dry-run"]))
    throw new UsageError("a trial needs a command behind --, and an environment that it may make");
  const store = argv["dry-run"] ? undefined : anyStore(argv);
  const root = resolve(argv.root);
  const cwd = folderOf(argv.cwd, root, args);
  const traced = await traceAll(root, traceLines(argv.trace, args), argv.env, cwd);
  const compute = (more: readonly TracedFile[]) =>
    withProgress("look for what is needed", async () =>
      readable(() =>
        computeClosure({
          root,
          ...(args.length === 0 ? {} : { command: { args, cwd } }),
          programs: argv.program,
          packages: argv.package,
          presets: argv.preset,
          include: argv.include,
          exclude: argv.exclude,
          directories: argv.mkdir,
          env: argv.env,
          traced: [...traced, ...more],
        }),
      ),
    );
  let closure = await compute([]);
  const command = {
    args: closure.command ?? args,
    env: argv.env,
    cwd,
    ...(argv.user === undefined ? {} : { user: argv.user }),
  };
  if (store === undefined) {
    printPlan(name, closure, argv.format);
    return;
  }
  const install = (replace: boolean) =>
    withProgress("generate", (report) =>
      generateEnvironment(store, closure, {
        name,
        command,
        replace,
        onFile: (done, total) => report(`${done} of ${plural(total, "file")}`),
      }),
    );
  let installed = await install(argv.replace);
  const make = async (more: readonly TracedFile[]) => {
    if (more.length > 0) {
      closure = await compute(more);
      installed = await install(true);
    }
    return { tree: installed.tree, closure };
  };
  const trial = tries
    ? await withProgress("trial", (report) =>
        runTrial({
          root,
          make,
          command,
          runtime: argv.runtime,
          probe,
          timeLimitMs: argv["time-limit"] * 1000,
          onProgress: report,
        }),
      )
    : undefined;
  for (const warning of closure.warnings) warn(warning);
  if (argv.format === "json") printJson(describeGenerated(installed, closure, trial));
  else {
    print(`${describeInstalled(installed)}, ${plural(closure.files.size + closure.generated.size, "file")}`);
    if (trial !== undefined) tellTrial(trial);
  }
  if (trial?.difference !== undefined) process.exitCode = 1;
  if (argv.bundle === undefined) return;
  await writeBundle(store, installed.manifest, argv.bundle);
  if (argv.format === "text") print(`bundle in ${argv.bundle}`);
}

/** A user may not read all files of a root. */
function readable<T>(action: () => T): T {
  try {
    return action();
  } catch (error) {
    const { code, path } = error as NodeJS.ErrnoException;
    if (code !== "EACCES" || process.geteuid?.() === 0) throw error;
    throw new RegError("EACCES", `${path} may not be read by this user: ${(error as Error).message}`, {
      hint: "leave it out with --exclude, or let root make the environment",
      cause: error,
    });
  }
}

/** The command's working directory: as named, or the current one where the command names files in it. */
function folderOf(named: string | undefined, root: string, args: readonly string[]): string {
  if (named !== undefined) return root === "/" ? resolve(named) : posix.resolve("/", named);
  const here = process.cwd();
  const isHere = (name: string) =>
    name !== "" && !name.startsWith("/") && !name.startsWith("-") && existsSync(resolve(here, name));
  const found =
    root === "/" && here !== "/"
      ? args.find((name, index) => (index > 0 || name.includes("/")) && isHere(name))
      : undefined;
  if (found === undefined) return "/";
  note(`the command names ${found}, so its working directory is ${here} (--cwd says another)`);
  return here;
}

/** What a dry run says: the units, and in JSON all files with their reasons. */
function printPlan(name: EnvironmentName, closure: Closure, format: string): void {
  const units = splitClosure(closure, name);
  const sizes = new Map([...closure.files.keys()].map((path) => [path, sizeOf(closure.root, path)]));
  const bytesOf = (paths: readonly string[]) => paths.reduce((sum, path) => sum + (sizes.get(`/${path}`) ?? 0), 0);
  for (const warning of closure.warnings) warn(warning);
  if (format === "json") {
    const files = [...closure.files.values()].map((file) => ({ ...file, sizeBytes: sizes.get(file.path) ?? 0 }));
    const generated = [...closure.generated].map(([path, { reason }]) => ({ path, reason }));
    printJson({
      environment: formatEnvironmentName(name),
      command: closure.command ?? [],
      files,
      generated,
      warnings: closure.warnings,
    });
    return;
  }
  const rows = units.map((unit) => [
    `${unit.name}@${unit.version}`,
    String(unit.paths.length),
    formatBytes(bytesOf(unit.paths)),
  ]);
  print(table(["UNIT", "FILES", "SIZE"], rows));
  const bytes = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  print(
    `${formatEnvironmentName(name)} would have ${plural(sizes.size + closure.generated.size, "file")}, ${formatBytes(bytes)}`,
  );
}

function sizeOf(root: string, path: string): number {
  const stats = lstatSync(`${root === "/" ? "" : root}${path}`, { throwIfNoEntry: false });
  return stats?.isFile() === true ? stats.size : 0;
}

function describeGenerated(installed: Installed, closure: Closure, trial: TrialReport | undefined) {
  const { manifest, newObjects, newBytes, repaired, changed } = installed;
  return {
    environment: formatEnvironmentName(manifest),
    tree: manifest.tree,
    command: manifest.command,
    units: manifest.units.length,
    files: closure.files.size + closure.generated.size,
    newObjects,
    newBytes,
    repaired,
    changed,
    warnings: closure.warnings,
    ...(trial === undefined
      ? {}
      : {
          trial: {
            same: trial.difference === undefined,
            ...(trial.full.answer === undefined ? { status: trial.full.status } : {}),
            difference: trial.difference,
            rounds: trial.rounds,
            added: trial.added,
          },
        }),
  };
}

const MOST_ADDED = 20;

function tellTrial({ difference, full, rounds, added }: TrialReport): void {
  for (const { path, why = "" } of added.slice(0, MOST_ADDED)) print(`  added ${path}: ${why}`);
  if (added.length > MOST_ADDED) print(`  and ${added.length - MOST_ADDED} more (reg-env show --files)`);
  const how = full.answer === undefined ? `status ${full.status}` : "an answer to the probe";
  const tries = rounds === 1 ? "at the first try" : `after ${plural(rounds - 1, "addition")}`;
  if (difference === undefined) print(`trial: the same as in the full root, ${tries} (${how})`);
  if (difference === undefined && full.answer === undefined && full.status !== 0)
    warn(
      `trial: the command fails, in the full root as well: what it needs to succeed was not seen${saidLast(full.stderr)}`,
    );
  if (difference !== undefined) warn(`trial: not the same as in the full root: ${difference}`);
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
  cwd: string,
): Promise<TracedFile[]> {
  const files: TracedFile[] = [];
  for (const command of commands) {
    const traced = await traceCommand(root, command, env, cwd);
    if (traced.status !== 0) warn(`the traced command ${command.join(" ")} ended with status ${traced.status}`);
    files.push(...traced.files);
  }
  return files;
}
