/** Start-up storm: many containers at once, of different programs. */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { quantile } from "../bench/statistics.ts";
import { call, MARK, measure, programsNamed, SCRATCH, writeBundle } from "./lab.ts";
import { contenders } from "./startup.ts";

/** Those that do their task and end. */
const TASKS = programsNamed("nginx", "perl", "curl", "sqlite", "git");
const SETTLE_MS = 1500;

export interface StormRow {
  readonly contender: string;
  readonly containers: number;
  /** Medians over the rounds, milliseconds. */
  readonly makespan: number;
  readonly p50: number;
  readonly p99: number;
  readonly failures: number;
}

export async function measureStorm(counts: readonly number[], rounds: number): Promise<StormRow[]> {
  const all = contenders();
  const most = Math.max(...counts);
  for (const [number, contender] of all.entries())
    for (let index = 0; index < most; index++) {
      const program = TASKS[index % TASKS.length];
      if (program !== undefined)
        writeBundle(join(SCRATCH, `storm-${number}`, String(index)), contender.root(program.name), program.task);
    }
  const samples = all.map(() =>
    counts.map((): { makespan: number; p50: number; p99: number; failures: number }[] => []),
  );
  for (let round = -1; round < rounds; round++)
    for (const [which, count] of counts.entries())
      for (let turn = 0; turn < all.length; turn++) {
        const number = (turn + Math.max(round, 0)) % all.length;
        const contender = all[number];
        if (contender === undefined) continue;
        const bundle = join(SCRATCH, `storm-${number}`, "{}");
        const id = `${MARK}-storm-${round + 1}-${count}-{}`;
        const command = [...call(contender.runtime), "run", "--bundle", bundle, id];
        const { runs, makespanMs } = await measure(command, count, count);
        await sleep(count >= 10 ? SETTLE_MS : 50);
        if (round < 0) continue;
        const walls = runs.map(({ wallMs }) => wallMs);
        samples[number]?.[which]?.push({
          makespan: makespanMs,
          p50: quantile(walls, 0.5),
          p99: quantile(walls, 0.99),
          failures: runs.filter(({ status }) => status !== 0).length,
        });
      }
  return all.flatMap(({ label }, number) =>
    counts.map((containers, which) => {
      const taken = samples[number]?.[which] ?? [];
      const median = (name: "makespan" | "p50" | "p99") =>
        quantile(
          taken.map((sample) => sample[name]),
          0.5,
        );
      const failures = taken.reduce((sum, sample) => sum + sample.failures, 0);
      return {
        contender: label,
        containers,
        makespan: median("makespan"),
        p50: median("p50"),
        p99: median("p99"),
        failures,
      };
    }),
  );
}
