/** Completion scripts for shells, generated from the tables of the commands. */
import { type Command, GLOBAL_OPTIONS, type Option, type OptionTable } from "./command.ts";
import { shownOptions, valueText } from "./usage.ts";

/** Whose command line it is. */
export interface Program {
  readonly name: string;
  /** Options before the command. */
  readonly globals: OptionTable;
}

const REG: Program = { name: "reg", globals: GLOBAL_OPTIONS };
const HELP: OptionTable = { help: GLOBAL_OPTIONS.help };

/** A name for the shell's functions. */
function functionName({ name }: Program): string {
  return `_${name.replaceAll("-", "_")}`;
}

/** What can stand after an option, as far as a shell can know. */
type ValueKind = "none" | "directory" | "file" | "choices" | "other";

function valueKind(option: Option): ValueKind {
  const text = valueText(option);
  if (text === undefined) return "none";
  if (option.choices !== undefined) return "choices";
  if (text === "DIR") return "directory";
  return text === "FILE" || text === "SOCKET" ? "file" : "other";
}

function optionsOf(command: Command): [string, Option][] {
  return shownOptions({ ...command.options, ...HELP });
}

/** `--bundle -b`. */
function switches(name: string, { alias }: Option): string[] {
  return alias === undefined ? [`--${name}`] : [`--${name}`, `-${alias}`];
}

/** What the first argument of a command is chosen from; undefined when it is the user's to invent. */
function candidates(
  { name, positionals }: Command,
  commands: readonly Command[],
): "ids" | readonly string[] | undefined {
  const first = positionals[0]?.name;
  if (first === "id") return ["create", "run", "plan"].includes(name) ? undefined : "ids";
  if (first === "command") return commands.map(({ name }) => name);
  return first === "shell" ? ["bash", "zsh", "fish"] : undefined;
}

export function bash(commands: readonly Command[], program = REG): string {
  const { name } = program;
  const main = functionName(program);
  const globals = shownOptions(program.globals);
  const ids = !commands.some((command) => candidates(command, commands) === "ids")
    ? ""
    : `${main}_ids() {
    ${name} \${root:+--root "$root"} list --quiet 2>/dev/null
}

`;
  const taking = globals
    .filter(([, option]) => valueKind(option) !== "none")
    .flatMap(([name, option]) => switches(name, option));
  const passed = taking.filter((word) => word !== "--root").join("|");
  const cases = commands.map((command) => {
    const words = optionsOf(command).flatMap(([name, option]) => switches(name, option));
    const values = bashValues(optionsOf(command), "            ");
    const found = candidates(command, commands);
    const list = found === "ids" ? `$(${main}_ids)` : (found ?? []).join(" ");
    return `    ${command.name})
        case $previous in
${values}            *) ${main}_words '${words.join(" ")}' "${list}" ;;
        esac
        ;;
`;
  });
  const globalWords = globals.flatMap(([name, option]) => switches(name, option));
  return `# bash completion for ${name}.${loading(program, "bash")}
${ids}# Options if one has been begun, else the words that can stand here.
${main}_words() {
    if [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$1" -- "$current")
    else
        mapfile -t COMPREPLY < <(compgen -W "$2" -- "$current")
    fi
}

${main}() {
    local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} command= root= index
    COMPREPLY=()
    for ((index = 1; index < COMP_CWORD; index++)); do
        case \${COMP_WORDS[index]} in
            --root) root=\${COMP_WORDS[++index]} ;;
${passed === "" ? "" : `            ${passed}) ((index++)) ;;\n`}            -*) ;;
            *)
                command=\${COMP_WORDS[index]}
                break
                ;;
        esac
    done
    case $command in
    '')
        case $previous in
${bashValues(globals, "            ")}            *) ${main}_words '${globalWords.join(" ")}' '${commands.map(({ name }) => name).join(" ")}' ;;
        esac
        ;;
${cases.join("")}    esac
}
complete -F ${main} ${name}
`;
}

/** How to load the script where it is not installed; only reg prints its own. */
function loading({ name }: Program, shell: "bash" | "zsh" | "fish"): string {
  if (name !== REG.name) return "";
  const script = `reg completion ${shell}`;
  return ` Load it with: ${shell === "fish" ? `${script} | source` : `source <(${script})`}`;
}

/** Cases for the options whose value can be completed. */
function bashValues(options: readonly [string, Option][], indent: string): string {
  return options
    .map(([name, option]) => {
      const kind = valueKind(option);
      if (kind === "none") return "";
      const compgen = { directory: "-d", file: "-f", choices: `-W '${option.choices?.join(" ")}'`, other: "" }[kind];
      const paths = kind === "directory" || kind === "file" ? "compopt -o filenames 2>/dev/null; " : "";
      const action = compgen === "" ? ":" : `${paths}mapfile -t COMPREPLY < <(compgen ${compgen} -- "$current")`;
      return `${indent}${switches(name, option).join("|")}) ${action} ;;\n`;
    })
    .join("");
}

export function zsh(commands: readonly Command[], program = REG): string {
  const { name: called } = program;
  const main = functionName(program);
  const ids = !commands.some((command) => candidates(command, commands) === "ids")
    ? ""
    : `${main}_ids() {
    local -a ids
    ids=(\${(f)"$(${called} \${reg_root:+--root} $reg_root list --quiet 2>/dev/null)"})
    compadd -a ids
}

`;
  const list = commands.map(({ name, describe }) => `            ${zshQuote(`${name}:${describe}`)}\n`).join("");
  const cases = commands.map((command) => {
    const found = candidates(command, commands);
    const first =
      found === "ids" ? [`'1:container:${main}_ids'`] : found === undefined ? [] : [`'1:word:(${found.join(" ")})'`];
    const specs = [...optionsOf(command).flatMap(zshOption), ...first];
    return `        ${command.name}) _arguments ${specs.join(" \\\n            ")} ;;\n`;
  });
  return `#compdef ${called}
# zsh completion for ${called}.${loading(program, "zsh")}
${ids}${main}() {
    local curcontext=$curcontext state reg_root
    local -a line
    typeset -A opt_args
    _arguments -C ${shownOptions(program.globals).flatMap(zshOption).join(" \\\n        ")} \\
        '1:command:->command' '*::argument:->argument'
    reg_root=\${opt_args[--root]}
    case $state in
    command)
        local -a commands
        commands=(
${list}        )
        _describe command commands
        ;;
    argument)
        case $words[1] in
${cases.join("")}        esac
        ;;
    esac
}
if [[ $funcstack[1] = _${called} ]]; then ${main} "$@"; else compdef ${main} ${called}; fi
`;
}

function zshOption([name, option]: [string, Option]): string[] {
  const kind = valueKind(option);
  const action = {
    none: "",
    directory: ":directory:_files -/",
    file: ":file:_files",
    choices: `:value:(${option.choices?.join(" ")})`,
    other: ":value: ",
  }[kind];
  const describe = option.describe.replaceAll(/[[\]:\\]/g, "\\$&");
  return switches(name, option).map((word) => zshQuote(`${word}[${describe}]${action}`));
}

function zshQuote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

export function fish(commands: readonly Command[], program = REG): string {
  const start = `complete -c ${program.name}`;
  const names = commands.map(({ name }) => name).join(" ");
  const none = `'not __fish_seen_subcommand_from ${names}'`;
  const lines = [
    `# fish completion for ${program.name}.${loading(program, "fish")}`,
    `${start} -f`,
    ...shownOptions(program.globals).map((option) => fishOption(`${start} -n ${none}`, option)),
    ...commands.map(({ name, describe }) => `${start} -n ${none} -a ${name} -d ${fishQuote(describe)}`),
  ];
  for (const command of commands) {
    const seen = `'__fish_seen_subcommand_from ${command.name}'`;
    lines.push(...optionsOf(command).map((option) => fishOption(`${start} -n ${seen}`, option)));
    const found = candidates(command, commands);
    if (found === "ids") lines.push(`${start} -n ${seen} -a '(${program.name} list --quiet 2>/dev/null)'`);
    else if (found !== undefined) lines.push(`${start} -n ${seen} -a '${found.join(" ")}'`);
  }
  return `${lines.join("\n")}\n`;
}

function fishOption(start: string, [name, option]: [string, Option]): string {
  const value = {
    none: "",
    directory: " -x -a '(__fish_complete_directories)'",
    file: " -r -F",
    choices: ` -x -a '${option.choices?.join(" ")}'`,
    other: " -x",
  }[valueKind(option)];
  const short = option.alias === undefined ? "" : ` -s ${option.alias}`;
  return `${start}${short} -l ${name}${value} -d ${fishQuote(option.describe)}`;
}

function fishQuote(text: string): string {
  return `'${text.replaceAll(/['\\]/g, "\\$&")}'`;
}
