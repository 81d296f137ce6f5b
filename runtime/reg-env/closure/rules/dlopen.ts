/**
 * Libraries that a file says it opens while it runs, in notes of the UAPI group's ELF dlopen metadata (UAPI.12): JSON in a note of type
 * 0x407c0c0a.
 */
import type { Rule } from "../collector.ts";

export interface DlopenEntry {
  /** Alternatives: the first that is there wins. */
  readonly sonames: readonly string[];
  readonly feature?: string;
  readonly priority: "required" | "recommended" | "suggested";
}

/** Entries of one note; none for text that is not what the specification says. */
export function parseDlopenNote(text: string): DlopenEntry[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return [];
  }
  if (!Array.isArray(value)) return [];
  return value.flatMap((entry: unknown): DlopenEntry[] => {
    if (typeof entry !== "object" || entry === null) return [];
    const { soname, feature, priority } = entry as Record<string, unknown>;
    const sonames = Array.isArray(soname) ? soname.filter((name): name is string => typeof name === "string") : [];
    if (sonames.length === 0) return [];
    return [
      {
        sonames,
        ...(typeof feature === "string" ? { feature } : {}),
        priority: priority === "required" || priority === "suggested" ? priority : "recommended",
      },
    ];
  });
}

export const dlopen: Rule = {
  name: "dlopen",
  apply({ path, elf, process, asker }, collector) {
    if (elf === undefined || process === undefined) return;
    for (const { sonames, feature, priority } of elf.dlopenNotes.flatMap(parseDlopenNote)) {
      const what = feature === undefined ? "" : ` for ${feature}`;
      if (priority === "suggested") continue;
      const text = `${path} opens it while it runs${what} (${priority}, by its dlopen note)`;
      if (sonames.some((name) => collector.addLibrary(name, { rule: "dlopen", from: path, text, process }))) continue;
      const lack = `${path} opens ${sonames.join(" or ")} while it runs${what} (${priority}), which is not there`;
      if (priority === "required" && asker.strict === true) collector.faults.push(lack);
      else collector.warnings.add(lack);
    }
  },
};
