/** Start-up: from the call of the runtime to the first output of the task, and to its end; with warm and with cold caches. */
import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { type Summary, summarize } from "../bench/statistics.ts";
import {
  call,
  dropCaches,
  findRuntimes,
  imageRoot,
  MARK,
  type Root,
  type Runtime,
  SCRATCH,
  writeBundle,
} from "./lab.ts";
import { PROGRAMS } from "./programs.ts";

export interface StartupRow {
  readonly program: string;
  readonly contender: string;
  readonly caches: "warm" | "cold";
  /** Milliseconds to the first byte of output. */
  readonly output: Summary;
  /** Milliseconds to the end of the run. */
  readonly end: Summary;
}

export interface Contender {
  readonly label: string;
  readonly runtime: Runtime;
  readonly root: (program: string) => Root;
}

/** Every runtime with images, and reg with environments. */
export function contenders(): Contender[] {
  const runtimes = findRuntimes();
  const [reg] = runtimes;
  const image = (program: string): Root => ({ path: imageRoot(program) });
  return [
    ...runtimes.map((runtime) => ({ label: `${runtime.label}, image`, runtime, root: image })),
    ...(reg === undefined
      ? []
      : [
          {
            label: "reg, environment",
            runtime: reg,
            root: (program: string): Root => ({ environment: `${program}@1` }),
          },
        ]),
  ];
}

export async function measureStartup(warmRounds: number, coldRounds: number): Promise<StartupRow[]> {
  const all = contenders();
  const samples = new Map<string, { output: number[]; end: number[] }>();
  for (const caches of ["warm", "cold"] as const)
    for (let round = caches === "warm" ? -1 : 0; round < (caches === "warm" ? warmRounds : coldRounds); round++)
      for (const program of PROGRAMS)
        for (let turn = 0; turn < all.length; turn++) {
          const contender = all[(turn + Math.max(round, 0)) % all.length];
          if (contender === undefined) continue;
          const bundle = join(SCRATCH, "startup");
          fs.rmSync(bundle, { recursive: true, force: true });
          writeBundle(bundle, contender.root(program.name), program.task);
          if (caches === "cold") dropCaches();
          const sample = await timeRun(contender.runtime, bundle);
          if (round < 0) continue; // the first round only warms
          const key = JSON.stringify([program.name, contender.label, caches]);
          const entry = samples.get(key) ?? { output: [], end: [] };
          samples.set(key, entry);
          entry.output.push(sample.output);
          entry.end.push(sample.end);
        }
  return [...samples].map(([key, { output, end }]) => {
    const [program, contender, caches] = JSON.parse(key);
    return { program, contender, caches, output: summarize(output), end: summarize(end) };
  });
}

let runs = 0;

async function timeRun(runtime: Runtime, bundle: string): Promise<{ output: number; end: number }> {
  const [path = "", ...args] = call(runtime);
  const begin = performance.now();
  const child = spawn(path, [...args, "run", "--bundle", bundle, `${MARK}-start-${runs++}`], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = Number.NaN;
  const note = () => {
    if (Number.isNaN(output)) output = performance.now() - begin;
  };
  child.stdout.on("data", note);
  child.stderr.on("data", note);
  const status = await new Promise((resolve) => child.on("exit", resolve));
  const end = performance.now() - begin;
  if (status !== 0) throw new Error(`${runtime.name} run ${bundle}: status ${status}`);
  return { output, end };
}
