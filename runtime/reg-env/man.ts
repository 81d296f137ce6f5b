/**
 * Build tool: writes reg-env.8 from the command line's own help, and the completion scripts for shells.
 * Usage: node dist/runtime/reg-env/man.js DIRECTORY; man/ and completion/ are made in it.
 */
import * as fs from "node:fs";
import { bash, fish, zsh } from "../cli/completion.ts";
import { COMMANDS } from "./commands.ts";
import { completionTables, PROGRAM } from "./completion.ts";
import { makeParser } from "./parser.ts";

const [directory = "dist"] = process.argv.slice(2);
const COLUMNS = 76;

function escapeRoff(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replace(/^([.'])/gm, "\\&$1");
}

const names = COMMANDS.map(({ command }) => String(command).split(" ")[0] ?? "");
const sections = await Promise.all(
  names.map(async (name) => `.SS ${name}\n.nf\n${escapeRoff(await makeParser([name], COLUMNS).getHelp())}\n.fi`),
);
const page = `.TH REG\\-ENV 8 "" reg reg
.SH NAME
reg\\-env \\- environments that containers share
.SH SYNOPSIS
.B reg\\-env
.I command
.RI [ options ]
.SH DESCRIPTION
An environment is a root filesystem with what a program needs and nothing else. Its files are hard links to objects of a store, so that
the kernel keeps each file in memory once, however many containers and environments use it.
.BR reg (8)
puts the root of a container together from environments when config.json has a
.B reg
object or annotations
.BR org.reg.* .
.SH COMMANDS
${sections.join("\n")}
.SH FILES
.TP
.I /var/lib/reg
Root's store, with one directory for each sharing domain.
.TP
.I $XDG_DATA_HOME/reg
A user's, $HOME/.local/share/reg where the variable is not set.
.SH EXIT STATUS
0, 1 for an error and for damage that
.B verify
found; for
.B run
that of the container.
.SH SEE ALSO
.BR reg (8)
`;
fs.mkdirSync(`${directory}/man`, { recursive: true });
fs.mkdirSync(`${directory}/completion`, { recursive: true });
fs.writeFileSync(`${directory}/man/reg-env.8`, page);
for (const [shell, script] of Object.entries({ bash, zsh, fish }))
  fs.writeFileSync(`${directory}/completion/reg-env.${shell}`, script(completionTables(), PROGRAM));
