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
  for (const command of COMMANDS) parser.command(command);
  return parser;
}
