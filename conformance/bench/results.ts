/** Samples by scenario, contender and figure; what bench.json holds. */
import { pairedRatios, type Summary, summarize } from "./statistics.ts";

/** One line of a table. */
export interface Row {
  readonly contender: string;
  readonly label: string;
  readonly summary: Summary;
  /** To the reference contender, from samples of the same round; undefined for a figure that the reference lacks. */
  readonly ratio: Summary | undefined;
  readonly failures: number;
  readonly runs: number;
}

export interface Table {
  readonly scenario: string;
  readonly title: string;
  readonly figure: string;
  readonly unit: string;
  /** How many containers were alive meanwhile. */
  readonly alive: number;
  readonly rows: readonly Row[];
}

export interface Report {
  readonly machine: Record<string, string>;
  readonly reference: string | undefined;
  readonly tables: readonly Table[];
}

interface Series {
  readonly contender: string;
  readonly samples: Map<number, number>;
}

interface Tally {
  failures: number;
  runs: number;
  firstError?: string;
}

interface Key {
  readonly scenario: string;
  readonly title: string;
  readonly figure: string;
  readonly unit: string;
  readonly alive: number;
}

/** Collects samples while the benchmark runs. */
export class Results {
  private readonly tables = new Map<string, { key: Key; series: Map<string, Series> }>();
  private readonly tallies = new Map<string, Tally>();

  addSample(key: Key, contender: string, round: number, value: number): void {
    const name = `${key.scenario}/${key.alive}/${key.figure}`;
    const table = this.tables.get(name) ?? { key, series: new Map<string, Series>() };
    this.tables.set(name, table);
    const series = table.series.get(contender) ?? { contender, samples: new Map<number, number>() };
    table.series.set(contender, series);
    series.samples.set(round, value);
  }

  addRuns(scenario: string, alive: number, contender: string, runs: number, failures: number, error?: string): void {
    const tally = this.tally(scenario, alive, contender);
    tally.runs += runs;
    tally.failures += failures;
    if (failures > 0 && error !== undefined) tally.firstError ??= error;
  }

  /** `contender, scenario: N of M failed: message`, one line each. */
  failures(): string[] {
    return [...this.tallies]
      .filter(([, tally]) => tally.failures > 0)
      .map(
        ([name, tally]) =>
          `${name}: ${tally.failures} of ${tally.runs} failed: ${tally.firstError ?? "no message, as of a command that measure.c has waited too long for"}`,
      );
  }

  report(machine: Record<string, string>, labels: ReadonlyMap<string, string>, reference: string | undefined): Report {
    const tables = [...this.tables.values()].map(({ key, series }): Table => {
      const base = reference === undefined ? undefined : series.get(reference)?.samples;
      const rows = [...labels]
        .filter(([contender]) => this.tally(key.scenario, key.alive, contender).runs > 0)
        .map(([contender, label]): Row => {
          const samples = series.get(contender)?.samples ?? new Map<number, number>();
          const { failures, runs } = this.tally(key.scenario, key.alive, contender);
          const ratios = base === undefined ? [] : pairedRatios(samples, base);
          const ratio = ratios.length === 0 ? undefined : summarize(ratios);
          return { contender, label, summary: summarize([...samples.values()]), ratio, failures, runs };
        });
      return { ...key, rows };
    });
    return { machine, reference, tables };
  }

  private tally(scenario: string, alive: number, contender: string): Tally {
    const name = `${contender}, ${scenario} with ${alive} alive`;
    const tally = this.tallies.get(name) ?? { failures: 0, runs: 0 };
    this.tallies.set(name, tally);
    return tally;
  }
}
