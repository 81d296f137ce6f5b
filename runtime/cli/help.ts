/** Help texts, laid out by yargs from the same tables that the parser reads. Loaded when they are asked for. */
import yargs, { type Yargs } from "#yargs";
import { windowSize } from "../linux/tty.ts";
import { type Command, GLOBAL_OPTIONS, loadAll, type OptionTable, type Registry } from "./command.ts";
import { print } from "./output.ts";
import { shownOptions, unknownCommand, usageLine, valueText } from "./usage.ts";

const MIN_WIDTH = 60;
const MAX_WIDTH = 100;
const NO_TERMINAL_WIDTH = 80;
const ARGUMENTS = "Arguments:";

/** Prints help for reg, or for one command. Throws UsageError for a command that does not exist. */
export async function showHelp(registry: Registry, name?: string): Promise<void> {
  const size = windowSize(1);
  const width = size === undefined ? NO_TERMINAL_WIDTH : Math.min(MAX_WIDTH, Math.max(MIN_WIDTH, size.width));
  if (name === undefined) {
    print(formatOverview(await loadAll(registry), width));
    return;
  }
  const load = Object.hasOwn(registry, name) ? registry[name] : undefined;
  if (load === undefined) throw unknownCommand(name, registry);
  print(formatCommand((await load()).command, width));
}

/** What `reg --help` prints. */
export function formatOverview(commands: readonly Command[], width: number): string {
  const help = empty(width)
    .usage("Usage: reg [global options] <command> [options] [arguments]")
    .usage("\nRuns containers as the OCI runtime specification describes them.");
  for (const command of commands) help.command(usageLine(command).replace(/^reg | \[options\]/g, ""), command.describe);
  addOptions(help, GLOBAL_OPTIONS, "Global options:");
  return finish(help.epilog("reg <command> --help explains a command."));
}

/** What `reg COMMAND --help` prints. */
export function formatCommand(command: Command, width: number): string {
  const { name, describe, options, positionals } = command;
  const help = empty(width)
    .usage(`Usage: ${usageLine(command)}`)
    .usage(`\n${sentence(describe)}`);
  for (const { name, describe } of positionals) help.describe(name, describe);
  help.group(
    positionals.map(({ name }) => name),
    ARGUMENTS,
  );
  addOptions(help, options, "Options:");
  const notes = name === "help" ? "" : "Options for all commands stand before it: see reg --help.";
  return finish(help.epilog(notes));
}

function empty(width: number): Yargs {
  return yargs([])
    .scriptName("reg")
    .detectLocale(false)
    .parserConfiguration({ "camel-case-expansion": false })
    .usageConfiguration({ "hide-types": true })
    .updateStrings({ "Positionals:": ARGUMENTS })
    .help(false)
    .version(false)
    .wrap(width);
}

/** yargs shows an option under its key, so the key has what stands for the value beside the name. */
function addOptions(help: Yargs, table: OptionTable, title: string): void {
  const keys = shownOptions(table).map(([name, option]) => {
    const value = valueText(option);
    const key = value === undefined ? name : `${name} ${value}`;
    help.option(key, {
      describe: option.describe,
      ...(option.alias === undefined ? {} : { alias: option.alias }),
    });
    return key;
  });
  help.group(keys, title);
}

function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
}

function finish(help: Yargs): string {
  let text = "";
  help.showHelp((shown) => {
    text = shown;
  });
  return `${text.trimEnd()}\n`;
}
