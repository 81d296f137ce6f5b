/**
 * Programs that a program executes by their names, which stand in it as strings: those beside it, in a folder of its own. Of others a word alone says
 * nothing, but with an option behind it, in what uses popen(3), it is a command.
 */
import { readFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { isOfAllPrograms } from "../called.ts";
import type { Collector, Rule } from "../collector.ts";

const LARGEST_BYTES = 64 * 1024 * 1024;
/** `name -x` */
const COMMAND = /(?<=\0)([a-z][\w.+-]{1,30}) -[^\0\n]{1,100}(?=\0)/g;
const MOST_NAMES = 100;

export const otherPrograms: Rule = {
  name: "other-programs",
  apply({ path, elf, process, asker }, collector) {
    if (elf === undefined || process?.program.path !== path || asker.calls !== true) return;
    if ((collector.root.resolve(path)?.stats.size ?? 0) > LARGEST_BYTES) return;
    const others = candidatesOf(path, collector);
    const pipes = elf.imports.has("popen");
    if (others.length === 0 && !pipes) return;
    const text = readFileSync(collector.root.hostPath(path), "latin1");
    const take = (program: string, why: string) =>
      collector.add(program, { rule: "other-programs", from: path, text: why, as: "program", calls: true });
    for (const other of others)
      if (text.includes(`\0${basename(other)}\0`)) take(other, `${path} has its name, and came with it`);
    for (const [, name = ""] of pipes ? text.matchAll(COMMAND) : []) {
      const program = collector.findProgram(name);
      if (program !== undefined) take(program, `${path} has a command with it`);
    }
  },
};

/** Programs beside it, in a folder of its own, few enough to be told by their names. */
function candidatesOf(path: string, collector: Collector): string[] {
  const folder = dirname(path);
  const names = isOfAllPrograms(folder) ? [] : collector.root.list(folder);
  if (names.length > MOST_NAMES) return [];
  return names.map((name) => `${folder}/${name}`).filter((other) => other !== path && collector.isProgram(other));
}
