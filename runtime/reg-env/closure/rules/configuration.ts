/**
 * What a program's configuration names by absolute paths: files that it includes and reads, modules that it loads, folders that it serves or
 * writes to. Configuration is what came in below /etc as a program's own, and a file of that kind that the command names.
 */
import { dirname } from "node:path";
import { isOfAllPrograms } from "../called.ts";
import { type Asker, type Collector, fromOf, type Rule, type Subject } from "../collector.ts";
import { sizeBelow } from "../folder-size.ts";
import { isOfAll } from "../of-all.ts";
import { MOST_IN_FOLDER, OF_SITE } from "./beside.ts";
import { makeDirectory } from "./directories.ts";

const OF_PROGRAMS = new Set(["own-data", "named-folders", "package-folders", "configuration"]);
const BY_NAME = /(\.(conf|cfg|cnf|cf|config|ini|toml|ya?ml|json|xml|properties)|(^|[./])[a-z]*rc)$/;
const LARGEST_BYTES = 256 * 1024;
const MOST_NAMES = 1000;
const COMMENT_LINE = /^[ \t]*(?:[#;]|\/\/|<!--).*$/gm;
const PATH = /(?<=^|[\s"'=:,([{<>])\/(?:etc|usr|var|run|srv|opt|home)\/[\w.+@/*?-]*[\w/*]/gm;
const READABLE_BY_OTHERS = 0o004;
/** Of a running system, which a container is not. */
const OF_SYSTEM = /^\/run\/(systemd|dbus|udev|user|lock|log)(\/|$)/;

export const configuration: Rule = {
  name: "configuration",
  apply(subject, collector) {
    const { path } = subject;
    if (!isConfiguration(subject, collector) || (collector.root.resolve(path)?.stats.size ?? 0) > LARGEST_BYTES) return;
    const text = collector.root.readText(path) ?? "";
    if (text.includes("\0")) return;
    const names = new Set([...text.replaceAll(COMMENT_LINE, "").matchAll(PATH)].map(([name]) => name));
    for (const name of [...names].slice(0, MOST_NAMES))
      for (const each of /[*?]/.test(name) ? collector.glob(name) : [name]) take(each, subject, collector);
  },
};

function isConfiguration({ path, elf, asker: { rule } }: Subject, collector: Collector): boolean {
  if (elf !== undefined || collector.isProgram(path)) return false;
  // Those of everybody, such as /etc/passwd.
  if (rule === "named-folders" && dirname(path) === "/etc") return false;
  return rule === "command" ? BY_NAME.test(path) : path.startsWith("/etc/") && OF_PROGRAMS.has(rule);
}

function take(name: string, { path: from, asker: { process } }: Subject, collector: Collector): void {
  const { root } = collector;
  const asker = {
    rule: "configuration",
    from,
    text: `${from} names it`,
    process,
    as: "data",
  } as const;
  const { as: _, ...rest } = asker;
  const program = { ...rest, calls: true };
  const found = root.resolve(name);
  if (found === undefined) {
    takeFolderOf(name, asker, collector);
    return;
  }
  const { path, stats } = found;
  const isSite = OF_SITE.test(path);
  const isSystem = /^\/(etc|usr)\//.test(path);
  if (isOfAll(path) || path === from) return;
  if (!isSite && !isSystem) {
    // Files there belong to the machine.
    if (stats.isDirectory()) collector.add(name, asker);
    else takeFolderOf(name, asker, collector);
    return;
  }
  const isReadable = (mode: number) => (mode & READABLE_BY_OTHERS) !== 0;
  const bytes = stats.isDirectory() ? sizeBelow(path, MOST_IN_FOLDER, root) : isSite ? stats.size : 0;
  if (stats.isDirectory() && bytes === 0) collector.add(name, asker);
  else if (bytes > MOST_IN_FOLDER || !isReadable(stats.mode)) {
    const why = bytes > MOST_IN_FOLDER ? "much is in it" : "not everybody may read it";
    collector.warnLater(() =>
      collector.files.has(path)
        ? undefined
        : `${from} names ${name}, which is left out, as ${why}: run with --volume ${name}:${name}:ro, or --include it`,
    );
  } else if (stats.isDirectory())
    collector.addTree(name, isSite ? program : asker, (_, each) => each.isSymbolicLink() || isReadable(each.mode));
  else if (/\.so(\.\d+)*$/.test(path)) collector.add(name, { ...asker, as: "module" });
  else if (!collector.isProgram(name)) collector.add(name, asker);
  // One of all programs may be named for whatever reason.
  else if (!isOfAllPrograms(dirname(path)))
    for (const each of [name, collector.findProgram("sh")])
      if (each !== undefined) collector.add(each, { ...program, as: "program" });
}

/** A socket, a log or the like, which is made while the program runs, needs its folder. */
function takeFolderOf(name: string, asker: Asker, collector: Collector): void {
  const folder = dirname(name);
  if (!/^\/(var|run)\/./.test(folder) || isOfAll(folder)) return;
  if (collector.root.isDirectory(folder) && !folder.startsWith("/run/")) collector.add(folder, asker);
  else if (/^\/(var\/)?run\/[^/]+$/.test(folder) && !OF_SYSTEM.test(folder.replace(/^\/var/, "")))
    makeDirectory(
      folder,
      { mode: "0755", user: "-", group: "-" },
      { rule: asker.rule, ...fromOf(asker), text: asker.text },
      collector,
    );
}
