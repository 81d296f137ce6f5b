/**
 * The command that an environment is made for: its program, what runs that, and the files that its arguments name. An argument that is no file
 * of the root (a pattern, a name for output) is nothing to us.
 */
import { posix } from "node:path";
import type { Asker, Collector } from "./collector.ts";
import { isOfAll } from "./of-all.ts";
import { takeTimeZones } from "./rules/time-zones.ts";
import { isElf, isShell, parseScript, readHead } from "./script.ts";
import { interpreterByName } from "./shebang.ts";
import { commandsOf } from "./shell.ts";

export interface CommandRequest {
  readonly args: readonly string[];
  /** Relative names are names in this folder of the root. */
  readonly cwd: string;
}

export interface TakenCommand {
  /** The path of its program without links. */
  readonly program: string;
  readonly asked: string;
  /** As it can be executed: a file that is no program has its interpreter before it. */
  readonly args: readonly string[];
}

/** Of these nothing is said: they are there in every container, or are for output. */
const PASSING = /^\/((dev|proc|sys|run|tmp|var\/tmp)(\/.*)?)?$/;
const LONGEST_NAME = 4096;
const WORD_END = /[\s;|&<>()'"`]+/;

/** Adds a fault, and returns undefined, when it can not be executed. */
export function takeCommand({ args, cwd }: CommandRequest, collector: Collector): TakenCommand | undefined {
  const [name = "", ...rest] = args;
  const taken = takeProgram(name, cwd, collector);
  if (taken === undefined) return undefined;
  const runner = interpreterOf(taken, collector);
  if (isShell(name)) takeShellLine(rest, cwd, collector);
  takeCalled(args, collector);
  let files = new NamedFiles(cwd, runner, collector);
  for (const [index, argument] of rest.entries()) {
    // `tar -C /srv folder`: what follows is named from there.
    const folder = posix.resolve(cwd, argument);
    const isEntered = /^(-C|--directory)$/.test(rest[index - 1] ?? "") && collector.root.isDirectory(folder);
    if (isEntered) files = new NamedFiles(folder, runner, collector);
    if (!isEntered || !isOfAll(folder)) files.takeArgument(argument);
    // Code, such as `-c "e /srv/text"` and `--eval '(find-file "/srv/text")'`; what a shell runs was looked at before.
    if (/[\s"'(]/.test(argument) && !isShell(name)) for (const word of argument.split(WORD_END)) files.takePath(word);
    takeTimeZones(argument, "the command", undefined, collector);
  }
  if (runner !== undefined && /^python[\d.]*$/.test(posix.basename(runner)))
    for (const argument of rest) files.takeModule(argument);
  return { ...taken, args: taken.args.length === 1 ? args : [...taken.args, ...rest] };
}

/** A program by its path, or by its name in the PATH of the root; what it lacks is a fault. */
export function takeProgram(name: string, cwd: string, collector: Collector): TakenCommand | undefined {
  const path = name.includes("/") ? posix.resolve(cwd, name) : collector.findProgram(name);
  const found = path === undefined ? undefined : collector.root.resolve(path);
  if (path === undefined || found === undefined) {
    collector.faults.push(
      name.includes("/") ? `the program ${name} is not there` : `the program ${name} is not in the PATH of the root`,
    );
    return undefined;
  }
  if (!found.stats.isFile()) {
    collector.faults.push(
      `${name} is not a program but a ${found.stats.isDirectory() ? "folder (--include takes folders)" : "special file"}`,
    );
    return undefined;
  }
  const asker: Asker = {
    rule: "program",
    text: "a program that was asked for",
    as: "program",
    strict: true,
    calls: true,
    named: true,
  };
  const head = readHead(collector.root.hostPath(found.path));
  const script = parseScript(head);
  const isExecutable = (found.stats.mode & 0o111) !== 0;
  if ((isElf(head) || script !== undefined) && isExecutable) {
    collector.add(path, asker);
    return { program: found.path, asked: path, args: [path] };
  }
  const interpreter = script?.program ?? script?.interpreter ?? interpreterByName(path);
  const runner = interpreter === undefined ? undefined : collector.findProgram(interpreter);
  const program = runner === undefined ? undefined : collector.root.resolve(runner)?.path;
  if (runner === undefined || program === undefined) {
    const why =
      interpreter === undefined
        ? "neither an ELF file nor a script"
        : `run by ${interpreter}, which is not in the PATH of the root`;
    collector.faults.push(`${name} can not be executed: it is ${isElf(head) ? "not marked executable" : why}`);
    return undefined;
  }
  collector.add(path, { ...asker, runner: program });
  collector.add(runner, {
    rule: "script",
    from: found.path,
    text: `${path} is run by it, as its name says`,
    as: "program",
    strict: true,
  });
  return { program: found.path, asked: path, args: [runner, ...(path.endsWith(".jar") ? ["-jar"] : []), path] };
}

/** What reads the files that the arguments name: the program, or the interpreter of a script. */
function interpreterOf({ program, asked, args }: TakenCommand, { root }: Collector): string | undefined {
  if (args.length > 1) return args[0];
  if (isShell(asked)) return asked;
  const head = readHead(root.hostPath(program));
  const script = isElf(head) ? undefined : parseScript(head);
  return script === undefined ? program : (script.program ?? script.interpreter);
}

/** What a shell is told to run behind -c. */
function takeShellLine(rest: readonly string[], cwd: string, collector: Collector): void {
  const index = rest.findIndex((argument) => /^-\w*c$/.test(argument));
  const line = index === -1 ? undefined : rest[index + 1];
  if (line === undefined) return;
  takePrograms(commandsOf(line), collector);
  const files = new NamedFiles(cwd, undefined, collector);
  for (const word of line.split(WORD_END)) if (!word.includes("$")) files.takeArgument(word);
}

/** `env A=b python3`, `timeout 5 sh`: programs that are called through others. */
function takeCalled(args: readonly string[], collector: Collector): void {
  const line = args.map((argument) => `'${argument.replaceAll("'", "'\\''")}'`).join(" ");
  takePrograms(commandsOf(line).slice(1), collector);
}

function takePrograms(names: readonly string[], collector: Collector): void {
  for (const name of names) {
    const path = collector.findProgram(name);
    if (path === undefined) continue;
    const asker = { rule: "command", text: `the command calls ${name}`, as: "program", calls: true } as const;
    const added = collector.add(path, asker);
    if (added !== undefined) collector.called.add(added.path);
  }
}

/** Takes what words of a command name. */
export class NamedFiles {
  readonly #cwd: string;
  readonly #runner: string | undefined;
  readonly #collector: Collector;

  constructor(cwd: string, runner: string | undefined, collector: Collector) {
    this.#cwd = cwd;
    this.#runner = runner;
    this.#collector = collector;
  }

  /** The files that an argument names: as a whole, behind `=` or a letter of an option, or in a list. */
  takeArgument(argument: string): void {
    const value = /^-{0,2}[\w.-]+=(.+)$/s.exec(argument)?.[1];
    const glued = /^-[A-Za-z]+([./].*)$/s.exec(argument)?.[1];
    const names = [
      argument,
      value,
      glued,
      /^@(.+)$/s.exec(argument)?.[1],
      /^file:(?:\/\/)?(\/.+)$/s.exec(argument)?.[1],
    ];
    const lists = [argument, value, glued].flatMap((each) => (each?.includes("/") === true ? each.split(/[:,;]/) : []));
    for (const name of new Set([...names, ...lists])) if (name !== undefined) this.#take(name);
  }

  /** A word of code: nothing but an absolute path. */
  takePath(word: string): void {
    if (word.startsWith("/")) this.#take(word);
  }

  /** `python3 -m web`, `gunicorn web.app:app`: a module beside the command's folder. */
  takeModule(argument: string): void {
    const name = /^([A-Za-z_][\w.]*)(:[\w.()]+)?$/.exec(argument)?.[1]?.replaceAll(".", "/");
    if (name === undefined) return;
    const { root } = this.#collector;
    const [top = ""] = name.split("/");
    const folder = posix.join(this.#cwd, top);
    if (root.isFile(posix.join(folder, "__init__.py")) || root.isFile(posix.join(folder, "__main__.py")))
      this.#take(`./${top}`);
    else if (root.isFile(`${folder}.py`)) this.#take(`./${top}.py`);
  }

  #take(name: string): void {
    if (name === "" || name.length > LONGEST_NAME || name.includes("\0")) return;
    const { root, warnings } = this.#collector;
    const path = posix.resolve(this.#cwd, name);
    const found = root.resolve(path);
    if (found === undefined || path === "/") return;
    const asker: Asker = {
      rule: "command",
      text: `the command names ${name}`,
      as: "data",
      named: true,
      ...(this.#runner === undefined ? {} : { runner: this.#runner }),
    };
    if (!found.stats.isDirectory()) {
      if (PASSING.test(found.path) && !found.stats.isFile()) return;
      this.#collector.add(path, (found.stats.mode & 0o111) === 0 ? asker : { ...asker, as: "program" });
      return;
    }
    // Words such as `run` and `dev` are no folders at the top.
    if (!name.includes("/") && this.#cwd === "/") return;
    if (!isOfAll(found.path)) this.#collector.addTree(path, asker);
    else if (!PASSING.test(found.path))
      warnings.add(
        `the command names ${found.path}, of which only what else is needed comes in (--include it to have all)`,
      );
  }
}
