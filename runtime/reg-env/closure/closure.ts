/**
 * The files that programs need to run, each with its reason. Nothing of the root is executed; the same root and request give the same closure.
 */
import { RegError } from "../../errors/errors.ts";
import { Collector } from "./collector.ts";
import { takeCommand, takeProgram } from "./command.ts";
import { hasWildcard } from "./glob.ts";
import { makeCache } from "./ld-cache.ts";
import { isOfAll } from "./of-all.ts";
import { ownerOf } from "./owner.ts";
import { takePreset } from "./presets.ts";
import { byBytes } from "./root.ts";
import { takeBase, takeMergedFolders } from "./rules/base.ts";
import { takeDirectory, takeSystemDirectories } from "./rules/directories.ts";
import { takeOwnData } from "./rules/own-data.ts";
import { takePackageFolders } from "./rules/package-folders.ts";
import { RULES } from "./rules/rules.ts";
import { commandOf, takePackage } from "./take-package.ts";
import { tellAll } from "./tell.ts";
import type { Closure, ClosureFile, ClosureRequest, TracedFile } from "./types.ts";
import { takeVariables } from "./variables.ts";

export type { Closure, ClosureFile, ClosureRequest, GeneratedFile, Package, Reason, TracedFile } from "./types.ts";
export { chainOf } from "./types.ts";

/**
 * Throws RegError with everything that is missing at once: a program that is not there, a library that a requested program needs, the
 * interpreter of a script, a link that leads out of the root.
 */
export function computeClosure(request: ClosureRequest): Closure {
  const collector = new Collector(request, RULES);
  const command = request.command === undefined ? undefined : takeCommand(request.command, collector);
  const programs = request.programs.map((program) => takeProgram(absoluteProgram(program), "/", collector));
  takeVariables(request.env ?? [], request.command?.cwd ?? "/", collector);
  collector.settle();
  for (const traced of request.traced ?? []) takeTraced(traced, collector);
  const packaged = (request.packages ?? []).flatMap((name) => takePackage(name, collector));
  for (const name of request.presets ?? []) takePreset(name, collector);
  for (const pattern of request.include ?? []) takeIncluded(pattern, collector);
  collector.settle();
  for (const taken of [command, ...programs])
    if (taken !== undefined) takeOwnData(taken.program, taken.asked, collector);
  for (const program of [...packaged, ...collector.called]) takeOwnData(program, program, collector);
  collector.settle();
  const asked = [command, ...programs].flatMap((taken) => (taken === undefined ? [] : [taken.program]));
  // Folders belong to many packages.
  const tried = (request.traced ?? []).flatMap(({ path, why }) =>
    why === undefined || !collector.root.isFile(path) ? [] : [path],
  );
  const called = [...collector.called];
  takePackageFolders([...asked, ...packaged, ...called, ...tried], collector);
  takeSystemDirectories([...asked, ...packaged, ...called], collector);
  for (const text of request.directories ?? []) takeDirectory(text, collector);
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
  const args = command?.args ?? programs[0]?.args ?? commandOf(packaged, request.packages ?? []);
  return {
    root: collector.root.prefix === "" ? "/" : collector.root.prefix,
    files,
    generated: new Map([...collector.generated].sort(([left], [right]) => byBytes(left, right))),
    directories: new Map([...collector.directories].sort(([left], [right]) => byBytes(left, right))),
    warnings: [...collector.warnings],
    ...(args === undefined ? {} : { command: args }),
  };
}

function fail(request: ClosureRequest, faults: readonly string[]): never {
  const [first = "", ...others] = new Set(faults);
  const text = others.length === 0 ? first : [`${others.length + 1} things are missing`, first, ...others].join("\n  ");
  throw new RegError("ENOENT", `in ${request.root}: ${text}`, {
    hint: "install what is missing into the root filesystem, or leave out who needs it with --exclude",
  });
}

function takeTraced({ path, how, why }: TracedFile, collector: Collector): void {
  const did = { executed: "executed it", opened: "opened it", examined: "looked at it" }[how];
  const asker = {
    rule: why === undefined ? "trace" : "trial",
    text: why ?? `a traced run ${did}`,
    as:
      how === "executed" || (why !== undefined && collector.isProgram(path) && !/\.so(\.\d+)*$/.test(path))
        ? "program"
        : /\.so(\.\d+)*$/.test(path)
          ? "module"
          : "data",
    named: why !== undefined,
  } as const;
  // A folder that was looked for in vain is one whose files would have been listed.
  if (why !== undefined && !isOfAll(path)) collector.addTree(path, asker);
  else collector.add(path, asker);
}

function absoluteProgram(name: string): string {
  return name.includes("/") ? absolute(name) : name;
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
