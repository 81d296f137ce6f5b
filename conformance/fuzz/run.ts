/**
 * Runs cases from seeds, and ends with a line for each that failed.
 *
 *   node dist/conformance/fuzz/run.js [--seeds FIRST-LAST] [--kinds config,process,resources,container] [--rounds N]
 */
import { parseArgs } from "node:util";
import { Fixture } from "../fixtures/fixture.ts";
import { KINDS, restore, runCase, Target } from "./cases.ts";
import type { Kind } from "./documents.ts";

/** After so many cases of a kind it is looked for what they have left. */
const BATCH = 25;

/** What is wrong, a line for each finding; the seeds from `first` to `last` of each kind. */
export function fuzz(
  first: number,
  last: number,
  kinds: readonly Kind[],
  say: (line: string) => void = () => {},
): string[] {
  const findings: string[] = [];
  for (const kind of kinds)
    for (let from = first; from <= last; from += BATCH) {
      const to = Math.min(from + BATCH - 1, last);
      say(`${kind} ${from}-${to}`);
      findings.push(...batch(kind, from, to));
    }
  return findings;
}

function batch(kind: Kind, from: number, to: number): string[] {
  const findings: string[] = [];
  const fixture = new Fixture();
  try {
    const bundle = fixture.bundle(["/bin/true"]);
    const target = new Target(fixture);
    for (let seed = from; seed <= to; seed++) {
      const fault = runCase(fixture, target, bundle, kind, seed);
      if (fault !== undefined) findings.push(`${kind} ${seed}: ${fault}`);
      if (kind === "config") restore(bundle);
    }
    target.renew();
    try {
      fixture.assertNothingLeft();
    } catch (error) {
      findings.push(`${kind} ${from}-${to}: ${error instanceof Error ? error.message : error}`);
    }
  } finally {
    fixture.remove();
  }
  return findings;
}

if (process.argv[1] === import.meta.filename) {
  const { values } = parseArgs({
    options: { seeds: { type: "string" }, kinds: { type: "string" }, rounds: { type: "string" } },
  });
  const [first = 1, end = first] = (values.seeds ?? "1-1000").split("-").map(Number);
  const last = end + (end - first + 1) * (Number(values.rounds ?? 1) - 1);
  const kinds = KINDS.filter((kind) => values.kinds === undefined || values.kinds.split(",").includes(kind));
  const findings = fuzz(first, last, kinds, (line) => console.log(line));
  for (const finding of findings) console.log(finding);
  console.log(`${findings.length} findings`);
  process.exitCode = findings.length === 0 ? 0 : 1;
}
