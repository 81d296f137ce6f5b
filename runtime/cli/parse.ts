/**
 * The command line, strictly, by the tables of command.ts. This is the one place where yargs does not read them: its parser
 * takes 0.39 ms of a command's 0.73 on QuickJS, and a container is five commands. Help, completion, man pages and what is said
 * about a wrong command line come from yargs.
 */
import { UsageError } from "../errors/errors.ts";
import type { Option, OptionTable, Positional, Values } from "./command.ts";

export interface ParsedLine<T extends OptionTable> {
  readonly values: Values<T>;
  readonly positionals: readonly string[];
}

/**
 * Parses arguments by a table. Long options may have one dash or two (as Go's flag packages accept), values follow after
 * "=" or as the next argument; switches of one letter may stand together; "--" ends the options. With `optionsFirst` so
 * does the first positional. Throws UsageError.
 */
export function parseOptions<T extends OptionTable>(
  args: readonly string[],
  table: T,
  optionsFirst: boolean,
): ParsedLine<T> {
  const values: Record<string, unknown> = {};
  const positionals: string[] = [];
  for (let index = 0; index < args.length; index++) {
    const argument = args[index] ?? "";
    if (argument === "--") {
      positionals.push(...args.slice(index + 1));
      break;
    }
    if (argument === "-" || !argument.startsWith("-")) {
      if (optionsFirst) {
        positionals.push(...args.slice(index));
        break;
      }
      positionals.push(argument);
      continue;
    }
    const equals = argument.indexOf("=");
    const given = argument.slice(argument.startsWith("--") ? 2 : 1, equals < 0 ? undefined : equals);
    const names = find(given, table, !argument.startsWith("--"));
    if (names === undefined) throw new UsageError(`unknown option ${argument.replace(/=.*/s, "")}`);
    for (const name of names) {
      const option = table[name] as Option;
      let text = equals < 0 ? undefined : argument.slice(equals + 1);
      if (text === undefined && option.type !== "boolean") {
        text = args[++index];
        if (text === undefined) throw new UsageError(`not enough arguments following: ${name}`);
      }
      values[name] = readValue(name, option, text, values[name]);
    }
  }
  return { values: values as Values<T>, positionals };
}

/** The options that a name or a letter stands for; several for letters together, all of which must be switches. */
function find(given: string, table: OptionTable, short: boolean): readonly string[] | undefined {
  if (Object.hasOwn(table, given)) return [given];
  if (!short) return undefined;
  const names = [...given].map((letter) => Object.keys(table).find((name) => table[name]?.alias === letter));
  const allKnown = names.every((name) => name !== undefined && (names.length === 1 || table[name]?.type === "boolean"));
  return allKnown && names.length > 0 ? (names as string[]) : undefined;
}

function readValue(name: string, option: Option, text: string | undefined, before: unknown): unknown {
  if (option.choices !== undefined && !option.choices.includes(text ?? ""))
    throw new UsageError(`--${name} ${text}: expected one of ${option.choices.join(", ")}`);
  switch (option.type) {
    case "boolean":
      if (text !== undefined && !/^(true|false|1|0)$/.test(text))
        throw new UsageError(`--${name} ${text}: expected true or false`);
      return text === undefined || text === "true" || text === "1";
    case "strings":
      return [...((before as readonly string[] | undefined) ?? []), text];
    case "string":
      return text;
    case "number": {
      const number = Number(text);
      if (text === "" || !Number.isInteger(number)) throw new UsageError(`--${name} ${text}: expected a number`);
      return number;
    }
  }
}

/** Checks how many positionals there are. Throws UsageError that names the missing one. */
export function checkPositionals(found: readonly string[], expected: readonly Positional[]): void {
  const missing = expected.find(({ optional }, index) => optional !== true && index >= found.length);
  if (missing !== undefined) throw new UsageError(`missing argument: ${missing.name}`);
  const extra = found[expected.length];
  if (extra !== undefined && expected.at(-1)?.rest !== true) throw new UsageError(`unexpected argument: ${extra}`);
}
