/** The program: argv in, exit status out. The only place that catches, prints and exits. */
import { host } from "#host";
import { type Command, GLOBAL_OPTIONS, type OptionTable } from "./cli/command.ts";
import { makeContext, openLog } from "./cli/context.ts";
import { formatError, Log } from "./cli/log.ts";
import { checkPositionals, parseOptions } from "./cli/parse.ts";
import { RegError, toErrorData, UsageError } from "./errors/errors.ts";
import { libc } from "./libc/libc.ts";
import { InvalidDocument } from "./oci/validate.ts";

/** Each command is a module of its own, loaded when it is asked for: bytecode that is not needed costs nothing. */
const COMMANDS: Readonly<Record<string, () => Promise<{ readonly command: Command }>>> = {
  create: () => import("./cli/commands/create.ts"),
  start: () => import("./cli/commands/start.ts"),
  run: () => import("./cli/commands/run.ts"),
  state: () => import("./cli/commands/state.ts"),
  kill: () => import("./cli/commands/kill.ts"),
  delete: () => import("./cli/commands/delete.ts"),
  list: () => import("./cli/commands/list.ts"),
  init: () => import("./cli/commands/init.ts"),
};

let log = new Log({ format: "text", level: "warning" });
let failureStatus = 1;

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseOptions(args, GLOBAL_OPTIONS, true);
  log = openLog(values);
  const [name, ...rest] = positionals;
  if (values.version === true) return (await import("./cli/version.ts")).showVersion();
  if (name === undefined || values.help === true)
    return (await import("./cli/help.ts")).showHelp([], name === undefined && values.help !== true);
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (load === undefined) {
    if (name === "help") return (await import("./cli/help.ts")).showHelp(rest, false);
    throw new UsageError(`unknown command: ${name}`, { hint: "reg --help lists the commands" });
  }
  const { command } = await load();
  failureStatus = command.failureStatus ?? 1;
  const line = parseOptions(
    rest,
    { ...command.options, help: GLOBAL_OPTIONS.help } as OptionTable,
    command.optionsFirst ?? false,
  );
  if (line.values["help"] === true) return (await import("./cli/help.ts")).showHelp([name], false);
  checkPositionals(line.positionals, command.positionals);
  return command.run(line.values, line.positionals, makeContext(values, log)) ?? 0;
}

/** Says what went wrong; what is wrong with a document is worked out only now. */
async function report(error: unknown): Promise<void> {
  if (error instanceof InvalidDocument) error = (await import("./oci/explain.ts")).explain(error);
  log.error(formatError(error instanceof RegError ? error : toErrorData(error)));
}

let status = 0;
try {
  status = await main(host.args);
} catch (error) {
  await report(error);
  status = failureStatus;
}
libc._exit(status);
