/**
 * Programs that a program executes by their names, which stand in it as strings: those beside it in a folder of its own; of its package and of
 * the same source those whose name ends a path; programs that pack and unpack, of what has options for several; the user's shell. Of others a word alone says nothing, but with an option
 * behind it, in what runs command lines, it is a command.
 */
import { readFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { isOfAllPrograms } from "../called.ts";
import type { Collector, Rule } from "../collector.ts";
import { LANGUAGES } from "./own-data.ts";

const LARGEST_BYTES = 64 * 1024 * 1024;
/** `name -x` */
const COMMAND = /(?<=\0)([a-z][\w.+-]{1,30}) -[^\0\n]{1,100}(?=\0)/g;
const MOST_NAMES = 100;
const EXECUTES = /^(exec[lv]|fexecve$|posix_spawn)/;
const PACKERS = ["gzip", "bzip2", "xz", "zstd", "lzip", "lz4", "lzop", "compress"];
/** What has options for that many runs them. */
const LEAST_PACKERS = 3;
/** What begins a session on a terminal. */
const OF_LOGINS = ["forkpty", "openpty", "login_tty", "posix_openpt"];
/** Of the command lines of who uses system(3) only what a compiler of another language needs: viewers and the like are many. */
const COMPILES = /^(\w+-linux-\w+-)?(gcc|g\+\+|cc|c\+\+|clang|as|ld|ar)(-[\d.]+)?$/;

export const otherPrograms: Rule = {
  name: "other-programs",
  apply({ path, elf, process, asker }, collector) {
    if (elf === undefined || process?.program.path !== path || asker.calls !== true) return;
    if ((collector.root.resolve(path)?.stats.size ?? 0) > LARGEST_BYTES) return;
    const others = candidatesOf(path, collector);
    const pipes = elf.imports.has("popen");
    const runsLines = pipes || (elf.imports.has("system") && !LANGUAGES.test(basename(path)));
    const executes = [...elf.imports].some((name) => EXECUTES.test(name)) && !LANGUAGES.test(basename(path));
    if (others.length === 0 && !runsLines && !executes) return;
    const text = readFileSync(collector.root.hostPath(path), "latin1");
    const take = (program: string, why: string) =>
      collector.add(program, {
        rule: "other-programs",
        from: path,
        text: why,
        as: "program",
        calls: true,
      });
    const takeNamed = (name: string, why: string) => {
      const program = collector.findProgram(name);
      if (program !== undefined) take(program, why);
      return program !== undefined;
    };
    for (const other of others)
      if (text.includes(`\0${basename(other)}\0`)) take(other, `${path} has its name, and came with it`);
    let isLine = false;
    for (const [, name = ""] of runsLines ? text.matchAll(COMMAND) : [])
      if (pipes || COMPILES.test(name)) isLine = takeNamed(name, `${path} has a command with it`) || isLine;
    if (isLine) takeNamed("sh", `${path} runs commands by it`);
    if (!executes) return;
    for (const other of ofItsSource(path, collector))
      if (text.includes(`/${basename(other)}\0`)) take(other, `${path} has its path, and is of the same source`);
    const packers = PACKERS.filter((name) => text.includes(`--${name}\0`));
    if (packers.length >= LEAST_PACKERS)
      for (const name of ["sh", ...packers]) takeNamed(name, `${path} runs programs that pack`);
    if (OF_LOGINS.some((name) => elf.imports.has(name)) && text.includes("\0SHELL\0"))
      for (const name of ["/bin/sh", shellOfRoot(collector)])
        if (collector.isProgram(name)) take(name, `${path} runs the shell of its user`);
  },
};

/** Programs beside it, in a folder of its own, few enough to be told by their names. */
function candidatesOf(path: string, collector: Collector): string[] {
  const folder = dirname(path);
  const names = isOfAllPrograms(folder) ? [] : collector.root.list(folder);
  if (names.length > MOST_NAMES) return [];
  return names.map((name) => `${folder}/${name}`).filter((other) => other !== path && collector.isProgram(other));
}

/** Programs in the usual folders, of its package and of those that were made of the same source. */
function ofItsSource(path: string, { packages, root }: Collector): string[] {
  const own = packages.ownerOf(path)?.name;
  if (own === undefined) return [];
  const size = root.resolve(path)?.stats.size;
  const found = [own, ...packages.siblingsOf(own)]
    .flatMap((name) => packages.filesOf(name) ?? [])
    .filter((other) => isOfAllPrograms(dirname(other)) && root.resolve(other)?.stats.size !== size); // nor a copy of itself
  return found.length > MOST_NAMES ? [] : found;
}

function shellOfRoot({ root }: Collector): string {
  return /^root:(?:[^:\n]*:){5}([^:\n]+)$/m.exec(root.readText("/etc/passwd") ?? "")?.[1] ?? "/bin/sh";
}
