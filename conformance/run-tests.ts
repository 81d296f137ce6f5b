/**
 * Runs every test file, each in a process of its own, and ends with the line `N passed, N failed` (and `, N skipped` when some were).
 *
 *   node dist/conformance/run-tests.js [--jobs N] [PATTERN]...      a PATTERN selects files by a part of their path
 *
 * Source files are looked for, not compiled ones: a stale file in dist/ is not run, and a source that did not compile is a failure.
 */
import { spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { markOf, removeMarked } from "./fixtures/fixture.ts";
import { TOP } from "./paths.ts";
import { SKIP_MARK } from "./testing.ts";

interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly output: string;
}

const FILE_TIMEOUT_MS = 10 * 60_000;

function findTestFiles(patterns: readonly string[]): string[] {
  return ["runtime", "oci-schemas", "conformance", "native-shim"]
    .flatMap((folder) => readdirSync(join(TOP, folder), { recursive: true }).map((name) => join(folder, String(name))))
    .filter((file) => file.endsWith(".test.ts"))
    .sort()
    .filter((file) => patterns.length === 0 || patterns.some((pattern) => file.includes(pattern)));
}

/** Why a file can not be trusted to run its tests; undefined when it can. */
function faultOf(file: string, compiled: string): string | undefined {
  const source = readFileSync(join(TOP, file), "utf8");
  const suites = source.match(/\bsuite\(/g)?.length ?? 0;
  const runs = source.match(/\.run\(\)/g)?.length ?? 0;
  if (runs === 0 || runs < suites) return `${suites} suites but ${runs} calls of run(): tests would not run`;
  if (/\.only\(/.test(source)) return "only(...) leaves the other tests out";
  if (!existsSync(compiled)) return `${compiled} is missing: not compiled`;
  return undefined;
}

/** Reads uvu's closing lines (`Total:`, `Passed:`, `Skipped:`). A file without them did not finish. */
function parseOutcome(output: string, status: string): Outcome {
  const count = (label: string) => {
    const found = new RegExp(`^\\s*${label}:\\s+(\\d+)`, "m").exec(output)?.[1];
    return found === undefined ? undefined : Number(found);
  };
  const total = count("Total");
  const passed = count("Passed");
  const skipped = count("Skipped") ?? 0;
  if (total === undefined || passed === undefined)
    return { passed: 0, failed: 1, skipped: 0, output: `${output}\nended without a result (${status})\n` };
  if (total + skipped === 0) return { passed, failed: 1, skipped, output: `${output}\nholds no test\n` };
  const failed = total - passed;
  if (failed === 0 && status !== "status 0")
    return { passed, failed: 1, skipped, output: `${output}\nall tests passed, but the file ended with ${status}\n` };
  return { passed, failed, skipped, output };
}

function runFile(file: string): Promise<Outcome> {
  const compiled = join(TOP, "dist", file.replace(/\.ts$/, ".js"));
  const fault = faultOf(file, compiled);
  if (fault !== undefined) return Promise.resolve({ passed: 0, failed: 1, skipped: 0, output: `${fault}\n` });
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ["--enable-source-maps", compiled], {
      cwd: TOP,
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, FORCE_COLOR: "0" },
    });
    let output = "";
    const collect = (chunk: Buffer) => {
      output += chunk.toString();
    };
    child.stdout.on("data", collect);
    child.stderr.on("data", collect);
    // SIGTERM first: fixtures clean up on it.
    const timer = setTimeout(() => {
      output += `\nstopped after ${FILE_TIMEOUT_MS / 60_000} minutes\n`;
      child.kill("SIGTERM");
      setTimeout(() => child.kill("SIGKILL"), 10_000).unref();
    }, FILE_TIMEOUT_MS);
    // 'exit', not 'close': a process that a test left behind may hold the pipe open.
    child.on("exit", (code, signal) => {
      clearTimeout(timer);
      if (child.pid !== undefined) removeMarked(markOf(child.pid));
      setTimeout(() => resolve(parseOutcome(output, signal === null ? `status ${code}` : signal)), 20);
    });
  });
}

function report(file: string, outcome: Outcome, elapsedMs: number): void {
  const skipped = outcome.skipped > 0 ? `, ${outcome.skipped} skipped` : "";
  const seconds = `${(elapsedMs / 1000).toFixed(1)} s`;
  console.log(`${outcome.failed === 0 ? "ok  " : "FAIL"} ${file}: ${outcome.passed} passed${skipped} (${seconds})`);
  if (outcome.failed > 0) console.log(outcome.output.trimEnd().replaceAll(/^/gm, "     "));
}

/** `# skip needs cgroup v2: name` lines, counted by reason. */
function skipReasons(outcomes: readonly Outcome[]): Map<string, number> {
  const reasons = new Map<string, number>();
  for (const { output } of outcomes)
    for (const [, reason = ""] of output.matchAll(new RegExp(`${SKIP_MARK} ([^:]+):`, "g")))
      reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
  return reasons;
}

async function runAll(files: readonly string[], jobs: number): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const waiting = [...files];
  const worker = async () => {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const begin = Date.now();
      const outcome = await runFile(file);
      report(file, outcome, Date.now() - begin);
      outcomes.push(outcome);
    }
  };
  await Promise.all(Array.from({ length: jobs }, worker));
  return outcomes;
}

const { values, positionals } = parseArgs({ options: { jobs: { type: "string" } }, allowPositionals: true });
const files = findTestFiles(positionals);
// Whole-system tests look at the machine's mounts, cgroups and processes: one at a time, after the others.
const isWholeSystem = (file: string) => file.startsWith("conformance/");
const outcomes = [
  ...(await runAll(
    files.filter((file) => !isWholeSystem(file)),
    Number(values.jobs ?? availableParallelism()),
  )),
  ...(await runAll(files.filter(isWholeSystem), 1)),
];
const sum = (key: "passed" | "failed" | "skipped") => outcomes.reduce((total, outcome) => total + outcome[key], 0);

for (const [reason, count] of skipReasons(outcomes)) console.log(`skipped, ${reason}: ${count}`);
const skipped = sum("skipped");
console.log(`${sum("passed")} passed, ${sum("failed")} failed${skipped > 0 ? `, ${skipped} skipped` : ""}`);
process.exitCode = sum("failed") > 0 || files.length === 0 ? 1 : 0;
