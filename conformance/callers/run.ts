/**
 * Runs the callers' lists of cases with reg and with its peers, and says whether reg passed all that the best peer passed.
 *
 *   node dist/conformance/callers/run.js [--quick] [--machine] [--verbose] [--write] [--results FILE] [--runtimes reg,crun,runc]
 *       [--cases PATTERN] [CALLER]...
 *
 * --quick leaves slow cases out, and crun, as runc passes whatever crun does; --machine is for one of machine.ts, --verbose prints how long each case
 * takes and what is wrong, --write puts the table into RESULTS.md and its summary into the README beside this file, --results the table into another
 * file, whose tables of other callers stay. Ends with the line `N passed, N failed, N skipped` about reg: a case that no runtime passes says something
 * about the machine, and is skipped.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { TOP } from "../paths.ts";
import { buildah } from "./buildah.ts";
import { type Caller, type Case, type Runtime, SAME } from "./caller.ts";
import { containerd, containerdShim } from "./containerd.ts";
import { cri, criSandboxer, criShim } from "./cri.ts";
import { docker, dockerShim } from "./docker.ts";
import { MACHINE, SLOWNESS } from "./machine.ts";
import { podman } from "./podman.ts";
import { type CaseResult, faultOf, formatResults, judge, mergeResults, printTable, type Run, sums } from "./results.ts";
import { runtimeTools } from "./runtime-tools.ts";
import type { Outcome } from "./session.ts";
import { findRuntimes, versionOf, type Workplace, Workshop } from "./workshop.ts";

const CALLERS: readonly Caller[] = [
  podman,
  buildah,
  containerd,
  containerdShim,
  docker,
  dockerShim,
  cri,
  criShim,
  criSandboxer,
  runtimeTools,
];
const CASE_TIMEOUT_MS = 60_000;
const SLOW_TIMEOUT_MS = 300_000;
const START_TIMEOUT_MS = 60_000;

interface Options {
  readonly quick: boolean;
  readonly verbose: boolean;
  readonly selects: (caller: Caller, name: string) => boolean;
  /** In the virtual machine: what is not selected is told. */
  readonly machine: boolean;
  /** What the timeouts are multiplied with. */
  readonly slowness: number;
  readonly workshop: Workshop;
}

function casesOf(caller: Caller, { selects }: Options): readonly Case[] {
  return caller.cases.filter(({ name }) => selects(caller, name) || name.startsWith("left:"));
}

/** All cases of a caller with one runtime, one after the other. */
async function runCases(caller: Caller, runtime: Runtime, options: Options): Promise<Run> {
  const cases = casesOf(caller, options);
  const skipAll = (reason: string): Run => ({ runtime, outcomes: cases.map(() => reason) });
  const why = caller.skip?.[runtime.kind];
  if (why !== undefined) return skipAll(why);
  const reasons = cases.map((one) => one.skip?.[runtime.kind] ?? (one.slow && options.quick ? "slow" : undefined));
  if (reasons.every((reason) => reason !== undefined)) return { runtime, outcomes: reasons };
  const place = await options.workshop.open(caller, runtime);
  const { session, prologue } = place;
  try {
    const started = await session.run(`${prologue}\n${caller.start}`, START_TIMEOUT_MS * options.slowness);
    if (started.status !== 0) return skipAll(`${caller.name} does not start: ${lastLine(started.stderr)}`);
    const outcomes: (Outcome | string)[] = [];
    for (const [index, one] of cases.entries()) {
      const begin = Date.now();
      const run = (name: string) =>
        session.run(
          `c=${name}\n${prologue}\n${one.run}`,
          (one.slow ? SLOW_TIMEOUT_MS : CASE_TIMEOUT_MS) * options.slowness,
        );
      const outcome = reasons[index] ?? (await runCase(one, `case${index}`, run));
      outcomes.push(outcome);
      if (options.verbose)
        console.log(`${caller.name} ${runtime.kind} ${one.name}: ${Date.now() - begin} ms${remark(one, outcome)}`);
    }
    return { runtime, outcomes: outcomes.map((outcome) => anonymous(outcome, place, runtime)) };
  } finally {
    await options.workshop.close(place);
  }
}

/** A case that fails is tried once more: the callers have races of their own, with every runtime. The results say so. */
async function runCase(one: Case, name: string, run: (name: string) => Promise<Outcome>): Promise<Outcome> {
  const outcome = await run(name);
  if (one.tap) return outcome;
  const before = faultOf(one, outcome, one.output === SAME ? undefined : one.output);
  if (before === undefined) return outcome;
  return { ...(await run(`${name}-again`)), before };
}

/** What can be said of a case before the others have run it. */
function remark(one: Case, outcome: Outcome | string): string {
  if (typeof outcome === "string") return `, skipped: ${outcome}`;
  const fault = one.tap ? undefined : faultOf(one, outcome, one.output === SAME ? undefined : one.output);
  return fault === undefined ? "" : `, failed: ${fault}`;
}

/** What differs between two runs of the same case by chance: names and ids. */
function anonymous(outcome: Outcome | string, { folder, mark }: Workplace, runtime: Runtime): Outcome | string {
  if (typeof outcome === "string") return outcome;
  const replace = (text: string) =>
    text
      .replaceAll("\r", "")
      .replaceAll(folder, "FOLDER")
      .replaceAll(mark, "MARK")
      .replaceAll(runtime.path, "RUNTIME")
      .replaceAll(/\b[0-9a-f]{64}\b/g, "ID");
  const before = outcome.before === undefined ? {} : { before: replace(outcome.before) };
  return { status: outcome.status, stdout: replace(outcome.stdout), stderr: replace(outcome.stderr), ...before };
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}

/**
 * Every runtime at once: each has a session, storage and daemons of its own. An emulated processor does one after the other in less time, as it
 * forgets with every switch between processes where memory is.
 */
async function runCaller(caller: Caller, runtimes: readonly Runtime[], options: Options): Promise<CaseResult[]> {
  const missing = caller.needs.filter(({ met }) => !met).map(({ reason }) => reason);
  if (missing.length > 0) {
    console.log(`${caller.name}: skipped, ${missing.join(", ")}`);
    return [];
  }
  const left = caller.cases.filter((one) => !casesOf(caller, options).includes(one));
  if (options.machine && left.length > 0)
    console.log(`${caller.name}: left out: ${left.map(({ name }) => name).join("; ")}`);
  const start = Date.now();
  const runs = options.machine
    ? await inTurn(runtimes, (runtime) => runCases(caller, runtime, options))
    : await Promise.all(runtimes.map((runtime) => runCases(caller, runtime, options)));
  options.workshop.removeIdleCgroups();
  const results = judge(caller, casesOf(caller, options), runs);
  printTable(caller, results, runtimes);
  console.log(`${caller.name}: ${((Date.now() - start) / 1000).toFixed(0)} s\n`);
  return results;
}

async function inTurn<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const item of items) results.push(await work(item));
  return results;
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: {
      quick: { type: "boolean", default: false },
      verbose: { type: "boolean", default: false },
      write: { type: "boolean", default: false },
      machine: { type: "boolean", default: false },
      results: { type: "string" },
      runtimes: { type: "string" },
      cases: { type: "string" },
    },
    allowPositionals: true,
  });
  const known = values.machine ? [...MACHINE.keys()] : CALLERS;
  const unknown = positionals.find((name) => known.every((caller) => caller.name !== name));
  if (unknown !== undefined)
    throw new Error(`no caller ${unknown}; known: ${known.map(({ name }) => name).join(", ")}`);
  const selected = known.filter(({ name }) => positionals.length === 0 || positionals.includes(name));
  const peers = values.machine ? "reg,crun" : values.quick ? "reg,runc" : "reg,crun,runc";
  const runtimes = findRuntimes((values.runtimes ?? peers).split(","));
  const pattern = values.cases === undefined ? undefined : new RegExp(values.cases);
  const options: Options = {
    quick: values.quick,
    verbose: values.verbose,
    selects: (caller, name) => (pattern ?? (values.machine ? MACHINE.get(caller) : undefined))?.test(name) ?? true,
    machine: values.machine,
    slowness: values.machine ? SLOWNESS : 1,
    workshop: new Workshop(selected),
  };
  const results: CaseResult[] = [];
  const versions = new Map<string, string>();
  const { results: file } = values;
  const before = file !== undefined && existsSync(file) ? readFileSync(file, "utf8") : "";
  for (const caller of selected) {
    const found = await runCaller(caller, runtimes, options);
    if (found.length > 0) versions.set(caller.name, versionOf(caller));
    results.push(...found);
    // After each caller: a machine that is too slow is ended before the last.
    if (file !== undefined) writeFileSync(file, mergeResults(before, formatResults(results, runtimes, versions)));
  }
  if (values.write) {
    writeFileSync(join(TOP, "conformance/callers/RESULTS.md"), formatResults(results, runtimes, versions));
  }
  const { passed, failed, skipped } = sums(results);
  console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
  process.exitCode = failed > 0 ? 1 : 0;
}

await main();
