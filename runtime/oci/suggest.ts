/** What a reader may have meant. Loaded with a failure, or for a note under --debug. */
import { escapePointer } from "./check/faults.ts";
import { NAMES } from "./generated/names.generated.ts";
import type { DocumentKind } from "./validate.ts";

/** A property that nobody reads, and the known one that its name is close to. */
export interface CloseName {
  /** JSON pointer of the object that has it. */
  readonly pointer: string;
  readonly name: string;
  readonly suggestion: string;
}

/** The candidate that `name` is most likely a slip for: another case, a part left out, or a few letters off. */
export function closest(name: string, candidates: readonly string[]): string | undefined {
  const lower = name.toLowerCase();
  if (lower === "") return undefined;
  const same = candidates.find((candidate) => candidate.toLowerCase() === lower);
  if (same !== undefined) return same;
  const limit = lower.length <= 2 ? 0 : lower.length <= 5 ? 1 : lower.length <= 9 ? 2 : 3;
  let best: string | undefined;
  let least = limit + 1;
  for (const candidate of candidates) {
    const steps = distance(lower, candidate.toLowerCase(), least);
    if (steps < least) [best, least] = [candidate, steps];
  }
  if (best !== undefined) return best;
  const ending = candidates.filter(
    (candidate) => /[_.]/.test(candidate.at(-lower.length - 1) ?? "") && candidate.toLowerCase().endsWith(lower),
  );
  const starting = lower.length < 3 ? [] : candidates.filter((candidate) => candidate.toLowerCase().startsWith(lower));
  if (ending.length > 0) return ending.length === 1 ? ending[0] : undefined;
  return starting.length === 1 ? starting[0] : undefined;
}

/** Optimal string alignment: insertions, deletions, substitutions, swaps of neighbours. `limit` ends a lost cause. */
function distance(from: string, to: string, limit: number): number {
  if (Math.abs(from.length - to.length) >= limit) return limit;
  let before: number[] = [];
  let above = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const line = [row];
    for (let column = 1; column <= to.length; column++) {
      const differs = from[row - 1] === to[column - 1] ? 0 : 1;
      let steps = Math.min(cell(line, column - 1) + 1, cell(above, column) + 1, cell(above, column - 1) + differs);
      if (row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1])
        steps = Math.min(steps, cell(before, column - 2) + 1);
      line.push(steps);
    }
    before = above;
    above = line;
  }
  return cell(above, to.length);
}

function cell(line: readonly number[], column: number): number {
  return line[column] ?? Number.POSITIVE_INFINITY;
}

const ROOTS: Readonly<Record<DocumentKind, string>> = {
  config: "Config",
  process: "Process",
  resources: "LinuxResources",
  reg: "Reg",
  host: "HostConfig",
};

/** Unknown properties, anywhere in a document that fits its schema, whose names are close to a known one. */
export function closeNames(document: unknown, kind: DocumentKind = "config"): CloseName[] {
  const found: CloseName[] = [];
  const pending: [pointer: string, value: unknown, kind: string][] = [["", document, ROOTS[kind]]];
  for (let entry = pending.shift(); entry !== undefined; entry = pending.shift()) {
    const [pointer, value, kind] = entry;
    if (typeof value !== "object" || value === null || kind === "") continue;
    if (kind.startsWith("[]") || kind.startsWith("{}")) {
      for (const [key, item] of Object.entries(value))
        pending.push([`${pointer}/${escapePointer(key)}`, item, kind.slice(2)]);
      continue;
    }
    const known = NAMES[kind] ?? {};
    // A known name that is there already is not what an unknown one was meant to be.
    const free = Object.keys(known).filter((name) => !Object.hasOwn(value, name));
    for (const [name, item] of Object.entries(value)) {
      if (Object.hasOwn(known, name)) {
        pending.push([`${pointer}/${escapePointer(name)}`, item, known[name] ?? ""]);
        continue;
      }
      const suggestion = closest(name, free);
      if (suggestion !== undefined) found.push({ pointer, name, suggestion });
    }
  }
  return found;
}
