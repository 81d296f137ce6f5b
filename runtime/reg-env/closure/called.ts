/**
 * Programs that a shell script calls otherwise than by a name in the usual PATH: from a folder that it puts there itself, by a path that is
 * kept in a variable, or as one of its package's, of which it knows the folder only when it runs. A guess, as with shell.ts: nothing is expanded.
 */
import { dirname, join } from "node:path";
import type { Collector } from "./collector.ts";
import { hasWildcard } from "./glob.ts";
import { SEARCH_PATH } from "./search-path.ts";

const COMMENT_LINE = /^[ \t]*#.*$/gm;
/** What PATH is set to, to the end of the line. */
const PATH_VALUE = /(?:^|[\s;])PATH=([^\n]{1,1000})/gm;
const FOLDER = /\/[\w./+*?-]+/g;
const OWN_PATH = /\$\{?PATH\b/;
/** `X=/usr/sbin/y`, `${X:-/usr/sbin/y}` */
const VALUE = /(?:=|:-)["']?(\/[\w./+-]{1,200})(?=["'}\s;)]|$)/gm;
/** `$folder/name`, `${folder}/extra/name` */
const IN_VARIABLE = /\$(?:\w+|\{\w+\})\/([\w./+-]{1,200})/g;
/** Not those that start services. */
const OF_PROGRAMS = /\/(s?bin|lib\d*|libexec)\//;

/** Where the script's commands are looked up: folders that it puts before or behind its PATH, as long as they are there. */
export function searchPathOf(text: string, collector: Collector): readonly string[] {
  const before: string[] = [];
  const behind: string[] = [];
  for (const [, value = ""] of text.replaceAll(COMMENT_LINE, "").matchAll(PATH_VALUE)) {
    const old = OWN_PATH.exec(value)?.index ?? value.length;
    for (const { 0: pattern, index } of value.matchAll(FOLDER))
      for (const folder of hasWildcard(pattern) ? collector.glob(pattern) : [pattern])
        if (collector.root.isDirectory(folder)) (index < old ? before : behind).push(folder);
  }
  return [...before, ...SEARCH_PATH, ...behind];
}

/** Paths of programs that the script names in the values of variables, and below folders that are in variables. */
export function programsInVariables(script: string, text: string, collector: Collector): string[] {
  const plain = text.replaceAll(COMMENT_LINE, "");
  const found = new Set<string>();
  for (const [, path = ""] of plain.matchAll(VALUE))
    if (OF_PROGRAMS.test(path) && collector.isProgram(path)) found.add(path);
  const names = new Set([...plain.matchAll(IN_VARIABLE)].map(([, path = ""]) => path.slice(path.lastIndexOf("/") + 1)));
  for (const name of names)
    if (name !== "") for (const path of programsOfPackage(name, script, collector)) found.add(path);
  return [...found];
}

/** The program of that name that came with another: beside it, when that is no folder of all programs, or of its package or one of the same source. */
export function programsOfPackage(name: string, other: string, collector: Collector): string[] {
  const { packages } = collector;
  const folder = dirname(other);
  if (!isOfAllPrograms(folder))
    return [join(folder, name)].filter((path) => path !== other && collector.isProgram(path));
  const path = collector.findProgram(name);
  const real = path === undefined ? undefined : collector.root.resolve(path)?.path;
  const owner = real === undefined ? undefined : packages.ownerOf(real)?.name;
  const own = packages.ownerOf(other)?.name;
  if (path === undefined || real === other || owner === undefined || own === undefined) return [];
  return owner === own || packages.siblingsOf(own).includes(owner) ? [path] : [];
}

export function isOfAllPrograms(folder: string): boolean {
  return SEARCH_PATH.includes(folder);
}
