/** The results as text, as the README's section, and as charts. */
import * as fs from "node:fs";
import { join } from "node:path";
import { TOP } from "../paths.ts";
import { barChart, lineChart } from "./charts.ts";
import type { MemoryRow } from "./memory.ts";
import type { ModelResult } from "./model.ts";
import type { StartupRow } from "./startup.ts";
import type { StormRow } from "./storm.ts";
import type { VolumeResult } from "./volume.ts";

export interface Results {
  machine?: Readonly<Record<string, string>>;
  volume?: VolumeResult;
  startup?: readonly StartupRow[];
  memory?: readonly MemoryRow[];
  storm?: readonly StormRow[];
  model?: readonly ModelResult[];
}

const FOLDER = "conformance/experiments";
const BEGIN = "<!-- experiments -->";
const END = "<!-- /experiments -->";

type Cells = readonly (readonly string[])[];

/** A table in markdown; the first row is its header. */
function markdown([header = [], ...rows]: Cells): string {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [
    line(header),
    `|---|${header
      .slice(1)
      .map(() => "---:|")
      .join("")}`,
    ...rows.map(line),
  ].join("\n");
}

function mb(bytes: number): string {
  return number(bytes / 1e6);
}

function number(value: number): string {
  if (Number.isNaN(value)) return "-";
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function volumeCells({ rows, copies, layers, store }: VolumeResult): Cells {
  return [
    ["MB (files)", "image", "environment", "part", "its task"],
    ...rows.map(({ program, image, environment, works }) => [
      program,
      `${mb(image.bytes)} (${image.files})`,
      `${mb(environment.bytes)} (${environment.files})`,
      `${((environment.bytes / image.bytes) * 100).toFixed(1)} %`,
      works.image && works.environment ? "same" : "**differs**",
    ]),
    ["all, in copies", `${mb(copies.bytes)} (${copies.files})`, "", "", ""],
    [
      "all, on one base or in the store",
      `${mb(layers.bytes)} (${layers.files})`,
      `${mb(store.bytes)} (${store.files})`,
      `${((store.bytes / layers.bytes) * 100).toFixed(1)} %`,
      "",
    ],
  ];
}

function labelsOf(rows: readonly { readonly contender: string }[]): string[] {
  return [...new Set(rows.map(({ contender }) => contender))];
}

function startupCells(rows: readonly StartupRow[], caches: "warm" | "cold"): Cells {
  const labels = labelsOf(rows);
  const programs = [...new Set(rows.map(({ program }) => program))];
  const find = (program: string, contender: string) =>
    rows.find((row) => row.program === program && row.contender === contender && row.caches === caches);
  return [
    [`ms to the first output, ${caches}`, ...labels],
    ...programs.map((program) => [
      program,
      ...labels.map((label) => number(find(program, label)?.output.median ?? Number.NaN)),
    ]),
  ];
}

function memoryCells(rows: readonly MemoryRow[]): Cells {
  const per = (row: MemoryRow, bytes: number) => mb(bytes / row.containers);
  return [
    ["MB for each container", "containers", "RSS", "PSS", "of files", "private", "fall of MemFree", "of MemAvailable"],
    ...rows.map((row) => [
      row.layout === "shared" ? "environments" : "a copy for each",
      String(row.containers),
      per(row, row.rss),
      per(row, row.pss),
      per(row, row.pssFile),
      per(row, row.pssAnon),
      // What else the machine does moves these by hundreds of megabytes, which is too much for a few containers.
      row.containers < 50 ? "" : per(row, row.free),
      row.containers < 50 ? "" : per(row, row.available),
    ]),
  ];
}

function stormCells(rows: readonly StormRow[]): Cells {
  const labels = labelsOf(rows);
  const counts = [...new Set(rows.map(({ containers }) => containers))];
  const find = (contender: string, containers: number) =>
    rows.find((row) => row.contender === contender && row.containers === containers);
  return [
    ["ms to the last end (p50, p99)", ...labels],
    ...counts.map((count) => [
      `${count} at once`,
      ...labels.map((label) => {
        const row = find(label, count);
        if (row === undefined) return "-";
        const failed = row.failures > 0 ? `, ${row.failures} failed` : "";
        return `${number(row.makespan)} (${number(row.p50)}, ${number(row.p99)}${failed})`;
      }),
    ]),
  ];
}

function modelCells(results: readonly ModelResult[]): Cells {
  return [
    ["containers that fit", "private part A", "files L", "share s", "predicted", "measured"],
    ...results.flatMap(({ program, limit, privatePart, fileSet, points }) =>
      points.map(({ share, predicted, measured }) => [
        `${program}, ${Math.round(limit / 1024 / 1024)} MiB`,
        `${mb(privatePart)} MB`,
        `${mb(fileSet)} MB`,
        share.toFixed(2),
        predicted.toFixed(1),
        String(measured),
      ]),
    ),
  ];
}

function allTables({ volume, startup, memory, storm, model }: Results): { title: string; cells: Cells }[] {
  return [
    ...(volume === undefined ? [] : [{ title: "Volume", cells: volumeCells(volume) }]),
    ...(startup === undefined
      ? []
      : (["warm", "cold"] as const).map((caches) => ({
          title: `Start-up, ${caches}`,
          cells: startupCells(startup, caches),
        }))),
    ...(memory === undefined ? [] : [{ title: "Memory", cells: memoryCells(memory) }]),
    ...(storm === undefined ? [] : [{ title: "Storm", cells: stormCells(storm) }]),
    ...(model === undefined ? [] : [{ title: "Model", cells: modelCells(model) }]),
  ];
}

export function print(results: Results): void {
  for (const { title, cells } of allTables(results)) {
    const widths = (cells[0] ?? []).map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
    console.log(`\n${title}`);
    for (const row of cells)
      console.log(
        row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join("  "),
      );
  }
}

/** Charts beside this file's source, all tables in RESULTS.md there, and a summary between the README's marks if it has them. */
export function update(results: Results): void {
  const write = (name: string, text: string) => fs.writeFileSync(join(TOP, FOLDER, name), text);
  for (const [name, text] of Object.entries(charts(results))) write(name, text);
  const { machine = {} } = results;
  const where = `${machine.processor}, ${machine.memory}, Linux ${machine.kernel}, cgroup ${machine.cgroups}`;
  const sections = allTables(results).map(({ title, cells }) => `## ${title}\n\n${markdown(cells)}\n`);
  const pictures = Object.keys(charts(results)).map((name) => `![${name.replace(".svg", "")}](${name})\n`);
  write(
    "RESULTS.md",
    `# Results of \`make experiments\`\n\n${where}. Written by conformance/experiments/run.ts.\n\n${[...sections, ...pictures].join("\n")}`,
  );
  const path = join(TOP, FOLDER, "README.md");
  const readme = fs.readFileSync(path, "utf8");
  const begin = readme.indexOf(BEGIN);
  const end = readme.indexOf(END);
  if (begin === -1 || end < begin) return;
  fs.writeFileSync(path, `${readme.slice(0, begin + BEGIN.length)}\n${summary(results, where)}\n${readme.slice(end)}`);
}

function charts({ volume, startup, memory, storm, model }: Results): Record<string, string> {
  const drawn: Record<string, string> = {};
  if (volume !== undefined)
    drawn["volume.svg"] = barChart(
      "Image volume (MB)",
      ["image of Debian", "environment"],
      volume.rows.map(({ program, image, environment }) => [program, [image.bytes / 1e6, environment.bytes / 1e6]]),
    );
  if (startup !== undefined) {
    const labels = labelsOf(startup);
    const programs = [...new Set(startup.map(({ program }) => program))];
    const value = (program: string, label: string, caches: string) =>
      startup.find((row) => row.program === program && row.contender === label && row.caches === caches)?.output
        .median ?? Number.NaN;
    for (const caches of ["warm", "cold"])
      drawn[`startup-${caches}.svg`] = barChart(
        `Time to the first output, ${caches} caches (ms)`,
        labels,
        programs.map((program) => [program, labels.map((label) => value(program, label, caches))]),
      );
  }
  if (memory !== undefined)
    drawn["memory.svg"] = lineChart(
      "Memory of N containers of different environments: PSS, and the fall of MemFree",
      "containers",
      "MB",
      (["copies", "shared"] as const).flatMap((layout) => {
        const rows = memory.filter((row) => row.layout === layout);
        const name = layout === "shared" ? "environments" : "copies";
        return [
          {
            label: `${name}: MemFree`,
            points: line(
              rows.filter(({ containers }) => containers >= 50),
              ({ free }) => free,
            ),
          },
          { label: `${name}: PSS`, ours: layout === "shared", points: line(rows, ({ pss }) => pss) },
        ];
      }),
    );
  if (storm !== undefined)
    drawn["storm.svg"] = lineChart(
      "Start-up storm: until the last of N containers has done its task",
      "containers at once",
      "ms",
      labelsOf(storm).map((label) => ({
        label,
        ours: label === "reg, environment",
        points: storm
          .filter(({ contender }) => contender === label)
          .map(({ containers, makespan }) => [containers, makespan] as const),
      })),
    );
  for (const result of model ?? []) drawn[`model-${result.program}.svg`] = modelChart(result);
  return drawn;
}

function line(rows: readonly MemoryRow[], value: (row: MemoryRow) => number): (readonly [number, number])[] {
  return rows.map((row) => [row.containers, value(row) / 1e6]);
}

function modelChart({ program, limit, privatePart, fileSet, points }: ModelResult): string {
  const predicted = Array.from({ length: 101 }, (_, index): readonly [number, number] => {
    const share = index / 100;
    return [share, (limit - share * fileSet) / (privatePart + (1 - share) * fileSet)];
  });
  return lineChart(
    `Containers of ${program} in ${Math.round(limit / 1024 / 1024)} MiB, by the share of their files`,
    "share s",
    "containers",
    [
      { label: "measured", dots: true, ours: true, points: points.map(({ share, measured }) => [share, measured]) },
      { label: "model", points: predicted.filter((_, index) => index % 2 === 0) },
    ],
  );
}

/** The README's part: memory and volume, and where the rest is. */
function summary({ volume, memory }: Results, where: string): string {
  const parts = [
    ...(memory === undefined ? [] : [`![Memory of N containers](memory.svg)`, markdown(memoryCells(memory))]),
    ...(volume === undefined ? [] : [markdown(volumeCells(volume))]),
  ];
  return `${where}; start-up, storms, the model and more charts: [RESULTS.md](RESULTS.md).\n\n${parts.join("\n\n")}`;
}
