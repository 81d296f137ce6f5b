/** Applies the table of rules. */
import type { Collector, Rule, Subject } from "../collector.ts";
import { type DataRule, TABLE } from "./table.ts";

export const dataRules: readonly Rule[] = TABLE.filter(({ when }) => when !== undefined).map((rule) => ({
  name: rule.name,
  apply(subject, collector) {
    if (applies(rule, subject)) takeData(rule, subject.path, collector, subject);
  },
}));

function applies({ when }: DataRule, { elf }: Subject): boolean {
  if (elf === undefined || when === undefined) return false;
  return (
    (elf.soname !== undefined && when.soname?.test(elf.soname) === true) ||
    when.imports?.some((name) => elf.imports.has(name)) === true
  );
}

/** What a rule takes, for a file or for the request itself. */
export function takeData(rule: DataRule, from: string | undefined, collector: Collector, subject?: Subject): void {
  const asker = {
    rule: rule.name,
    ...(from === undefined ? {} : { from }),
    text: `${from ?? "it"} ${rule.text}`,
    as: "data",
  } as const;
  for (const pattern of rule.take) collector.addPattern(pattern, asker);
  if (rule.unless !== undefined && collector.root.resolve(rule.unless.path) === undefined)
    for (const pattern of rule.unless.take) collector.addPattern(pattern, asker);
  const process = subject?.process;
  if (process !== undefined) for (const name of rule.libraries ?? []) collector.addLibrary(name, { ...asker, process });
}
