/** How a command is called, in one line; and what to say when it was called wrongly. Loaded for help and on failure. */
import { UsageError } from "../errors/errors.ts";
import { closest } from "../oci/suggest.ts";
import { type Command, GLOBAL_OPTIONS, type Option, type OptionTable, type Registry } from "./command.ts";

/** `reg kill [options] <id> [signal]`. */
export function usageLine(command: Command): string {
  const positionals = command.positionals.map(({ name, optional, rest }) => {
    const text = rest === true ? `${name}..` : name;
    return optional === true ? `[${text}]` : `<${text}>`;
  });
  const options = shownOptions(command.options).length === 0 ? [] : ["[options]"];
  return ["reg", command.name, ...options, ...positionals].join(" ");
}

/** What stands for the value: `DIR`, `text|json`; undefined for a switch. */
export function valueText({ type, placeholder, choices }: Option): string | undefined {
  if (type === "boolean") return undefined;
  return placeholder ?? choices?.join("|") ?? (type === "number" ? "N" : "VALUE");
}

/** The options of a table that people are told about. */
export function shownOptions(table: OptionTable): [name: string, option: Option][] {
  return Object.entries(table).filter(([, { hidden }]) => hidden !== true);
}

/** The error with the way out of it: the usage line of the command, or where help is. */
export function explainUsage(error: UsageError, command: Command | undefined): UsageError {
  if (error.hint !== undefined || error.field !== undefined) return error;
  const [, misplaced] = /^unexpected argument: -+([^=]+)/s.exec(error.message) ?? [];
  if (misplaced !== undefined && command?.optionsFirst === true) {
    const close = closest(misplaced, Object.keys(command.options));
    const meant = close === undefined || close === misplaced ? "" : `; did you mean --${close}?`;
    return new UsageError(error.message, { hint: `options stand before the ${command.positionals[0]?.name}${meant}` });
  }
  const [, unknown] = /^unknown option -+(.+)$/s.exec(error.message) ?? [];
  const close = unknown === undefined ? undefined : closest(unknown, Object.keys(command?.options ?? GLOBAL_OPTIONS));
  if (close !== undefined) return new UsageError(error.message, { hint: `did you mean --${close}?` });
  const hint =
    command === undefined
      ? "reg --help lists the commands and options"
      : `usage: ${usageLine(command)}; reg ${command.name} --help explains it`;
  return new UsageError(error.message, { hint });
}

export function unknownCommand(name: string, registry: Registry): UsageError {
  const close = closest(name, Object.keys(registry));
  const hint = close === undefined ? "reg --help lists the commands" : `did you mean reg ${close}?`;
  return new UsageError(`unknown command: ${name}`, { hint });
}
