/** The command line, for the program and for its man page. */
import yargs, { type Argv } from "yargs";
import { UsageError } from "../errors/errors.ts";
import { COMMANDS } from "./commands.ts";

/** `columns` is how wide help may be. */
export function makeParser(args: readonly string[], columns: number): Argv {
  const parser = yargs([...args])
    .scriptName("reg-env")
    .usage("$0 <command>\n\nmake environments that containers share, and look after the store that keeps them")
    .parserConfiguration({ "populate--": true, "camel-case-expansion": false, "parse-positional-numbers": false })
    .strict()
    .demandCommand(1, "say what to do")
    .recommendCommands()
    .version(false)
    .help()
    .alias("help", "h")
    .wrap(columns)
    .detectLocale(false)
    .exitProcess(false)
    .fail((message, error) => {
      throw error ?? new UsageError(message, { hint: "reg-env --help and reg-env COMMAND --help show what there is" });
    });
  for (const command of COMMANDS) {
    const builder = command.builder as (yargs: Argv) => Argv;
    parser.command({ ...command, builder: (own: Argv) => refuseTwice(builder(own)) });
  }
  return parser;
}

/** Options that may be given more than once and also without a value, which yargs' arrays can not. */
const REPEATED = ["trace"];

/** yargs makes a list of a value that is given twice, which no command expects of what has one value. */
function refuseTwice(yargs: Argv): Argv {
  // yargs' types leave out what it knows of its options.
  const { array } = (yargs as unknown as { getOptions(): { array: readonly string[] } }).getOptions();
  return yargs.check((argv) => {
    for (const [name, value] of Object.entries(argv))
      if (Array.isArray(value) && !array.includes(name) && !REPEATED.includes(name) && !/^(_|--)$/.test(name))
        throw new UsageError(`--${name} is given ${value.length} times`, { hint: "it has one value" });
    return true;
  });
}
