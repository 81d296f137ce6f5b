/**
 * Perl's library: the folders that are compiled into the interpreter. Those of perl itself come in whole; of modules that were installed
 * beside it, those that a script uses. Source: perlrun(1), perlvar(1) on @INC.
 */
import { basename } from "node:path";
import type { Collector, Rule } from "../collector.ts";
import { stringsOf } from "../strings.ts";

const PROGRAM = /^perl(5[\w.-]*)?$/;
const FOLDER = /^\/[\w./+-]*perl[\w./+-]*$/;
/** The module diagnostics reads its texts out of the manual. */
const DIAGNOSTICS = "/pod/perldiag.pod";
/** How a script runs commands by the shell. */
const RUNS_COMMANDS = /`|\bqx\b|\b(system|exec)\b|\bopen\b.*[|]/;
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
      collector.addTree(folder, asker, (file) => !file.endsWith(".pod") || file.endsWith(DIAGNOSTICS));
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

/** The modules that a script names, and those that they name: of a package with one of them all. */
function takeModules(script: string, interpreter: string, collector: Collector): void {
  const process = collector.processes.get(interpreter);
  const folders = foldersOf(interpreter, collector);
  const beside = folders.filter((folder) => BESIDE.test(folder));
  const waiting = [script];
  const seen = new Set(waiting);
  const take = (path: string, from: string, text: string) => {
    if (seen.has(path)) return;
    seen.add(path);
    collector.add(path, { rule: "perl", from, text, as: path.endsWith(".so") ? "module" : "data", process });
    if (path.endsWith(".pm")) waiting.push(path);
  };
  for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
    const code = codeOf(file, collector);
    if (file === script && RUNS_COMMANDS.test(code)) takeShell(script, collector);
    for (const name of modulesIn(code)) {
      const relative = name.replaceAll("::", "/");
      const found = folders.map((folder) => `${folder}/${relative}.pm`).find((path) => collector.root.isFile(path));
      if (found === undefined || !BESIDE.test(found)) continue;
      take(found, file, `${file} uses ${name}`);
      // Machine code stands in auto/ of one of the folders.
      for (const folder of beside)
        for (const path of collector.glob(`${folder}/auto/${relative}/*.so`))
          take(path, found, `machine code of ${name}`);
      const owner = collector.packages.ownerOf(found);
      for (const path of owner === undefined ? [] : (collector.packages.filesOf(owner.name) ?? []))
        if (/\.(pm|pl|so)$/.test(path) && beside.some((folder) => path.startsWith(`${folder}/`)))
          take(path, found, `a module of the package ${owner?.name}, of which ${file} uses ${name}`);
    }
  }
}

function codeOf(file: string, collector: Collector): string {
  const text = collector.root.readText(file) ?? "";
  return text.replace(/^__(END|DATA)__$[\s\S]*/m, "").replaceAll(/^=[a-z][\s\S]*?^=cut$/gm, "");
}

/** `use A::B`, `require A::B`, `use base qw(A B)`. */
function modulesIn(code: string): string[] {
  const named = [...code.matchAll(/^\s*(?:use|require)\s+([A-Z]\w*(?:::\w+)*)/gm)].map(([, name = ""]) => name);
  const bases = [...code.matchAll(/^\s*use\s+(?:base|parent)\b([^;]*);/gm)].flatMap(
    ([, list = ""]) => list.match(/[A-Z]\w*(?:::\w+)*/g) ?? [],
  );
  return [...named, ...bases];
}

function takeShell(script: string, collector: Collector): void {
  const shell = collector.findProgram("sh");
  if (shell !== undefined)
    collector.add(shell, { rule: "perl", from: script, text: `${script} runs commands by it`, as: "program" });
}
