/**
 * `make bench`: reg beside crun, runc and a C program that does nothing but the system calls, in one run, interleaved.
 *
 *   bench.js [--rounds N] [--contenders A,B] [--scenarios A,B] [--alive 1,1000] [--update]
 *
 * Every round takes one sample of each scenario for each contender, in an order that turns from round to round. Started by bench.sh, which gives it
 * a mount namespace in which all contenders work. Writes build/bench.json and build/bench.svg; --update also the chart and the
 * README's table in the checkout. Removes all it made, also when it is interrupted.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, release, tmpdir } from "node:os";
import { basename, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { defaultSpec, makeRootfs } from "../fixtures/bundle.ts";
import { removeCgroups } from "../fixtures/cgroups.ts";
import { BUILD, TOOLS } from "../paths.ts";
import { cgroupV2 } from "../testing.ts";
import { type Contender, findContenders } from "./contenders.ts";
import { printReport, updateReadme, writeChart } from "./output.ts";
import { Results } from "./results.ts";
import {
  COMMANDS,
  countFailures,
  type Group,
  LIFECYCLE,
  LIST,
  RUN,
  type Run,
  SCENARIOS,
  type Scenario,
  sequence,
} from "./scenarios.ts";

/** Time for the kernel to take apart what the last run left: network namespaces are removed in the background. */
const SETTLE_MS = 30;
const SETTLE_AFTER_MANY_MS = 1500;
const MANY = 10;
const DELETE_LIMIT_MS = 5000;
/** Scenarios in which the number of living containers matters. */
const CROWDED = [LIFECYCLE, RUN, COMMANDS, LIST];

const { values: options } = parseArgs({
  options: {
    rounds: { type: "string", default: "30" },
    contenders: { type: "string" },
    scenarios: { type: "string" },
    alive: { type: "string", default: "1,1000" },
    update: { type: "boolean", default: false },
  },
});
const rounds = Number(options.rounds);
const crowds = options.alive.split(",").filter(Boolean).map(Number);

const work = mkdtempSync(join(tmpdir(), "reg-bench-"));
/** Begins every id, and so every default cgroup of this run. */
const mark = basename(work);
const errors = join(work, "errors");
const bundles = { true: join(work, "true"), sleeping: join(work, "sleeping") };
const { contenders: everyone, reference } = findContenders(work);
const contenders = select(everyone, options.contenders);
const scenarios = select(SCENARIOS, options.scenarios);
const results = new Results();
let measuring: ChildProcess | undefined;
let counter = 0;

/** The items of the list; a word that names none stands for all that begin with it, as crun for crun-1.28. No list: all. */
function select<T extends { name: string }>(items: readonly T[], list: string | undefined): readonly T[] {
  if (list === undefined || list === "") return items;
  const chosen = list.split(",").flatMap((word) => {
    const exact = items.filter(({ name }) => name === word);
    const found = exact.length > 0 ? exact : items.filter(({ name }) => name.startsWith(`${word}-`));
    if (found.length === 0) throw new Error(`there is no ${word} among ${items.map(({ name }) => name).join(", ")}`);
    return found;
  });
  return items.filter((item) => chosen.includes(item));
}

function makeBundles(): void {
  for (const [name, args] of [
    ["true", ["/bin/true"]],
    ["sleeping", ["/bin/sleep", "100000"]],
  ] as const) {
    const spec = defaultSpec();
    spec.process.args = [...args];
    makeRootfs(join(bundles[name], "rootfs"));
    writeFileSync(join(bundles[name], "config.json"), JSON.stringify(spec));
  }
  for (const { root, pidFile } of contenders) {
    mkdirSync(root, { recursive: true, mode: 0o700 });
    if (!pidFile("x").startsWith(`${root}/`)) mkdirSync(join(pidFile("x"), ".."), { recursive: true });
  }
}

/** Runs measure.c; `count` runs, `atOnce` at a time. A group of its own, so that an interrupt reaches it only through us. */
async function measure(count: number, atOnce: number, commands: readonly string[]): Promise<Group[]> {
  const args = ["-n", String(count), "-k", String(atOnce), "-e", errors, "--", ...commands];
  const child = spawn(join(TOOLS, "measure"), args, { stdio: ["ignore", "pipe", "inherit"], detached: true });
  measuring = child;
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  await new Promise((resolve) => child.on("close", resolve));
  measuring = undefined;
  const groups: Group[] = [];
  let runs: Run[] = [];
  for (const line of output.split("\n").filter(Boolean)) {
    const record = JSON.parse(line);
    if (record.group === undefined) {
      runs.push(record);
    } else {
      groups.push({ runs, wall: record.wall });
      runs = [];
    }
  }
  return groups;
}

async function sample(scenario: Scenario, contender: Contender, alive: number, round: number): Promise<void> {
  counter += 1;
  const id = `${mark}-${counter}-{}`;
  const commands = sequence(scenario, contender, id, bundles[scenario.bundle]);
  if (commands === undefined) return;
  writeFileSync(errors, "");
  const count = scenario.atOnce * scenario.series;
  const groups = await measure(count, scenario.atOnce, commands);
  const failures = countFailures(scenario, groups);
  const message = failures > 0 ? firstLine(readFileSync(errors, "utf8")) : undefined;
  results.addRuns(scenario.name, alive, contender.name, count, failures, message);
  if (failures > 0) {
    removeContainers(contender, `${mark}-${counter}-`);
  } else {
    for (const figure of scenario.figures) {
      const key = { scenario: scenario.name, title: scenario.title, figure: figure.name, unit: figure.unit, alive };
      results.addSample(key, contender.name, round, figure.read(groups));
    }
  }
  await sleep(scenario.atOnce >= MANY ? SETTLE_AFTER_MANY_MS : SETTLE_MS);
}

function firstLine(text: string): string | undefined {
  return text.split("\n").find((line) => line.trim() !== "");
}

/** Deletes by force the contender's containers whose id begins with `prefix`, and what remains of them in cgroups. */
function removeContainers(contender: Contender, prefix: string): void {
  let ids: string[] = [];
  try {
    ids = readdirSync(contender.root).filter((name) => name.startsWith(prefix));
  } catch {}
  for (const id of ids) {
    const command = contender.command("delete", { id, bundle: bundles.sleeping }) ?? [];
    const [program, ...args] = command;
    if (program === undefined) continue;
    const forced = contender.name === "floor" ? args : [...args.slice(0, -1), "--force", id];
    try {
      execFileSync(program, forced, { stdio: "ignore", timeout: DELETE_LIMIT_MS, killSignal: "SIGKILL" });
    } catch {}
  }
  removeCgroups(prefix);
}

function cleanUp(): void {
  if (measuring?.pid !== undefined) process.kill(-measuring.pid, "SIGKILL");
  for (const contender of everyone) removeContainers(contender, mark);
  removeCgroups(mark);
  rmSync(work, { recursive: true, force: true });
}

/** Containers that only live, so that commands meet them in the state folder, the cgroups and the process table. */
async function fill(contender: Contender, count: number): Promise<void> {
  const filler = contender.filler ?? contender;
  const command = filler.command("run-detached", { id: `${mark}-alive-{}`, bundle: bundles.sleeping });
  if (command === undefined) return;
  await measure(count, availableParallelism(), command);
  await sleep(SETTLE_AFTER_MANY_MS);
}

function empty(contender: Contender): void {
  removeContainers(contender.filler ?? contender, `${mark}-alive-`);
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

async function runRounds(): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    progress(`round ${round + 1} of ${rounds}`);
    for (const scenario of scenarios) {
      // A share of 0.1 is every tenth round.
      if (Math.floor(round * scenario.share) === Math.floor((round - 1) * scenario.share)) continue;
      for (let turn = 0; turn < contenders.length; turn++) {
        const contender = contenders[(turn + round) % contenders.length];
        if (contender !== undefined) await sample(scenario, contender, 0, round);
      }
    }
  }
}

/** One contender after the other, as each keeps its own thousand; 1 and 1,000 of the same contender follow each other. */
async function runCrowds(): Promise<void> {
  const crowded = CROWDED.filter((scenario) => scenarios.includes(scenario));
  for (const contender of contenders) {
    if (contender.command("run-detached", { id: "", bundle: "" }) === undefined) continue;
    for (const count of crowds) {
      progress(`${contender.label}: ${count} alive`);
      await fill(contender, count);
      for (let round = 0; round < Math.ceil(rounds / 2); round++)
        for (const scenario of crowded) await sample(scenario, contender, count, round);
      empty(contender);
      await sleep(SETTLE_AFTER_MANY_MS);
    }
  }
}

function describeMachine(): Record<string, string> {
  return {
    processor: `${availableParallelism()} x ${cpus()[0]?.model ?? "unknown"}`,
    kernel: release(),
    cgroups: cgroupV2.met ? "v2" : "v1",
    rounds: String(rounds),
  };
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const)
  process.once(signal, () => {
    progress("");
    cleanUp();
    process.exit(1);
  });

try {
  makeBundles();
  await runRounds();
  await runCrowds();
} finally {
  progress("");
  cleanUp();
}
const labels = new Map(contenders.map(({ name, label }) => [name, label]));
const report = results.report(describeMachine(), labels, reference?.name);
mkdirSync(BUILD, { recursive: true });
writeFileSync(join(BUILD, "bench.json"), `${JSON.stringify(report, null, 2)}\n`);
writeChart(report, join(BUILD, "bench.svg"));
printReport(report, results.failures());
if (options.update) updateReadme(report);
