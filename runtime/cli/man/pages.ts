/** Man pages: the tables of the commands and the prose beside them, as man(7) source. */
import { type Command, GLOBAL_OPTIONS, type OptionTable } from "../command.ts";
import { shownOptions, usageLine, valueText } from "../usage.ts";
import { VERSION } from "../version.ts";
import { COMMAND_PROSE, OVERVIEW, type Prose, SHIM } from "./prose.ts";

const SECTION = 8;

/** The page of reg(8). */
export function overviewPage(commands: readonly Command[]): string {
  const list = commands.map(({ name, describe }) => `.TP\n\\fBreg-${roff(name)}\\fR(${SECTION})\n${line(describe)}\n`);
  return [
    header("reg"),
    section("NAME", "reg \\- run containers of the Open Container Initiative\n"),
    section("SYNOPSIS", "\\fBreg\\fR [\\fIglobal options\\fR] \\fIcommand\\fR [\\fIoptions\\fR] [\\fIarguments\\fR]\n"),
    section("DESCRIPTION", paragraphs(OVERVIEW.description)),
    section("COMMANDS", list.join("")),
    section("GLOBAL OPTIONS", options(GLOBAL_OPTIONS)),
    ending(OVERVIEW),
    section("FILES", FILES),
    section("SEE ALSO", `${commands.map(({ name }) => reference(name)).join(",\n")}\n`),
  ].join("");
}

/** The page of a command. */
export function commandPage(command: Command): string {
  const { name, describe, positionals } = command;
  const prose = COMMAND_PROSE[name] ?? { description: [describe] };
  const taken = positionals.map(({ name, describe }) => `.TP\n\\fI${roff(name)}\\fR\n${line(describe)}\n`).join("");
  return [
    header(`reg-${name}`),
    section("NAME", `reg\\-${roff(name)} \\- ${roff(describe)}\n`),
    section("SYNOPSIS", `\\fB${roff(usageLine(command))}\\fR\n`),
    section("DESCRIPTION", paragraphs(prose.description)),
    section("ARGUMENTS", taken),
    section("OPTIONS", options(command.options)),
    ending(prose),
    section("SEE ALSO", `${["", ...(prose.seeAlso ?? [])].map(reference).join(",\n")}\n`),
  ].join("");
}

/** The page of containerd-shim-reg-v2(8). */
export function shimPage(): string {
  return [
    header("containerd-shim-reg-v2"),
    section("NAME", "containerd\\-shim\\-reg\\-v2 \\- containerd's shim that makes containers itself\n"),
    section("SYNOPSIS", "\\fBctr run \\-\\-runtime io.containerd.reg.v2\\fR \\fIimage\\fR \\fIcontainer\\fR\n"),
    section("DESCRIPTION", paragraphs(SHIM.description)),
    ending(SHIM),
    section("SEE ALSO", `${reference("")}\n`),
  ].join("");
}

const FILES = `.TP
.I config.json
in the bundle: what the container is
.TP
.I /run/reg
the root directory for root; \\fI$XDG_RUNTIME_DIR/reg\\fR for others
`;

function header(name: string): string {
  return `.\\" Generated from the tables of reg's commands.\n.TH ${name.toUpperCase()} ${SECTION} "" "reg ${VERSION}" "Container runtime"\n.nh\n`;
}

/** Empty without a body. */
function section(title: string, body: string): string {
  return body === "" ? "" : `.SH ${title}\n${body}`;
}

function ending({ examples = [], exitStatus }: Prose): string {
  const shown = examples.map(([what, line]) => `.TP\n${roff(`${what}:`)}\n.nf\n\\fB${roff(line)}\\fR\n.fi\n`);
  return (
    section("EXIT STATUS", exitStatus === undefined ? "" : `${line(exitStatus)}\n`) +
    section("EXAMPLES", shown.join(""))
  );
}

function paragraphs(texts: readonly string[]): string {
  return texts.map((text) => `.PP\n${line(text)}\n`).join("");
}

function options(table: OptionTable): string {
  return shownOptions(table)
    .map(([name, option]) => {
      const short = option.alias === undefined ? "" : `\\fB\\-${option.alias}\\fR, `;
      const text = valueText(option);
      const value = text === undefined ? "" : ` \\fI${roff(text)}\\fR`;
      return `.TP\n${short}\\fB\\-\\-${roff(name)}\\fR${value}\n${line(option.describe)}\n`;
    })
    .join("");
}

function reference(name: string): string {
  return name === "" ? `\\fBreg\\fR(${SECTION})` : `\\fBreg\\-${roff(name)}\\fR(${SECTION})`;
}

/** A line of text: as a sentence, and not taken for a request. */
function line(text: string): string {
  const sentence = /[.:]$/.test(text) ? text : `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
  return roff(sentence).replace(/^([.'])/, "\\&$1");
}

/** Text whose characters mean themselves. */
function roff(text: string): string {
  return text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll("'", "\\(aq")
    .replaceAll("~", "\\(ti")
    .replaceAll("^", "\\(ha");
}
