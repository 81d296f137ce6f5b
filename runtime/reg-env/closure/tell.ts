/** What the reader of a closure should know before the environment runs: said once, at the end. */
import { closeSync, openSync } from "node:fs";
import { basename } from "node:path";
import { readXattrs } from "../store/xattr.ts";
import type { Collector } from "./collector.ts";
import { commandsOf } from "./shell.ts";
import { stringsOf } from "./strings.ts";

const MOST_NAMES = 12;

export function tellAll(collector: Collector): void {
  for (const make of collector.lateWarnings) {
    const warning = make();
    if (warning !== undefined) collector.warnings.add(warning);
  }
  tellPrivileges(collector);
  tellCommands(collector);
  tellShells(collector);
  tellSuggestions(collector);
}

/** Set-id bits are kept, and worth a look: the environment may be somebody else's. */
function tellPrivileges({ files, root, warnings }: Collector): void {
  const hidden: string[] = [];
  for (const path of files.keys()) {
    const found = root.locate(path);
    if (found?.stats.isFile() !== true) continue;
    const { mode, uid, gid } = found.stats;
    if ((mode & 0o4000) !== 0)
      warnings.add(`${path} runs as user ${uid} whoever starts it (set-user-id): the bit is kept`);
    if ((mode & 0o2010) === 0o2010)
      warnings.add(`${path} runs as group ${gid} whoever starts it (set-group-id): the bit is kept`);
    if ((mode & 0o111) !== 0 && hasCapabilities(root.hostPath(path)))
      warnings.add(`${path} gives capabilities to whoever starts it (security.capability): they are kept`);
    if ((mode & 0o004) === 0) hidden.push(path);
  }
  if (hidden.length > 0)
    warnings.add(`not everybody may read these files, which are now in the environment: ${some(hidden)}`);
}

function hasCapabilities(path: string): boolean {
  const fd = openSync(path, "r");
  try {
    return readXattrs(fd, path)?.["security.capability"] !== undefined;
  } finally {
    closeSync(fd);
  }
}

/** Commands that shell scripts seem to call: in the root, but not in the environment. */
function tellCommands(collector: Collector): void {
  const callers = new Map<string, string[]>();
  for (const [script, text] of collector.shellScripts)
    for (const command of commandsOf(text)) {
      const path = collector.findProgram(command);
      const found = path === undefined ? undefined : collector.root.resolve(path);
      if (found === undefined || collector.files.has(found.path)) continue;
      callers.set(command, [...(callers.get(command) ?? []), script]);
    }
  if (callers.size === 0) return;
  const [first] = callers.values();
  const scripts = new Set([...callers.values()].flat());
  const whose = scripts.size === 1 ? `${first?.[0]} seems` : `shell scripts, such as ${first?.[0]}, seem`;
  collector.warnings.add(
    `${whose} to call ${some([...callers.keys()])}: not in the environment (add them as programs if they are used)`,
  );
}

function tellShells(collector: Collector): void {
  const shell = collector.root.resolve("/bin/sh")?.path;
  if (shell === undefined || collector.files.has(shell)) return;
  const callers = [...collector.processes.values()]
    .filter(({ program }) => program.elf.imports.has("system") || program.elf.imports.has("popen"))
    .map(({ program }) => program.path);
  if (callers.length > 0)
    collector.warnings.add(
      `${some(callers)} can run commands by /bin/sh, which is not in the environment (add the program sh if it is used)`,
    );
}

/** Names of libraries in a file that nobody needs by its headers: it may open them while it runs. */
function tellSuggestions(collector: Collector): void {
  const seen = new Set<string>();
  for (const process of collector.processes.values())
    for (const object of process.objects) {
      if (seen.has(object.path) || /^(libc\.so|libc\.musl|ld-)/.test(basename(object.path))) continue;
      seen.add(object.path);
      const names = stringsOf(collector.root.hostPath(object.path), ".so", /^lib[\w+.-]+\.so(\.\d+)*$/);
      const absent = names.filter((name) => {
        const found = collector.linker.find(process, name, object);
        const path = found === undefined ? undefined : collector.root.resolve(found.path)?.path;
        return path !== undefined && !collector.files.has(path);
      });
      if (absent.length > 0)
        collector.warnings.add(
          `${object.path} names ${some(absent)}, which it may open while it runs (--include it if that is used)`,
        );
    }
}

function some(names: readonly string[]): string {
  const sorted = [...names].sort();
  const rest = sorted.length - MOST_NAMES;
  return sorted.slice(0, MOST_NAMES).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}
