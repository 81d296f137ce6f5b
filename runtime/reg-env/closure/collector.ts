/**
 * Gathers the files of a closure. Each file that comes in is looked at: an ELF file brings its libraries, a script its interpreter, and rules
 * bring what no header names. A file keeps the first reason it got; all is done in the order of asking, so the outcome is always the same.
 */
import type { Stats } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { Elf } from "./elf/elf.ts";
import { expandBraces, hasWildcard, type Pattern, parsePattern } from "./glob.ts";
import { Linker, type Process } from "./loader/link.ts";
import { ElfReader, isCompatible, type LoadedObject } from "./loader/objects.ts";
import { type Packages, readPackages } from "./packages/packages.ts";
import { type Resolved, Root } from "./root.ts";
import { isElf, parseScript, readHead } from "./script.ts";
import { SEARCH_PATH } from "./search-path.ts";
import { takeScript } from "./shebang.ts";
import type { ClosureFile, ClosureRequest, GeneratedDirectory, GeneratedFile, Reason } from "./types.ts";

/** Who asks for a file, and what for. */
export interface Asker extends Reason {
  /** A program is started, a library is loaded by the process already, a module will be; data is only read. */
  readonly as?: "program" | "library" | "module" | "data";
  /** The process that will load it. */
  readonly process?: Process | undefined;
  /** What runs it, where the file itself does not say. */
  readonly runner?: string;
  /** What a shell script seems to call comes in too. */
  readonly calls?: boolean;
  /** What it lacks is an error, not a warning. */
  readonly strict?: boolean;
  /** Somebody asked for just this: files of /run, too, which else belong to a running system, and what a script has beside it. */
  readonly named?: boolean;
}

/** A file that has come in, for rules to look at. */
export interface Subject {
  readonly path: string;
  /** The path it was asked for by. */
  readonly asked: string;
  readonly asker: Asker;
  readonly elf?: Elf;
  /** The process it runs or is loaded in. */
  readonly process?: Process | undefined;
  /** What runs a script. */
  readonly interpreter?: string;
}

export interface Rule {
  readonly name: string;
  apply(subject: Subject, collector: Collector): void;
}

/** What the kernel fills: never part of an environment, but for the folders themselves. */
const OF_KERNEL = /^\/(proc|sys|dev)\/./;
/** What a running system fills. */
const OF_SYSTEM = /^\/run\/./;
/** Names every library of the machine, present or not: where one is needed it is made anew. */
const NEVER = new Set(["/etc/ld.so.cache", "/etc/mtab"]);

export class Collector {
  readonly root: Root;
  readonly linker: Linker;
  readonly packages: Packages;
  readonly files = new Map<string, ClosureFile>();
  readonly generated = new Map<string, GeneratedFile>();
  /** Empty directories that the root does not have like this, by path. */
  readonly directories = new Map<string, GeneratedDirectory>();
  readonly warnings = new Set<string>();
  readonly lateWarnings: (() => string | undefined)[] = [];
  /** What makes the closure impossible: all of it is told at once. */
  readonly faults: string[] = [];
  /** Libraries in folders that the loader does not search by itself. */
  readonly cached: LoadedObject[] = [];
  /** Each program's process, by path. */
  readonly processes = new Map<string, Process>();
  /** Shell scripts and the text of them, to tell what they call. */
  readonly shellScripts = new Map<string, string>();
  /** Programs that the command, or a script that was asked for, calls itself, by path: as good as asked for. */
  readonly called = new Set<string>();
  readonly #rules: readonly Rule[];
  readonly #excluded: readonly Pattern[];
  readonly #queue: { resolved: Resolved; asked: string; asker: Asker }[] = [];
  readonly #globs = new Map<string, readonly string[]>();
  readonly #deferred: (() => void)[] = [];
  readonly #inspected = new Set<string>();
  readonly #seen = new Set<string>();
  readonly #scripts = new Set<string>();

  constructor(request: ClosureRequest, rules: readonly Rule[]) {
    this.root = new Root(request.root);
    this.linker = new Linker(new ElfReader(this.root), libraryPathOf(request.env ?? []));
    this.packages = readPackages(this.root);
    this.#rules = rules;
    // A path without wildcards leaves out all that is below it, by whichever path that is asked for.
    this.#excluded = (request.exclude ?? []).flatMap((pattern) => {
      if (hasWildcard(pattern)) return [parsePattern(pattern)];
      const paths = new Set([pattern.replace(/\/+$/, ""), this.root.locate(pattern)?.path ?? pattern]);
      return [...paths].map((path) => parsePattern(`${path}{,/**}`));
    });
  }

  /** The file or folder at the path with every link to it; undefined when there is none, or when it is to be left out. */
  add(path: string, asker: Asker): Resolved | undefined {
    const resolved = this.root.resolve(path);
    if (resolved === undefined) return undefined;
    const hops = resolved.links.map((link) => link.path);
    if ([path, ...hops, resolved.path].some((each) => this.#isExcluded(each))) return undefined;
    if (OF_KERNEL.test(resolved.path) || NEVER.has(resolved.path)) return undefined;
    if (OF_SYSTEM.test(resolved.path) && asker.named !== true) return undefined;
    if (!resolved.stats.isFile() && !resolved.stats.isDirectory()) {
      this.warnings.add(`${resolved.path} is a device, a socket or a pipe, and left out`);
      return undefined;
    }
    for (const hop of hops)
      this.#put(hop, {
        rule: asker.rule,
        ...fromOf(asker),
        text: `${asker.text}; a symbolic link on the way to ${resolved.path}`,
      });
    if (resolved.path !== "/") this.#put(resolved.path, asker);
    if (resolved.stats.isFile()) this.#queue.push({ resolved, asked: path, asker });
    return resolved;
  }

  /**
   * A folder with all that is in it, or a file. Links in it come in, and what they lead to; the contents of other folders do not.
   * `accept` is asked for every path below.
   */
  addTree(path: string, asker: Asker, accept: (path: string, stats: Stats) => boolean = () => true): void {
    const top = this.add(path, asker);
    if (top?.stats.isDirectory() !== true) return;
    const folders = [top.path];
    for (const folder of folders)
      for (const name of this.root.list(folder)) {
        const own = this.root.locate(join(folder, name));
        if (own === undefined || !accept(own.path, own.stats) || this.#isExcluded(own.path)) continue;
        if (own.stats.isSymbolicLink() && this.root.resolve(own.path) === undefined) this.#put(own.path, asker);
        else if (this.add(own.path, asker) !== undefined && own.stats.isDirectory()) folders.push(own.path);
      }
  }

  /** What a pattern names: a path with all that is below it, or the matches of a glob. Whether there was anything. */
  addPattern(pattern: string, asker: Asker): boolean {
    if (!hasWildcard(pattern)) {
      if (this.root.resolve(pattern) === undefined) return false;
      this.addTree(pattern, asker);
      return true;
    }
    const matches = this.glob(pattern);
    for (const path of matches) this.add(path, asker);
    return matches.length > 0;
  }

  /** Why `add` never takes what is there, whoever asks; undefined when it does. */
  whyNever(path: string): string | undefined {
    const found = this.root.resolve(path);
    if (found === undefined) return undefined;
    if (OF_KERNEL.test(found.path))
      return "the kernel fills /dev, /proc and /sys of each container (linux.devices adds devices)";
    if (NEVER.has(found.path)) return "it names what this machine has, and is made anew where one is needed";
    if (found.stats.isFile() || found.stats.isDirectory()) return undefined;
    return "it is a device, a socket or a pipe; environments have files, folders and symbolic links";
  }

  /** Paths that match, sorted. */
  glob(pattern: string): readonly string[] {
    let found = this.#globs.get(pattern);
    if (found === undefined) {
      const paths = expandBraces(pattern).flatMap((choice) => this.#match(["/"], choice.split("/").slice(1)));
      found = [...new Set(paths)].sort();
      this.#globs.set(pattern, found);
    }
    return found;
  }

  /** A name of the pattern after the other, so that only folders that match are read; from `**` on all below. */
  #match(folders: readonly string[], [name, ...rest]: readonly string[]): string[] {
    if (name === undefined) return [...folders];
    if (name.includes("**")) return folders.flatMap((folder) => this.#matchDeep(folder, [name, ...rest].join("/")));
    const matcher = parsePattern(name);
    const next = folders.flatMap((folder) => {
      const names = hasWildcard(name) ? this.root.list(folder).filter((each) => matcher.test(each)) : [name];
      return names.map((each) => join(folder, each)).filter((path) => this.root.locate(path) !== undefined);
    });
    return this.#match(next, rest);
  }

  #matchDeep(top: string, pattern: string): string[] {
    const matcher = parsePattern(pattern);
    const start = top === "/" ? "" : top;
    const found: string[] = [];
    const folders = [top];
    for (const folder of folders)
      for (const name of this.root.list(folder)) {
        const path = join(folder, name);
        if (OF_KERNEL.test(path) || (OF_SYSTEM.test(path) && !OF_SYSTEM.test(`${top}/`))) continue;
        if (matcher.test(path.slice(start.length + 1))) found.push(path);
        if (this.root.locate(path)?.stats.isDirectory() === true) folders.push(path);
      }
    return found;
  }

  /** The library that the process gets by dlopen(3) of that name, if there is one. */
  addLibrary(name: string, asker: Asker & { readonly process: Process }): boolean {
    // Who opens it may have a RUNPATH of its own.
    const requester = asker.process.objects.find(({ path }) => path === asker.from);
    const found = this.linker.find(asker.process, name, requester);
    if (found === undefined) return false;
    for (const path of [found.path, ...found.variants]) this.add(path, { ...asker, as: "module" });
    return true;
  }

  generate(path: string, file: GeneratedFile): void {
    this.generated.set(path, file);
  }

  /** The path of a program in the root's search path, or another one. */
  findProgram(name: string, folders: readonly string[] = SEARCH_PATH): string | undefined {
    if (name.includes("/")) return this.root.isFile(name) ? name : undefined;
    return folders.map((folder) => join(folder, name)).find((path) => this.isProgram(path));
  }

  /** Whether a file there may be executed. */
  isProgram(path: string): boolean {
    const found = this.root.resolve(path);
    return found?.stats.isFile() === true && (found.stats.mode & 0o111) !== 0;
  }

  /** A warning that is made when all files are known; undefined for none. */
  warnLater(make: () => string | undefined): void {
    this.lateWarnings.push(make);
  }

  /** Done when everything that is waiting now has been looked at. */
  defer(action: () => void): void {
    this.#deferred.push(action);
  }

  /** Looks at what came in, and at what that brings, until nothing is new. */
  settle(): void {
    do {
      // It grows meanwhile; shift() of a long array is slow.
      for (const { resolved, asked, asker } of this.#queue) this.#inspect(resolved, asked, asker);
      this.#queue.length = 0;
      this.#deferred.shift()?.();
    } while (this.#queue.length > 0 || this.#deferred.length > 0);
  }

  #put(path: string, { rule, from, text }: Reason): void {
    if (this.files.has(path)) return;
    this.files.set(path, { path, reason: { rule, ...(from === undefined || from === path ? {} : { from }), text } });
  }

  #isExcluded(path: string): boolean {
    return this.#excluded.some((pattern) => pattern.test(path));
  }

  #inspect({ path, stats }: Resolved, asked: string, asker: Asker): void {
    // A module is looked at once for each process that loads it, as each finds libraries in its own way.
    const key = `${path}\0${asker.process?.program.path ?? ""}\0${asker.as === "data" ? "read" : "used"}`;
    if (this.#inspected.has(key)) return;
    const isFirst = !this.#seen.has(path);
    this.#inspected.add(key);
    this.#seen.add(path);
    const head = readHead(this.root.hostPath(path));
    const isExecutable = asker.as === "program" || (stats.mode & 0o111) !== 0;
    if (isElf(head)) this.#inspectElf(path, asked, asker, isExecutable, isFirst);
    else {
      const script = isExecutable && asker.as !== "data" && !this.#scripts.has(path) ? parseScript(head) : undefined;
      if (script !== undefined) {
        this.#scripts.add(path);
        this.#applyRules({ path, asked, asker, ...takeScript(this, path, script, asker) });
      } else if (isFirst) this.#applyRules({ path, asked, asker, ...runnerOf(asker) });
    }
  }

  #inspectElf(path: string, asked: string, asker: Asker, isExecutable: boolean, isFirst: boolean): void {
    const elf = this.linker.elfs.read(path);
    if (elf === undefined) {
      const damage = this.linker.elfs.damageOf(path);
      // Data may look like it: what objcopy --only-keep-debug leaves, or a part of a file.
      if (damage !== undefined && (isExecutable || asker.as === "library" || asker.as === "module"))
        this.#lack(asker, `${path} is a damaged ELF file (${damage}): nothing can load it`);
      return;
    }
    let process = asker.process;
    if (asker.as !== "library") {
      if (elf.interpreter !== undefined && isExecutable && asker.as !== "module")
        process = this.#start(path, elf, asker);
      else if (elf.dynamic && elf.kind === "shared") process = this.#open(path, elf, asker);
      else process = undefined;
    }
    if (isFirst || process !== undefined) this.#applyRules({ path, asked, asker, elf, process });
  }

  #applyRules(subject: Subject): void {
    for (const rule of this.#rules) rule.apply(subject, this);
  }

  #start(path: string, elf: Elf, asker: Asker): Process | undefined {
    const interpreter = elf.interpreter ?? "";
    const loader = this.add(interpreter, {
      rule: "loader",
      from: path,
      text: `${path} is started by it (PT_INTERP)`,
      as: "library",
    });
    if (loader === undefined) {
      this.#lack(asker, `${path} needs the loader ${interpreter}, which is not there`);
      return undefined;
    }
    const process = this.linker.start(path, elf);
    this.processes.set(path, process);
    this.#addObjects(process, 1);
    for (const { name, requester } of process.missing)
      this.#lack(asker, `${requester.path} needs ${name}, which is not there${forWhom(requester, path)}`);
    return process;
  }

  #open(path: string, elf: Elf, asker: Asker): Process | undefined {
    const before = asker.process;
    // Of another machine or width: this process can not load it, whoever does.
    if (before !== undefined && !isCompatible(elf, before.program.elf)) return undefined;
    const process = before === undefined ? this.linker.start(path, elf) : this.linker.open(before, path, elf);
    const known = before?.objects.length ?? 0;
    this.#addObjects(process, known + 1);
    for (const { name, requester } of process.missing.slice(before?.missing.length ?? 0)) {
      // Beside it: found by the RPATH of another library that loads both.
      if (this.root.isFile(join(dirname(requester.path), name))) continue;
      const who = before === undefined ? "it" : before.program.path;
      // Or by its path by another one, as Java's launcher loads libjvm.so before what needs it; or it is of another C library.
      this.warnLater(() =>
        this.#hasLibrary(name)
          ? undefined
          : `${requester.path} needs ${name}, which is not there: ${who} can not load it`,
      );
    }
    return process;
  }

  #addObjects(process: Process, from: number): void {
    for (const object of process.objects.slice(from)) {
      const owner = object.loader?.path;
      const name = [...object.names][0] ?? object.path;
      const text = `${owner ?? "ld.so.preload"} needs ${name}, found ${object.via}`;
      const asker: Asker = {
        rule: "library",
        ...(owner === undefined ? {} : { from: owner }),
        text,
        as: "library",
        process,
      };
      if (this.add(object.found, asker) === undefined)
        this.warnings.add(`${object.path} is left out, but ${owner} needs it`);
      for (const variant of object.variants)
        this.add(variant, {
          rule: "library",
          from: object.path,
          text: `the loader takes it instead of ${object.path} on another processor`,
          as: "module",
          process,
        });
      if (object.byCache) this.cached.push(object);
    }
  }

  /** Whether some file of the environment is that library, wherever it is. */
  #hasLibrary(name: string): boolean {
    this.#names ??= new Set([...this.files.keys()].map((path) => basename(path)));
    if (this.#names.has(name)) return true;
    return name === "libc.so" && [...this.processes.values()].some(({ search }) => search.family === "musl");
  }
  #names: Set<string> | undefined;

  #lack(asker: Asker, text: string): void {
    if (asker.strict === true) this.faults.push(text);
    else this.warnings.add(text);
  }
}

function forWhom(requester: LoadedObject, program: string): string {
  return requester.path === program ? "" : ` (a library of ${program})`;
}

function runnerOf({ runner }: Asker): { interpreter?: string } {
  return runner === undefined ? {} : { interpreter: runner };
}

export function fromOf({ from }: Reason): { from?: string } {
  return from === undefined ? {} : { from };
}

/** LD_LIBRARY_PATH, as the programs will have it. */
function libraryPathOf(env: readonly string[]): { libraryPath?: string } {
  const libraryPath = env.findLast((each) => each.startsWith("LD_LIBRARY_PATH="))?.replace(/^[^=]*=/, "");
  return libraryPath === undefined ? {} : { libraryPath };
}
