/** Judges what the runtimes did, and writes it as tables. Pure but for printing. */
import { type Caller, type Case, type Runtime, SAME } from "./caller.ts";
import type { Outcome } from "./session.ts";

/** One runtime through all cases of a caller, in their order; a string says why a case was skipped. */
export interface Run {
  readonly runtime: Runtime;
  readonly outcomes: readonly (Outcome | string)[];
}

export interface Verdict {
  readonly runtime: Runtime;
  readonly result: "passed" | "failed" | "skipped";
  /** What was expected and what came instead, or why it was skipped. */
  readonly reason: string;
}

export interface CaseResult {
  readonly caller: string;
  readonly name: string;
  readonly verdicts: readonly Verdict[];
}

const REASON_LENGTH = 300;

export function judge(caller: Caller, cases: readonly Case[], runs: readonly Run[]): CaseResult[] {
  return cases.map((one, index) => {
    const outcomeOf = (kind: Runtime["kind"]) => {
      const outcome = runs.find(({ runtime }) => runtime.kind === kind)?.outcomes[index];
      return typeof outcome === "object" && outcome.status === (one.status ?? 0) ? outcome.stdout.trim() : undefined;
    };
    const output = one.output === SAME ? (outcomeOf("runc") ?? outcomeOf("crun")) : one.output;
    const verdicts = runs.map(({ runtime, outcomes }) => judgeOne(runtime, outcomes[index] ?? "not run", one, output));
    return { caller: caller.name, name: one.name, verdicts };
  });
}

function judgeOne(
  runtime: Runtime,
  outcome: Outcome | string,
  one: Case,
  output: string | RegExp | undefined,
): Verdict {
  if (typeof outcome === "string") return { runtime, result: "skipped", reason: outcome };
  const fail = (reason: string): Verdict => ({ runtime, result: "failed", reason: shorten(reason) });
  const status = one.status ?? 0;
  if (outcome.status === -1) return fail("did not end in time");
  if (outcome.status !== status)
    return fail(`status ${outcome.status} instead of ${status}: ${outcome.stderr.trim() || outcome.stdout.trim()}`);
  const stdout = outcome.stdout.trim();
  const matches = output instanceof RegExp ? output.test(stdout) : output === undefined || output === stdout;
  if (!matches)
    return fail(
      `${JSON.stringify(stdout)} instead of ${output instanceof RegExp ? output : JSON.stringify(output)}; ${outcome.stderr.trim()}`,
    );
  return { runtime, result: "passed", reason: "" };
}

function shorten(text: string): string {
  const line = text.replaceAll(/\s+/g, " ").trim();
  return line.length > REASON_LENGTH ? `${line.slice(0, REASON_LENGTH)} ...` : line;
}

/** Of a case, about reg: passed; failed, when any peer passed or there was none; or skipped, also when nobody passed. */
export function verdictOfReg({ verdicts }: CaseResult): "passed" | "failed" | "skipped" {
  const reg = verdicts.find(({ runtime }) => runtime.kind === "reg");
  if (reg === undefined) return "skipped";
  if (reg.result !== "failed") return reg.result;
  const peers = verdicts.filter(({ runtime, result }) => runtime.kind !== "reg" && result !== "skipped");
  return peers.length > 0 && peers.every(({ result }) => result === "failed") ? "skipped" : "failed";
}

export function sums(results: readonly CaseResult[]): { passed: number; failed: number; skipped: number } {
  const count = (wanted: string) => results.filter((result) => verdictOfReg(result) === wanted).length;
  return { passed: count("passed"), failed: count("failed"), skipped: count("skipped") };
}

/** "60 of 62": the cases that a runtime passed, of those that it ran. */
function score(results: readonly CaseResult[], runtime: Runtime): string {
  const verdicts = results
    .flatMap((result) => result.verdicts)
    .filter((verdict) => verdict.runtime.kind === runtime.kind);
  const ran = verdicts.filter(({ result }) => result !== "skipped");
  return ran.length === 0 ? "-" : `${ran.filter(({ result }) => result === "passed").length} of ${ran.length}`;
}

/** Cases that all runtimes passed are only counted. */
export function printTable(caller: Caller, results: readonly CaseResult[], runtimes: readonly Runtime[]): void {
  console.log(`${caller.name}: ${runtimes.map((runtime) => `${runtime.label} ${score(results, runtime)}`).join(", ")}`);
  const reasons = new Set(results.flatMap(({ verdicts }) => verdicts.map(({ reason }) => reason)));
  if (reasons.size === 1 && results.every(({ verdicts }) => verdicts.every(({ result }) => result === "skipped"))) {
    console.log(`  skipped: ${[...reasons][0]}`);
    return;
  }
  for (const { name, verdicts } of results) {
    if (verdicts.every(({ result }) => result === "passed")) continue;
    console.log(`  ${name}`);
    for (const { runtime, result, reason } of verdicts)
      console.log(`    ${runtime.label.padEnd(12)} ${result}${reason === "" ? "" : `: ${reason}`}`);
  }
}

export function formatResults(results: readonly CaseResult[], runtimes: readonly Runtime[]): string {
  const callers = [...new Set(results.map(({ caller }) => caller))];
  const header = (first: string) => [
    `| ${[first, ...runtimes.map(({ label }) => label)].join(" | ")} |`,
    `|---|${runtimes.map(() => "---|").join("")}`,
  ];
  const parts = [
    "# What the callers see",
    "",
    "Written by `make conformance`: each case is run with every runtime. Numbers are cases passed.",
    "",
  ];
  parts.push(...header("caller"));
  for (const caller of callers) {
    const own = results.filter((result) => result.caller === caller);
    parts.push(`| ${caller} | ${runtimes.map((runtime) => score(own, runtime)).join(" | ")} |`);
  }
  for (const caller of callers) {
    const own = results.filter((result) => result.caller === caller);
    parts.push("", `## ${caller}`, "", ...header("case"));
    for (const { name, verdicts } of own)
      parts.push(
        `| ${name} | ${verdicts.map(({ result }) => (result === "failed" ? "**failed**" : result)).join(" | ")} |`,
      );
    const remarks = own.flatMap(({ name, verdicts }) =>
      verdicts
        .filter(({ result }) => result !== "passed")
        .map(
          ({ runtime, result, reason }) =>
            `- ${name}, ${runtime.label} ${result}: ${reason.replaceAll(/([<>*_|`])/g, "\\$1")}`,
        ),
    );
    if (remarks.length > 0) parts.push("", ...remarks);
  }
  return `${parts.join("\n")}\n`;
}
