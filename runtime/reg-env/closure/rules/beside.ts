/**
 * What a script that was named reads from its own folder: modules and files that stand beside it. Names are taken as they stand in the text, in
 * quotes or behind `import`; those that are no file there are nothing to us.
 */
import { basename, dirname, extname, posix } from "node:path";
import type { Asker, Collector, Rule } from "../collector.ts";
import { sizeBelow } from "../folder-size.ts";
import { isShell, parseScript, readHead } from "../script.ts";
import { takeCommands } from "../shebang.ts";
import { takeTimeZones } from "./time-zones.ts";

const INTERPRETERS = /^(python|perl|ruby|php|node|nodejs|lua|tclsh|wish|Rscript|java)[\d.-]*$/;
const QUOTED = /(["'])((?:(?!\1)[^\\\n]){1,200})\1/g;
/** Words of a shell script that can only be paths, or have an ending. */
const BARE = /(?:^|[\s=(])((?:\.{1,2}|[\w.-]+)?\/[\w./+-]{1,200}|[\w-]+\.[A-Za-z]\w{0,8})(?=[\s;)|&]|$)/gm;
const PYTHON_IMPORT = /^[ \t]*(?:import|from)[ \t]+([\w.]+(?:[ \t]*,[ \t]*[\w.]+)*)/gm;
/** What a site has of its own: pages to serve, an application. */
export const OF_SITE = /^\/(srv|opt|home|var\/www)\//;
/** A module that is loaded by its name: "site.settings", "site.wsgi:application". */
const DOTTED = /^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+(:\w+)?$/;
/** Of a folder that nothing but a name in a text asks for; templates/ beside a script is one. */
export const MOST_IN_FOLDER = 4 * 1024 * 1024;
const MOST_FOLDERS = 50;
const C_SOURCE = /\.([chCH]|cc|cpp|cxx|hh|hpp|hxx|inc|m|mm|S)$/;
const C_INCLUDE = /^[ \t]*#[ \t]*(?:include|import)[ \t]*"([^"\n]{1,200})"/gm;
const SYSTEM_FILE = /(?<=["'\s=])\/(?:etc|usr\/share)\/[\w./+-]{1,200}/g;
const READABLE_BY_OTHERS = 0o004;
const LARGEST_BYTES = 1024 * 1024;
const MOST_NAMES = 5000;

export const beside: Rule = {
  name: "beside",
  apply({ path, interpreter, elf, asker }, collector) {
    const isAsked = asker.named === true && asker.rule !== "include";
    if ((!isAsked && asker.calls !== true) || elf !== undefined || interpreter === undefined) return;
    if (C_SOURCE.test(path)) {
      takeIncluded(path, asker, collector);
      return;
    }
    // By the name that it is called by: what /bin/sh leads to may be busybox.
    const script = parseScript(readHead(collector.root.hostPath(path)));
    const runner = script?.program ?? script?.interpreter ?? asker.runner ?? interpreter;
    const isScript = isShell(runner) || INTERPRETERS.test(basename(runner));
    const size = collector.root.resolve(path)?.stats.size ?? 0;
    if (!isScript || size > LARGEST_BYTES) return;
    const text = collector.root.readText(path) ?? "";
    if (text.includes("\0")) return;
    if (!isAsked) {
      takeSystemFiles(path, text, collector);
      return;
    }
    const names = new Set([...text.matchAll(QUOTED)].map(([, , name = ""]) => name));
    if (isShell(runner)) takeCommands(path, text, collector, true);
    if (isShell(runner)) for (const [, name = ""] of text.matchAll(BARE)) names.add(name);
    const next = { ...asker, rule: "beside", from: path, as: "data", runner } as const;
    for (const name of [...names].slice(0, MOST_NAMES)) take(name, path, next, collector);
    takeTimeZones(text, path, path, collector);
    if (/^python/.test(basename(runner)))
      for (const name of names) if (DOTTED.test(name)) takeModule(name, path, next, collector);
    if (/^python/.test(basename(runner)))
      for (const [, list = ""] of text.matchAll(PYTHON_IMPORT))
        for (const name of list.split(",")) takeModule(name.trim(), path, next, collector);
  },
};

function take(name: string, script: string, asker: Asker, collector: Collector): void {
  if (/[*?$%{}<>|]|^[./]*$|\/\//.test(name)) return;
  const folder = dirname(script);
  const text = `${script} names it`;
  if (/^[\w-]+(\/[\w-]+)*\.[a-z]\w*$/.test(name) && collector.root.resolve(posix.join(folder, name)) === undefined)
    takeFolderWith(name, folder, { ...asker, text: `${script} names ${name}, which is in it` }, collector);
  for (const candidate of [name, `${name}${extname(script)}`]) {
    const path = posix.resolve(folder, candidate);
    const found = collector.root.resolve(path);
    if (found === undefined || path === script) continue;
    if (found.stats.isFile()) {
      // A word that is the name of a file in /usr/bin says nothing.
      if (name.includes("/") || !/^\/(usr\/|)s?bin$/.test(folder)) collector.add(path, { ...asker, text });
    } else if (
      found.stats.isDirectory() &&
      (name.startsWith("/")
        ? OF_SITE.test(found.path) && sizeBelow(path, MOST_IN_FOLDER, collector.root) <= MOST_IN_FOLDER
        : path.startsWith(`${folder}/`) && folder.split("/").length > 2)
    )
      collector.addTree(
        path,
        name.startsWith("/") ? { rule: asker.rule, from: script, text, as: "data" } : { ...asker, text },
      );
  }
}

/** What a script that is called reads of the system; it is of a package, and has no site's files. */
function takeSystemFiles(script: string, text: string, collector: Collector): void {
  for (const [name] of text.matchAll(SYSTEM_FILE)) {
    const found = collector.root.resolve(name);
    if (found?.stats.isFile() === true && !collector.isProgram(name) && (found.stats.mode & READABLE_BY_OTHERS) !== 0)
      collector.add(name, { rule: "beside", from: script, text: `${script} names it`, as: "data" });
  }
}

/** A folder beside the script in which that file is: it is looked for there, and may name others. */
function takeFolderWith(name: string, folder: string, asker: Asker, collector: Collector): void {
  const { root } = collector;
  const names = folder.split("/").length > 2 ? root.list(folder) : [];
  if (names.length > MOST_FOLDERS) return;
  for (const each of names.map((own) => `${folder}/${own}`))
    if (root.isFile(`${each}/${name}`) && sizeBelow(each, MOST_IN_FOLDER, root) <= MOST_IN_FOLDER)
      collector.addTree(each, asker);
}

/** `#include "own.h"`, and what that one includes. */
function takeIncluded(path: string, asker: Asker, collector: Collector): void {
  if ((collector.root.resolve(path)?.stats.size ?? 0) > LARGEST_BYTES) return;
  const next = { ...asker, rule: "beside", from: path, text: `${path} includes it`, as: "data" } as const;
  for (const [, name = ""] of (collector.root.readText(path) ?? "").matchAll(C_INCLUDE)) {
    const own = posix.resolve(dirname(path), name);
    if (collector.root.isFile(own)) collector.add(own, next);
  }
}

/** `import a.b`: a.py, or the folder a with all that is in it. */
function takeModule(name: string, script: string, asker: Asker, collector: Collector): void {
  const [top = ""] = name.replace(/^\.+/, "").split(".");
  const path = posix.join(dirname(script), top);
  if (top === "" || /^\/(usr\/|)s?bin\//.test(path)) return;
  const text = `${script} imports ${name}`;
  if (collector.root.isDirectory(path)) collector.addTree(path, { ...asker, text });
  else if (collector.root.isFile(`${path}.py`)) collector.add(`${path}.py`, { ...asker, text });
}
