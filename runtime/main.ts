/** The program: argv in, exit status out. The only place that catches, prints and exits. */
import { host } from "#host";
import { type Command, GLOBAL_OPTIONS, type OptionTable } from "./cli/command.ts";
import { makeContext, openLog } from "./cli/context.ts";
import { formatError, Log } from "./cli/log.ts";
import { checkPositionals, parseOptions } from "./cli/parse.ts";
import { COMMANDS, PRELOADED } from "./cli/registry.ts";
import { RegError, toErrorData, UsageError } from "./errors/errors.ts";
import { libc } from "./libc/libc.ts";
import { keepChildren } from "./libc/process.ts";
import { fillStandardDescriptors, setAside } from "./linux/descriptors.ts";
import { InvalidDocument } from "./oci/validate.ts";

/** What containerd looks for as the runtime io.containerd.reg.v2. */
const SHIM_NAME = "containerd-shim-reg-v2";

let log = new Log({ format: "text", level: "warning" });
/** The command that runs, once it is known. */
let command: Command | undefined;

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseOptions(args, GLOBAL_OPTIONS, true);
  const [name, ...rest] = positionals;
  if (values.version === true) return (await import("./cli/version.ts")).showVersion() ?? 0;
  if (name === undefined || values.help === true)
    return (await import("./cli/help.ts")).showHelp(COMMANDS).then(() => 0);
  let line: ReturnType<typeof parseLine>;
  try {
    const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (load === undefined) throw (await import("./cli/usage.ts")).unknownCommand(name, COMMANDS);
    command = (await load()).command;
    line = parseLine(rest, command);
    keepChildren();
    fillStandardDescriptors(command.preserved !== undefined);
    if (command.preserved !== undefined) setAside(command.preserved(line.values));
  } finally {
    log = openLog(values); // only now; and a wrong command line belongs into the log, too
  }
  if (line.values.help === true) return (await import("./cli/help.ts")).showHelp(COMMANDS, name).then(() => 0);
  checkPositionals(line.positionals, command.positionals);
  const context = makeContext(values, log, COMMANDS);
  if (context.debug !== undefined && command.readsConfig === true)
    (await import("./cli/unknown-properties.ts")).noteUnknownProperties(line.values, context.debug);
  const result = command.run(line.values, line.positionals, context);
  return (result instanceof Promise ? await result : result) ?? 0;
}

function parseLine(args: readonly string[], { options, optionsFirst = false }: Command) {
  return parseOptions(args, { ...options, help: GLOBAL_OPTIONS.help } as OptionTable, optionsFirst);
}

/** Says what went wrong; what is wrong with a document or a command line is worked out only now. */
async function report(error: unknown): Promise<void> {
  if (error instanceof InvalidDocument) error = (await import("./oci/explain.ts")).explain(error);
  if (error instanceof UsageError) error = (await import("./cli/usage.ts")).explainUsage(error, command);
  log.error(formatError(error instanceof RegError ? error : toErrorData(error)));
}

/** One binary, two programs: by its other name it is containerd's shim. */
async function shimProgram(): Promise<void> {
  await (await import("./shim/main.ts")).shim({
    explain: async (error) =>
      error instanceof InvalidDocument ? (await import("./oci/explain.ts")).explain(error) : error,
    about: async () => (await import("./cli/version.ts")).about(),
    checkpoint: () => import("./container/checkpoint.ts"),
    restore: () => import("./container/restore.ts"),
    idMapped: () => import("./shim/id-mapped.ts"),
    sandbox: () => import("./shim/sandbox/service.ts"),
  });
}

async function program(): Promise<void> {
  if (host.program.endsWith(SHIM_NAME)) return shimProgram();
  let status = 0;
  try {
    status = await main(host.args);
    log.end();
  } catch (error) {
    await report(error);
    status = command?.failureStatus ?? 1;
  }
  libc._exit(status);
}

await host.start(program, [...PRELOADED, () => import("./shim/main.ts")]);
