/**
 * git runs most of its commands as programs of its own folder, and starts a repository from templates. Commands that are written in Perl,
 * Python or Tcl stay out: they would bring a whole language for commands that few use.
 * Source: git(1) --exec-path, git-init(1) on templates.
 */
import { basename } from "node:path";
import type { Rule } from "../collector.ts";
import { isElf, isShell, parseScript, readHead } from "../script.ts";

const FOLDERS = ["/usr/lib/git-core", "/usr/libexec/git-core"];

/** What git-sh-setup, git-submodule and the merge strategies call. */
const CALLED = ["basename", "cat", "cut", "dirname", "expr", "grep", "mkdir", "rm", "sed", "tr", "uname"];

export const git: Rule = {
  name: "git",
  apply({ path, elf, process }, collector) {
    if (elf === undefined || process?.program.path !== path || basename(path) !== "git" || path.includes("/git-core/"))
      return;
    const asker = { rule: "git", from: path } as const;
    const leftOut: string[] = [];
    for (const folder of FOLDERS)
      collector.addTree(folder, { ...asker, text: `a command of ${path}` }, (file, stats) => {
        const target = collector.root.resolve(file);
        if (stats.isDirectory() || target?.stats.isFile() !== true) return true;
        const head = readHead(collector.root.hostPath(target.path));
        const script = isElf(head) ? undefined : parseScript(head);
        if (script === undefined || isShell(script.program ?? script.interpreter)) return true;
        leftOut.push(file);
        return false;
      });
    // The samples of hooks in it do nothing until they are renamed, and one is in Perl.
    const templates = { ...asker, text: `${path} makes repositories from it`, as: "data" } as const;
    collector.addTree("/usr/share/git-core/templates", templates, (file) => !file.endsWith(".sample"));
    collector.add("/etc/gitconfig", { ...asker, text: `${path} reads its configuration` });
    for (const name of ["sh", ...CALLED]) {
      const program = collector.findProgram(name);
      const text =
        name === "sh"
          ? `${path} runs hooks, aliases and pagers by it`
          : `commands of ${path} that are shell scripts call it`;
      if (program !== undefined) collector.add(program, { ...asker, text, as: "program" });
    }
    collector.warnLater(() => {
      const absent = leftOut.filter((file) => !collector.files.has(file)).map((file) => basename(file));
      if (absent.length === 0) return undefined;
      return `${path}: without its commands that need another language: ${absent.join(" ")} (--include them to have them)`;
    });
  },
};
