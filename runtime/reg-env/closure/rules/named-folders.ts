/**
 * Folders that a program names by their absolute path: configuration, data and plugins whose place was compiled in, and which need not carry its
 * name. Of those in /var only the folder, as the files there belong to the machine.
 */
import { basename } from "node:path";
import type { Rule } from "../collector.ts";
import { isOfAll } from "../of-all.ts";
import { stringsOf } from "../strings.ts";
import { LANGUAGES } from "./own-data.ts";

const FOLDER = /^\/(etc|usr\/share|usr\/lib(exec|64)?|usr\/local\/(etc|share|lib)|opt|var)\/[\w.+/-]+$/;
/** For people, for debuggers, or of everybody. */
const LEFT_OUT = /\/(man|doc|info|locale|debug|X11|pkgconfig|cmake)\/?$/;
const READABLE_BY_OTHERS = 0o004;

export const namedFolders: Rule = {
  name: "named-folders",
  apply({ path, elf, process, asker }, collector) {
    if (elf === undefined || process?.program.path !== path || asker.calls !== true) return;
    if (LANGUAGES.test(basename(path))) return;
    const next = { rule: "named-folders", from: path, text: `${path} names it`, process, as: "data" } as const;
    // Where the loader looks is the loader's.
    const searched = new Set([elf.rpath, elf.runpath].flatMap((list) => list?.split(":") ?? []));
    for (const name of stringsOf(collector.root.hostPath(path), "/", FOLDER)) {
      const found = LEFT_OUT.test(name) || searched.has(name) ? undefined : collector.root.resolve(name);
      if (found?.stats.isDirectory() !== true || isOfAll(found.path)) continue;
      if (found.path.startsWith("/var/")) collector.add(name, next);
      // Keys and passwords stay where they are.
      else
        collector.addTree(name, next, (_, stats) => stats.isSymbolicLink() || (stats.mode & READABLE_BY_OTHERS) !== 0);
    }
  },
};
