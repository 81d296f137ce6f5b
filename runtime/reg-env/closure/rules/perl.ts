/**
 * Perl's library: the folders that are compiled into the interpreter. Those of perl itself come in whole; of modules that were installed
 * beside it, those that a script uses. Source: perlrun(1), perlvar(1) on @INC.
 */
import { basename } from "node:path";
import type { Collector, Rule } from "../collector.ts";
import { stringsOf } from "../strings.ts";

const PROGRAM = /^perl(5[\d.]*)?$/;
const FOLDER = /^\/[\w./+-]*perl[\w./+-]*$/;
/** Modules of other packages, not of perl itself. */
const BESIDE = /\/perl5(\/|$)|\/site_perl|^\/usr\/local\//;

export const perl: Rule = {
  name: "perl",
  apply({ path, elf, process, interpreter }, collector) {
    if (interpreter !== undefined && PROGRAM.test(basename(interpreter)))
      collector.defer(() => takeModules(path, interpreter, collector)); // the interpreter has to be looked at first
    if (elf === undefined || process === undefined || process.program.path !== path || !PROGRAM.test(basename(path)))
      return;
    for (const folder of foldersOf(path, collector)) {
      if (BESIDE.test(folder)) continue;
      const asker = {
        rule: "perl",
        from: path,
        text: `part of Perl's library, which ${path} looks for in ${folder}`,
        process,
        as: "data",
      } as const;
      collector.addTree(folder, asker, (file) => !file.endsWith(".pod"));
    }
  },
};

/** The folders of @INC that there are, in the order of the interpreter's strings. */
function foldersOf(interpreter: string, collector: Collector): string[] {
  const objects = collector.processes.get(interpreter)?.objects ?? [];
  const files = objects
    .filter((object, index) => index === 0 || [...object.names].some((name) => name.startsWith("libperl")))
    .map(({ path }) => path);
  const found = files.flatMap((file) => stringsOf(collector.root.hostPath(file), "perl", FOLDER));
  return [...new Set(found)].filter((folder) => !folder.includes("/debug/") && collector.root.isDirectory(folder));
}

/** The modules that a script names by `use` and `require`, and those that they name. */
function takeModules(script: string, interpreter: string, collector: Collector): void {
  const process = collector.processes.get(interpreter);
  const folders = foldersOf(interpreter, collector);
  const waiting = [script];
  const seen = new Set(waiting);
  for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
    const code = (collector.root.readText(file) ?? "")
      .replace(/^__(END|DATA)__$[\s\S]*/m, "")
      .replaceAll(/^=\w[\s\S]*?^=cut$/gm, "");
    for (const [, name = ""] of code.matchAll(/^\s*(?:use|require)\s+([A-Z]\w*(?:::\w+)*)/gm)) {
      const relative = `${name.replaceAll("::", "/")}.pm`;
      const found = folders.map((folder) => `${folder}/${relative}`).find((path) => collector.root.isFile(path));
      if (found === undefined || seen.has(found)) continue;
      seen.add(found);
      if (!BESIDE.test(found)) continue;
      collector.add(found, { rule: "perl", from: file, text: `${file} uses ${name}`, as: "data" });
      // The machine code of a module stands in auto/ of one of the folders.
      for (const folder of folders)
        for (const path of collector.glob(`${folder}/auto/${name.replaceAll("::", "/")}/*.so`))
          collector.add(path, { rule: "perl", from: found, text: `machine code of ${name}`, as: "module", process });
      waiting.push(found);
    }
  }
}
