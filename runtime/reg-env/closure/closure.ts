/**
 * The files that programs need to run, each with its reason. Nothing of the root is executed; the same root and request give the same closure.
 */
import { RegError } from "../../errors/errors.ts";
import { type Asker, Collector } from "./collector.ts";
import { hasWildcard } from "./glob.ts";
import { makeCache } from "./ld-cache.ts";
import { ownerOf } from "./owner.ts";
import { takePreset } from "./presets.ts";
import { byBytes } from "./root.ts";
import { takeBase, takeMergedFolders } from "./rules/base.ts";
import { takeOwnData } from "./rules/own-data.ts";
import { RULES } from "./rules/rules.ts";
import { isElf, parseScript, readHead } from "./script.ts";
import { interpreterByName } from "./shebang.ts";
import { commandOf, takePackage } from "./take-package.ts";
import { tellAll } from "./tell.ts";
import type { Closure, ClosureFile, ClosureRequest } from "./types.ts";

export type { Closure, ClosureFile, ClosureRequest, GeneratedFile, Package, Reason, TracedFile } from "./types.ts";
export { chainOf } from "./types.ts";

/**
 * Throws RegError with everything that is missing at once: a program that is not there, a library that a requested program needs, the
 * interpreter of a script, a link that leads out of the root.
 */
export function computeClosure(request: ClosureRequest): Closure {
  const collector = new Collector(request, RULES);
  const commands = request.programs.map((program) => takeProgram(program, collector));
  collector.settle();
  for (const traced of request.traced ?? []) {
    const did = { executed: "executed it", opened: "opened it", examined: "looked at it" }[traced.how];
    collector.add(traced.path, {
      rule: "trace",
      text: `a traced run ${did}`,
      as: traced.how === "executed" ? "program" : "data",
    });
  }
  const packaged = (request.packages ?? []).flatMap((name) => takePackage(name, collector));
  for (const name of request.presets ?? []) takePreset(name, collector);
  for (const pattern of request.include ?? []) takeIncluded(pattern, collector);
  collector.settle();
  for (const command of commands) if (command !== undefined) takeOwnData(command.program, command.asked, collector);
  for (const program of packaged) takeOwnData(program, program, collector);
  takeBase(collector);
  collector.settle();
  takeMergedFolders(collector);
  collector.settle();
  makeCache(collector);
  if (collector.faults.length > 0) fail(request, collector.faults);
  tellAll(collector);

  const files = new Map<string, ClosureFile>();
  for (const path of [...collector.files.keys()].sort(byBytes)) {
    const file = collector.files.get(path);
    if (file === undefined || collector.generated.has(path)) continue;
    const owner = ownerOf(path, collector);
    files.set(path, owner === undefined ? file : { ...file, package: owner });
  }
  const command = commands[0]?.command ?? commandOf(packaged, request.packages ?? []);
  return {
    root: collector.root.prefix === "" ? "/" : collector.root.prefix,
    files,
    generated: new Map([...collector.generated].sort(([left], [right]) => byBytes(left, right))),
    warnings: [...collector.warnings],
    ...(command === undefined ? {} : { command }),
  };
}

function fail(request: ClosureRequest, faults: readonly string[]): never {
  const [first = "", ...others] = new Set(faults);
  const text = others.length === 0 ? first : [`${others.length + 1} things are missing`, first, ...others].join("\n  ");
  throw new RegError("ENOENT", `in ${request.root}: ${text}`, {
    hint: "install what is missing into the root filesystem, or leave out who needs it with --exclude",
  });
}

/** What is asked for by its path comes in, or it is an error: never is it left out without a word. */
function takeIncluded(pattern: string, collector: Collector): void {
  const path = absolute(pattern);
  const never = hasWildcard(path) ? undefined : collector.whyNever(path);
  if (never !== undefined) collector.faults.push(`--include ${pattern} can not be taken: ${never}`);
  else if (!collector.addPattern(path, { rule: "include", text: `--include ${pattern}`, named: true }))
    collector.faults.push(`--include ${pattern} matches nothing in the root`);
}

/** Paths of requests are paths in the root. */
function absolute(path: string): string {
  const clean = path.startsWith("/") ? path : `/${path}`;
  if (clean.split("/").includes(".."))
    throw new RegError("EINVAL", `${path}: a path in the root filesystem has no ".."`, {
      hint: "name the file by its absolute path in the root",
    });
  return clean;
}

interface Command {
  /** Its path without links. */
  readonly program: string;
  readonly asked: string;
  readonly command: readonly string[];
}

function takeProgram(name: string, collector: Collector): Command | undefined {
  const path = name.includes("/") ? absolute(name) : collector.findProgram(name);
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
  };
  const head = readHead(collector.root.hostPath(found.path));
  const script = parseScript(head);
  const isExecutable = (found.stats.mode & 0o111) !== 0;
  if ((isElf(head) || script !== undefined) && isExecutable) {
    collector.add(path, asker);
    return { program: found.path, asked: path, command: [path] };
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
  return { program: found.path, asked: path, command: [runner, path] };
}
