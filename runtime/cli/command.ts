/**
 * A command is data: its name, positionals and options. The parser, `--help`, the man pages and the completion all read
 * the same table; only `run` is code.
 */

/** How an option's value is read. "strings" may be given more than once. */
export type OptionType = "string" | "boolean" | "number" | "strings";

export interface Option {
  readonly type: OptionType;
  readonly alias?: string;
  readonly describe: string;
  /** What stands for the value in the help text. */
  readonly placeholder?: string;
  readonly choices?: readonly string[];
  /** Accepted for callers that pass it, and without effect. */
  readonly hidden?: boolean;
}

export type OptionTable = Readonly<Record<string, Option>>;

export interface Positional {
  readonly name: string;
  readonly describe: string;
  readonly optional?: boolean;
  /** Takes all that is left. */
  readonly rest?: boolean;
}

type ValueOf<T extends OptionType> = T extends "string"
  ? string
  : T extends "number"
    ? number
    : T extends "boolean"
      ? boolean
      : readonly string[];

/** The values of a table's options; those that were not given are absent. */
export type Values<T extends OptionTable> = { readonly [Name in keyof T]?: ValueOf<T[Name]["type"]> };

/** Options before the command. */
export const GLOBAL_OPTIONS = {
  root: {
    type: "string",
    placeholder: "DIR",
    describe: "directory for the state of containers (default: /run/reg; $XDG_RUNTIME_DIR/reg when rootless)",
  },
  log: {
    type: "string",
    placeholder: "FILE",
    describe: "also log to FILE: [file:]PATH, syslog:ID or journald:ID",
  },
  "log-format": { type: "string", choices: ["text", "json"], describe: "format of the log (default: text)" },
  "log-level": {
    type: "string",
    placeholder: "LEVEL",
    choices: ["error", "warning", "info", "debug"],
    describe: "least severe messages to log: error, warning, info or debug (default: warning)",
  },
  debug: { type: "boolean", describe: "log everything; same as --log-level debug" },
  "systemd-cgroup": {
    type: "boolean",
    describe: "let systemd make cgroups; linux.cgroupsPath is then SLICE:PREFIX:NAME",
  },
  "cgroup-manager": {
    type: "string",
    placeholder: "MANAGER",
    choices: ["cgroupfs", "systemd", "disabled"],
    describe: "who makes cgroups: cgroupfs, systemd or disabled (default: cgroupfs)",
  },
  rootless: {
    type: "string",
    placeholder: "MODE",
    choices: ["true", "false", "auto"],
    describe: "do without what only root may do: true, false or auto (default: auto)",
  },
  "host-config": {
    type: "string",
    placeholder: "FILE",
    describe: "what this host lets annotations org.reg.* ask for (default: /etc/reg/reg.json)",
  },
  criu: {
    type: "string",
    placeholder: "PROGRAM",
    describe: "the program that saves and restores processes (default: criu in $PATH)",
  },
  version: { type: "boolean", alias: "v", describe: "show the version" },
  help: { type: "boolean", alias: "h", describe: "show help" },
} as const satisfies OptionTable;

export type GlobalValues = Values<typeof GLOBAL_OPTIONS>;

/** What a command gets besides its own arguments. */
export interface Context {
  /** All commands, for those that tell about the others. */
  readonly registry: Registry;
  /** Directory of containers' state. */
  readonly root: string;
  readonly cgroupManager: "cgroupfs" | "systemd" | "disabled";
  readonly rootless: boolean;
  /** Another file than /etc/reg/reg.json. */
  readonly hostConfig?: string;
  /** Another program than the criu in $PATH. */
  readonly criu?: string;
  /** Logs a warning. */
  readonly warn: (message: string) => void;
  /** Logs a note that only --debug shows; absent without it, so that nothing is looked for in vain. */
  readonly debug?: (message: string) => void;
}

export interface Command<T extends OptionTable = OptionTable> {
  readonly name: string;
  readonly describe: string;
  readonly positionals: readonly Positional[];
  readonly options: T;
  /** For programs: help does not show it. */
  readonly hidden?: boolean;
  /** Options end at the first positional: what follows belongs to the container's program, or may look like an option. */
  readonly optionsFirst?: boolean;
  /** Exit status of reg's own errors; 1 if absent. */
  readonly failureStatus?: number;
  /** It has the options of a bundle's config.json, about whose unknown properties --debug has a note. */
  readonly readsConfig?: boolean;
  /** How many descriptors from 3 on are the container's: main.ts sets them aside before it opens anything. */
  preserved?(values: Values<T>): number;
  /** Returns the exit status; nothing is 0. A promise only where another module has to be loaded. */
  // A method, so that a command of a narrower table can stand in a list of commands.
  run(values: Values<T>, positionals: readonly string[], context: Context): number | undefined | void | Promise<void>;
}

/** Gives `run` the types of its table. */
export function defineCommand<const T extends OptionTable>(command: Command<T>): Command<T> {
  return command;
}

/** The commands, by name. */
export type Registry = Readonly<Record<string, () => Promise<{ readonly command: Command }>>>;

/** Loads all commands that are for people. */
export async function loadAll(registry: Registry): Promise<Command[]> {
  const commands: Command[] = [];
  for (const load of Object.values(registry)) commands.push((await load()).command);
  return commands.filter(({ hidden }) => hidden !== true);
}
