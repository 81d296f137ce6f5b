/** Judges what the runtimes did, and writes it as tables. Pure but for printing. */
import { type Caller, type Case, type Runtime, SAME } from "./caller.ts";
import type { Outcome } from "./session.ts";
import { type Checks, parseTap } from "./tap.ts";

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
  /** Of a case that prints TAP. */
  readonly checks?: Checks;
  /** The program gave up: checks are missing. */
  readonly endedEarly?: true;
}

export interface CaseResult {
  readonly caller: string;
  readonly name: string;
  readonly verdicts: readonly Verdict[];
  readonly explained?: string;
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
    const explained = one.explained === undefined ? {} : { explained: one.explained };
    return { caller: caller.name, name: one.name, verdicts, ...explained };
  });
}

function judgeOne(
  runtime: Runtime,
  outcome: Outcome | string,
  one: Case,
  output: string | RegExp | undefined,
): Verdict {
  if (typeof outcome === "string") return { runtime, result: "skipped", reason: outcome };
  if (one.tap) return judgeChecks(runtime, outcome);
  const fault = faultOf(one, outcome, output);
  if (fault !== undefined) return { runtime, result: "failed", reason: shorten(fault) };
  return {
    runtime,
    result: "passed",
    reason: outcome.before === undefined ? "" : shorten(`at the second attempt; ${outcome.before}`),
  };
}

/** What is not as the case expects; undefined when all is. */
export function faultOf(
  { status = 0 }: Case,
  outcome: Outcome,
  output: string | RegExp | undefined,
): string | undefined {
  if (outcome.status === -1) return "did not end in time";
  if (outcome.status !== status)
    return `status ${outcome.status} instead of ${status}: ${outcome.stderr.trim() || outcome.stdout.trim()}`;
  const stdout = outcome.stdout.trim();
  if (output === undefined || (output instanceof RegExp ? output.test(stdout) : output === stdout)) return undefined;
  const expected = output instanceof RegExp ? output : JSON.stringify(output);
  return `${JSON.stringify(stdout)} instead of ${expected}; ${outcome.stderr.trim()}`;
}

function judgeChecks(runtime: Runtime, { status, stdout, stderr }: Outcome): Verdict {
  const checks = parseTap(stdout);
  if (status === 0 && checks.failed.length === 0) return { runtime, result: "passed", reason: "", checks };
  const reason = shorten([...new Set(checks.failed), stderr].join("; "));
  return { runtime, result: "failed", reason, checks, ...(status === 0 ? {} : { endedEarly: true }) };
}

/** By how much a runtime failed, to compare: who gave up comes after all others. */
function failuresOf({ result, checks, endedEarly }: Verdict): number {
  if (result === "passed") return 0;
  return endedEarly || checks === undefined ? Number.POSITIVE_INFINITY : checks.failed.length;
}

/** On one line; where in a bundle, whose folder is another in every run, is not told. */
function shorten(text: string): string {
  const line = text
    .replaceAll(/\/run\/containerd-state\/[^\s`'":]+/g, "BUNDLE/...")
    .replaceAll(/\s+/g, " ")
    .trim();
  return line.length > REASON_LENGTH ? `${line.slice(0, REASON_LENGTH)} ...` : line;
}

/**
 * Of a case, about reg: passed; failed, when any peer did better or there was none; or skipped, also when reg failed as much as its best
 * peer, which says something about the case or the machine, and when it is known why reg is right.
 */
export function verdictOfReg({ verdicts, explained }: CaseResult): "passed" | "failed" | "skipped" {
  const reg = verdicts.find(({ runtime }) => runtime.kind === "reg");
  if (reg === undefined) return "skipped";
  if (reg.result !== "failed") return reg.result;
  if (explained !== undefined) return "skipped";
  const peers = verdicts.filter(({ runtime, result }) => runtime.kind !== "reg" && result !== "skipped");
  return peers.length > 0 && peers.every((peer) => failuresOf(peer) >= failuresOf(reg)) ? "skipped" : "failed";
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
  for (const { name, verdicts, explained } of results) {
    if (verdicts.every(({ result, reason }) => result === "passed" && reason === "")) continue;
    console.log(`  ${name}`);
    if (explained !== undefined) console.log(`    known: ${explained}`);
    for (const { runtime, result, reason } of verdicts)
      console.log(`    ${runtime.label.padEnd(12)} ${result}${reason === "" ? "" : `: ${reason}`}`);
  }
}

/** A case's cell of the table. */
function cellOf({ result, checks, endedEarly }: Verdict): string {
  const text =
    checks === undefined
      ? result
      : `${checks.passed} / ${checks.failed.length} / ${checks.skipped}${endedEarly ? ", gave up" : ""}`;
  return result === "failed" ? `**${text}**` : text;
}

/** The summary: cases passed, by caller. `versions` says which version of a caller it was. */
function formatSummary(
  results: readonly CaseResult[],
  runtimes: readonly Runtime[],
  versions: ReadonlyMap<string, string>,
): string[] {
  const callers = [...new Set(results.map(({ caller }) => caller))];
  const rows = callers.map((caller) => {
    const own = results.filter((result) => result.caller === caller);
    return [versions.get(caller) ?? caller, ...runtimes.map((runtime) => score(own, runtime))];
  });
  return [...header("caller", runtimes), ...rows.map((row) => `| ${row.join(" | ")} |`)];
}

function header(first: string, runtimes: readonly Runtime[]): string[] {
  return [
    `| ${[first, ...runtimes.map(({ label }) => label)].join(" | ")} |`,
    `|---|${runtimes.map(() => "---|").join("")}`,
  ];
}

export function formatResults(
  results: readonly CaseResult[],
  runtimes: readonly Runtime[],
  versions: ReadonlyMap<string, string>,
): string {
  const callers = [...new Set(results.map(({ caller }) => caller))];
  const parts = [
    "# What the callers see",
    "",
    "Written by `make conformance`: each case is run with every runtime. Numbers are cases passed of those that were run.",
    "",
    ...formatSummary(results, runtimes, versions),
  ];
  for (const caller of callers) {
    const own = results.filter((result) => result.caller === caller);
    parts.push("", `## ${caller}`, "");
    if (own.some(({ verdicts }) => verdicts.some(({ checks }) => checks !== undefined)))
      parts.push("Each program makes many checks: passed / failed / skipped.", "");
    parts.push(...header("case", runtimes));
    for (const { name, verdicts } of own) parts.push(`| ${name} | ${verdicts.map(cellOf).join(" | ")} |`);
    const literal = (text: string) => text.replaceAll(/([<>*_|`])/g, "\\$1");
    const remarks = own.flatMap(({ name, verdicts, explained }) => [
      ...(explained === undefined ? [] : [`- ${literal(name)}: ${explained}`]),
      ...verdicts
        .filter(({ result, reason }) => result !== "passed" || reason !== "")
        .map(({ runtime, result, reason }) => `- ${literal(name)}, ${runtime.label} ${result}: ${literal(reason)}`),
    ]);
    if (remarks.length > 0) parts.push("", ...remarks);
  }
  return `${parts.join("\n")}\n`;
}

/** A document of formatResults by caller: rows of its summary, and sections. */
function parseResults(text: string) {
  const [head = "", ...sections] = text.trimEnd().split(/\n\n(?=## )/);
  const lines = head.split("\n");
  const start = lines.findIndex((line) => line.startsWith("|---")) + 1;
  const byName = (parts: readonly string[], name: RegExp) =>
    new Map(parts.map((part) => [name.exec(part)?.[1] ?? "", part]));
  return {
    head: lines.slice(0, start).join("\n"),
    rows: byName(lines.slice(start), /^\| (\S+)/),
    sections: byName(sections, /^## (\S+)/),
  };
}

/** Of two documents of formatResults the callers of both, as the later has them. With other runtimes they can not be one: the later is left. */
export function mergeResults(before: string, after: string): string {
  const [earlier, later] = [parseResults(before), parseResults(after)];
  if (earlier.head !== later.head) return after;
  const rows = new Map([...earlier.rows, ...later.rows]).values();
  const sections = new Map([...earlier.sections, ...later.sections]).values();
  return `${[[later.head, ...rows].join("\n"), ...sections].join("\n\n")}\n`;
}

/**
 * One table of several documents of formatResults, by the names of their columns. A cell has the caller's version, and what each runtime passed
 * of what it ran, in the order of the column's head.
 */
export function formatSuites(documents: ReadonlyMap<string, string>): string[] {
  const columns = [...documents].map(([suite, text]) => {
    const { head, rows } = parseResults(text);
    const labels = cellsOf(head.split("\n").at(-2) ?? "").slice(1);
    return { title: `${suite}: ${labels.join(", ")}`, rows };
  });
  const callers = [...new Set(columns.flatMap(({ rows }) => [...rows.keys()]))].sort();
  const cell = (caller: string, row: string | undefined) => {
    if (row === undefined) return "";
    const [version = "", ...scores] = cellsOf(row);
    return `${version.slice(caller.length).trim()}: ${scores.map((score) => score.replace(" of ", "/")).join(", ")}`;
  };
  const lines = [
    ["caller", ...columns.map(({ title }) => title)],
    ["---", ...columns.map(() => "---")],
    ...callers.map((caller) => [caller, ...columns.map(({ rows }) => cell(caller, rows.get(caller)))]),
  ];
  return lines.map((line) => `| ${line.join(" | ")} |`);
}

function cellsOf(row: string): string[] {
  return row
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim());
}
