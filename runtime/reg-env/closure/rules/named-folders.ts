/**
 * Folders that a program names by their absolute path: configuration, data and plugins whose place was compiled in, and which need not carry its
 * name. Of those in /var only the folder, as the files there belong to the machine.
 */
import { basename } from "node:path";
import type { Asker, Collector, Rule } from "../collector.ts";
import type { Process } from "../loader/link.ts";
import { isOfAll } from "../of-all.ts";
import type { Resolved } from "../root.ts";
import { stringsOf } from "../strings.ts";
import { LANGUAGES } from "./own-data.ts";

const FOLDER = /^\/(etc|usr\/share|usr\/lib(exec|64)?|usr\/local\/(etc|share|lib)|opt|var)\/[\w.+/-]+$/;
const PART = /^(%s)?(\/[\w.+-]+){1,4}$/;
/** One, or a list of them. */
const NAMES = /^[\w$%{}.,+/:=-]+$/;
/** For people, for debuggers, or of everybody. */
const LEFT_OUT = /\/(man|doc|info|locale|debug|X11|pkgconfig|cmake)\/?$/;
/** Libraries have a rule for these. */
const CERTIFICATES = /^\/etc\/(ssl|pki)\//;
const READABLE_BY_OTHERS = 0o004;
/** Passwords of the machine's users. */
const SECRETS = /^\/etc\/(g?shadow-?|sudoers)$/;
const LARGEST_FILE = 1024 * 1024;

export const namedFolders: Rule = {
  name: "named-folders",
  apply({ path, elf, process, asker }, collector) {
    if (elf === undefined || process?.program.path !== path || asker.calls !== true) return;
    if (LANGUAGES.test(basename(path))) return;
    const next = { rule: "named-folders", from: path, text: `${path} names it`, process, as: "data" } as const;
    // Where the loader looks is the loader's.
    const searched = new Set([elf.rpath, elf.runpath].flatMap((list) => list?.split(":") ?? []));
    const folders: string[] = [];
    const strings = [path, ...ownLibraries(process, collector)].flatMap((file) =>
      stringsOf(collector.root.hostPath(file), "/", NAMES)
        .flatMap((text) => text.split(/[:,{}]/))
        .filter((name) => file === path || !CERTIFICATES.test(name)),
    );
    for (const name of strings) {
      if (!FOLDER.test(name)) continue;
      const found = LEFT_OUT.test(name) || searched.has(name) ? undefined : collector.root.resolve(name);
      if (found?.stats.isFile() === true) takeFile(name, found, next, collector);
      if (found?.stats.isDirectory() !== true || isOfAll(found.path)) continue;
      folders.push(name);
      if (found.path.startsWith("/var/")) takeFolderOfMachine(name, found.path, next, collector);
      // Keys and passwords stay where they are.
      else
        collector.addTree(name, next, (_, stats) => stats.isSymbolicLink() || (stats.mode & READABLE_BY_OTHERS) !== 0);
    }
    // `%s/bin/helper`, below one of them: a script there calls others.
    for (const part of strings)
      for (const folder of PART.test(part) ? folders : []) {
        const program = `${folder.replace(/\/+$/, "")}${part.replace(/^%s/, "")}`;
        if (collector.isProgram(program)) collector.add(program, { ...next, as: "program", calls: true });
      }
  },
};

/** In /var stands what a machine has collected, and also what packages have generated when they were installed: nothing tells which. */
function takeFolderOfMachine(name: string, path: string, asker: Asker, collector: Collector): void {
  collector.add(name, asker);
  if (!/^\/var\/lib\/./.test(path) || !hasOwnFiles(path, collector)) return;
  collector.warnLater(() =>
    [...collector.files.keys()].some((file) => file.startsWith(`${path}/`))
      ? undefined
      : `of ${path}, which ${asker.from} names, no files come in, as those belong to a machine: --include ${path} if it is data`,
  );
}

/** Files that are root's, and that everybody may read: data of a server that has a user are that user's. */
function hasOwnFiles(folder: string, { root }: Collector): boolean {
  return root.list(folder).some((name) => {
    const stats = root.locate(`${folder}/${name}`)?.stats;
    return stats?.isFile() === true && stats.uid === 0 && (stats.mode & READABLE_BY_OTHERS) !== 0;
  });
}

/** Libraries of the program's own source: its other half. */
function ownLibraries({ program, objects }: Process, { packages }: Collector): string[] {
  const own = packages.ownerOf(program.path)?.name;
  const siblings = own === undefined ? [] : [own, ...packages.siblingsOf(own)];
  return objects
    .slice(1)
    .map((object) => object.path)
    .filter((path) => siblings.includes(packages.ownerOf(path)?.name ?? ""));
}

/** One file: what it reads, or a program of its own that it runs. */
function takeFile(name: string, { path, stats }: Resolved, asker: Asker, collector: Collector): void {
  if (/\.(so|a|o)(\.\d+)*$/.test(path)) return;
  if ((stats.mode & READABLE_BY_OTHERS) === 0) {
    if (SECRETS.test(path) || /^\/var\/(?!lib\/)/.test(path)) return;
    collector.warnLater(() =>
      collector.files.has(path)
        ? undefined
        : `${asker.from} names ${name}, which is left out, as not everybody may read it: --include it if the program reads it`,
    );
    return;
  }
  if (collector.isProgram(path)) {
    if (/^\/(usr|opt)\//.test(path)) collector.add(name, { ...asker, as: "program", calls: true });
  } else if (stats.size <= LARGEST_FILE && /^\/(etc|usr\/share)\//.test(path)) collector.add(name, asker);
}
