/** The command line, strictly: yargs' own parser with the tables of command.ts, then a check of what it found. */
import parser from "yargs-parser/browser";
import { UsageError } from "../errors/errors.ts";
import type { OptionTable, Positional, Values } from "./command.ts";

export interface ParsedLine<T extends OptionTable> {
  readonly values: Values<T>;
  readonly positionals: readonly string[];
}

/**
 * Parses arguments by a table. Long options may have one dash or two (as Go's flag packages accept), values follow after
 * "=" or as the next argument; "--" ends the options. With `optionsFirst` so does the first positional.
 * Throws UsageError.
 */
export function parseOptions<T extends OptionTable>(
  args: readonly string[],
  table: T,
  optionsFirst: boolean,
): ParsedLine<T> {
  const names = Object.keys(table);
  const ofType = (...types: string[]) => names.filter((name) => types.includes(table[name]?.type ?? ""));
  const withValue = ofType("string", "number", "strings");
  const alias: Record<string, string[]> = {};
  for (const name of names) {
    const short = table[name]?.alias;
    if (short !== undefined) alias[name] = [short];
  }
  const { argv, error } = parser.detailed(args, {
    string: withValue,
    boolean: ofType("boolean"),
    alias,
    narg: Object.fromEntries(withValue.map((name) => [name, 1])),
    configuration: {
      "halt-at-non-option": optionsFirst,
      "short-option-groups": false,
      "camel-case-expansion": false,
      "dot-notation": false,
      "parse-numbers": false,
      "parse-positional-numbers": false,
      "boolean-negation": false,
      "strip-aliased": true,
    },
  });
  if (error !== null) throw new UsageError(error.message.toLowerCase());
  const values: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(argv)) {
    if (name === "_") continue;
    const option = Object.hasOwn(table, name) ? table[name] : undefined;
    if (option === undefined) throw unknownOption(name, table);
    const read = readValue(name, option.type, value);
    if (option.choices !== undefined && !option.choices.includes(String(read)))
      throw new UsageError(`--${name} ${String(read)}: expected one of ${option.choices.join(", ")}`);
    values[name] = read;
  }
  return { values: values as Values<T>, positionals: argv._.map(String) };
}

function readValue(name: string, type: string, value: unknown): unknown {
  if (type === "strings") return (Array.isArray(value) ? value : [value]).map(String);
  const last: unknown = Array.isArray(value) ? value.at(-1) : value; // given twice: the last one counts
  if (type === "boolean") return last === true || last === "true";
  if (type === "string") return String(last);
  const number = Number(last);
  if (last === "" || !Number.isInteger(number)) throw new UsageError(`--${name} ${String(last)}: expected a number`);
  return number;
}

function unknownOption(name: string, table: OptionTable): UsageError {
  const close = Object.keys(table).find((known) => known.startsWith(name) || name.startsWith(known));
  return new UsageError(
    `unknown option ${name.length === 1 ? "-" : "--"}${name}`,
    close === undefined ? {} : { hint: `did you mean --${close}?` },
  );
}

/** Checks how many positionals there are. Throws UsageError that names the missing one. */
export function checkPositionals(found: readonly string[], expected: readonly Positional[]): void {
  const missing = expected.find(({ optional }, index) => optional !== true && index >= found.length);
  if (missing !== undefined) throw new UsageError(`missing argument: ${missing.name}`);
  const extra = found[expected.length];
  if (extra !== undefined && expected.at(-1)?.rest !== true) throw new UsageError(`unexpected argument: ${extra}`);
}
