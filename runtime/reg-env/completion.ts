/** reg-env's command line as tables, for the completion scripts: they are made of the same definitions that yargs reads. */
import yargs, { type Argv } from "yargs";
import type { Command, Option } from "../cli/command.ts";
import type { Program } from "../cli/completion.ts";
import { COMMANDS } from "./commands.ts";

export const PROGRAM: Program = {
  name: "reg-env",
  globals: { help: { type: "boolean", alias: "h", describe: "show help" } },
};

/** What yargs knows of the options that were given to it; its types leave this out. */
interface Known {
  readonly key: Readonly<Record<string, boolean | number>>;
  readonly boolean: readonly string[];
  readonly choices: Readonly<Record<string, readonly string[]>>;
}

/** Each command's name, description and options. */
export function completionTables(): Command[] {
  return COMMANDS.map(({ command, describe, builder }) => {
    const parser = (builder as (parser: Argv) => Argv)(yargs([]).help(false).version(false));
    const usage = String(command);
    const positionals = [...usage.matchAll(/<([a-z]+)/g)].map(([, name = ""]) => name);
    const known = (parser as unknown as { getOptions(): Known }).getOptions();
    const descriptions = (
      parser as unknown as {
        getInternalMethods(): { getUsageInstance(): { getDescriptions(): Record<string, string> } };
      }
    )
      .getInternalMethods()
      .getUsageInstance()
      .getDescriptions();
    const names = Object.keys(known.key).filter((name) => name.length > 1 && !positionals.includes(name));
    return {
      name: usage.split(" ")[0] ?? "",
      describe: String(describe),
      positionals: positionals.map((name) => ({ name, describe: name })),
      options: Object.fromEntries(names.map((name) => [name, option(name, known, descriptions[name] ?? "")])),
      run: () => undefined,
    };
  });
}

/** yargs does not say what a value is: where it is a directory, the name tells. */
const DIRECTORIES = ["store", "root", "bundle", "cwd"];
const FILES = ["program", "include", "exclude", "runtime"];

function option(name: string, { boolean, choices }: Known, describe: string): Option {
  const text = describe.replace(/^__yargsString__:/, "");
  if (boolean.includes(name)) return { type: "boolean", describe: text };
  const among = choices[name];
  const placeholder = DIRECTORIES.includes(name) ? "DIR" : FILES.includes(name) ? "FILE" : "VALUE";
  return { type: "string", describe: text, ...(among === undefined ? { placeholder } : { choices: among }) };
}
