/** What a script brings: its interpreter, through env(1) or not, and that one's interpreter. */
import { programsInVariables, searchPathOf } from "./called.ts";
import type { Asker, Collector } from "./collector.ts";
import { BY_EXTENSION, isShell, type Script } from "./script.ts";
import { commandsOf } from "./shell.ts";

/** The program that runs the script, once it is found. */
export function takeScript(collector: Collector, path: string, script: Script, asker: Asker): { interpreter?: string } {
  const because = (text: string): Asker => ({
    rule: "script",
    from: path,
    text,
    as: "program",
    strict: asker.strict === true,
  });
  const lack = (text: string) => {
    if (asker.strict === true) collector.faults.push(text);
    else collector.warnings.add(text);
    return {};
  };
  const first = collector.add(script.interpreter, because(`${path} begins with #!${script.interpreter}`));
  if (first === undefined) return lack(`${path} begins with #!${plain(script.interpreter)}, which is not there`);
  let interpreter = first.path;
  if (script.program !== undefined) {
    const found = collector.findProgram(script.program);
    const added =
      found === undefined
        ? undefined
        : collector.add(found, because(`${path} is run by ${script.program}, which env looks up in PATH`));
    if (added === undefined)
      return lack(`${path} is run by ${plain(script.program)}, which is not in the PATH of the root`);
    interpreter = added.path;
  }
  // What runs a script that was asked for is as good as asked for.
  if (asker.named === true) collector.called.add(interpreter);
  const named = script.program ?? script.interpreter;
  if (isShell(named)) {
    const text = collector.root.readText(path) ?? "";
    if (asker.calls === true) takeCommands(path, text, collector, asker.named === true);
    else collector.shellScripts.set(path, text);
  }
  return { interpreter };
}

/**
 * A guess, which brings too much rather than too little; only for scripts that were asked for (`named`), and scripts that these call.
 */
export function takeCommands(script: string, text: string, collector: Collector, named = false): void {
  const folders = searchPathOf(text, collector);
  const add = (path: string, reason: string) => {
    const added = collector.add(path, { rule: "script", from: script, text: reason, as: "program", calls: true });
    if (named && added !== undefined) collector.called.add(added.path);
  };
  for (const command of commandsOf(text)) {
    const found = collector.findProgram(command, folders);
    if (found !== undefined) add(found, `${script} seems to call ${command}`);
  }
  for (const path of programsInVariables(script, text, collector)) add(path, `${script} has its path in a variable`);
}

function plain(name: string): string {
  return name.endsWith("\r") ? `${name.slice(0, -1)} and a carriage return (its lines end as those of Windows)` : name;
}

/** The program for a file that is no ELF file and has no `#!`, by its name. */
export function interpreterByName(path: string): string | undefined {
  return BY_EXTENSION.find(([extension]) => extension.test(path))?.[1];
}
