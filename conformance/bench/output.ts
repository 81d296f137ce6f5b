/** The report as text for a terminal, as markdown for the README, and as an SVG chart. Pure but for the writing of files. */
import { readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { TOP } from "../paths.ts";
import type { Report, Row, Table } from "./results.ts";

const CHART = "conformance/bench/chart.svg";
/** The whole table, and below the top the part of it that a newcomer wants. */
const PAGES = ["conformance/bench/README.md", "README.md"] as const;
const BEGIN = "<!-- bench -->";
const END = "<!-- /bench -->";

/** What the pages show: times, and on the page of the bench what they cost the processor, and how many pages are touched. */
const SHOWN = {
  time: ["lifecycle", "run", "exec", "run-100"],
  "processor time per container": ["run", "exec"],
  "page faults per container": ["run", "exec"],
};

/** The tables that the README shows; of times alone, those of the chart. */
function mainTables(report: Report, timesAlone: boolean): Table[] {
  return Object.entries(SHOWN)
    .filter(([figure]) => figure === "time" || !timesAlone)
    .flatMap(([name, scenarios]) =>
      report.tables.filter(
        ({ alive, figure, scenario }) => alive === 0 && figure === name && scenarios.includes(scenario),
      ),
    );
}

function number(value: number): string {
  if (Number.isNaN(value)) return "-";
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function headline({ title, figure, unit, alive }: Table): string {
  return `${title}: ${figure} [${unit}]${alive > 0 ? `, ${alive} alive` : ""}`;
}

export function printReport(report: Report, failures: readonly string[]): void {
  for (const table of report.tables) console.log(`\n${formatTable(table, report.reference)}`);
  const growth = formatGrowth(report);
  if (growth !== "") console.log(`\n${growth}`);
  console.log(failures.length === 0 ? "\nno run failed" : `\nfailures:\n${failures.join("\n")}`);
}

function columns(cells: readonly (readonly string[])[]): string {
  const widths = (cells[0] ?? []).map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  return cells
    .map((row) =>
      row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join("  "),
    )
    .join("\n");
}

function formatTable(table: Table, reference: string | undefined): string {
  const cells = table.rows.map(({ label, summary, ratio, failures, runs }) => [
    label,
    number(summary.median),
    `${number(summary.low)} - ${number(summary.high)}`,
    ratio === undefined ? "-" : number(ratio.median),
    ratio === undefined ? "-" : `${number(ratio.low)} - ${number(ratio.high)}`,
    failures === 0 ? String(runs) : `${runs}, ${failures} FAILED`,
  ]);
  return `${headline(table)}\n${columns([["", "median", "quartiles", `x ${reference ?? "-"}`, "quartiles", "runs"], ...cells])}`;
}

/** How much longer each command takes with the largest crowd than with the smallest one. */
function formatGrowth(report: Report): string {
  const crowds = [...new Set(report.tables.map(({ alive }) => alive))]
    .filter((alive) => alive > 0)
    .sort((a, b) => a - b);
  const few = crowds.at(0);
  const many = crowds.at(-1);
  if (few === undefined || many === undefined || few === many) return "";
  const times = report.tables.filter(({ alive, figure }) => alive === many && figure.endsWith("time"));
  const labels = [...new Set(times.flatMap(({ rows }) => rows.map(({ label }) => label)))];
  const cells = times.map((table) => {
    const before = report.tables.find(
      ({ alive, figure, scenario }) => alive === few && figure === table.figure && scenario === table.scenario,
    );
    const ratio = (label: string) => {
      const find = (rows: readonly Row[] | undefined) => rows?.find((row) => row.label === label)?.summary.median;
      return number((find(table.rows) ?? Number.NaN) / (find(before?.rows) ?? Number.NaN));
    };
    return [`${table.scenario}: ${table.figure}`, ...labels.map(ratio)];
  });
  return `${many} alive / ${few} alive, ratio of the medians\n${columns([["", ...labels], ...cells])}`;
}

/** reg, the newest of each peer, and the floor. */
function chosen(labels: readonly string[]): string[] {
  const newest = ["crun ", "runc "].map((name) => labels.filter((label) => label.startsWith(name)).at(-1));
  return labels.filter((label) => label === "reg" || label === "C floor" || newest.includes(label));
}

function formatMarkdown(report: Report, whole: boolean): string {
  const tables = mainTables(report, !whole);
  const all = [...new Set(tables.flatMap(({ rows }) => rows.map(({ label }) => label)))];
  const labels = whole ? all : chosen(all);
  const cell = (table: Table, label: string) => {
    const row = table.rows.find((candidate) => candidate.label === label);
    if (row === undefined) return "";
    const failed = row.failures > 0 ? ` (${row.failures} of ${row.runs} failed)` : "";
    return `${number(row.summary.median)}${row.ratio === undefined ? "" : ` (${number(row.ratio.median)})`}${failed}`;
  };
  const machine = `${report.machine.processor}, Linux ${report.machine.kernel}, cgroup ${report.machine.cgroups}`;
  return [
    ...(whole ? [`![Time per container, in milliseconds](${basename(CHART)})`, ""] : []),
    `Medians, times in milliseconds, in brackets the ratio to ${report.reference ?? "crun"}. ${machine}, ${report.machine.rounds} rounds.`,
    "",
    `| | ${tables.map(({ title, figure }) => (figure === "time" ? title : `${title}: ${figure}`)).join(" | ")} |`,
    `|---|${tables.map(() => "---:|").join("")}`,
    ...labels.map((label) => `| ${label} | ${tables.map((table) => cell(table, label)).join(" | ")} |`),
  ].join("\n");
}

/** Puts the chart and the README's table into the checkout. */
export function updateReadme(report: Report): void {
  writeChart(report, join(TOP, CHART));
  for (const page of PAGES) {
    const path = join(TOP, page);
    const text = readFileSync(path, "utf8");
    const begin = text.indexOf(BEGIN);
    const end = text.indexOf(END);
    if (begin === -1 || end < begin) throw new Error(`${page} has no ${BEGIN} ... ${END}`);
    const table = formatMarkdown(report, page !== "README.md");
    writeFileSync(path, `${text.slice(0, begin + BEGIN.length)}\n${table}\n${text.slice(end)}`);
  }
}

const WIDTH = 760;
const LEFT = 120;
const RIGHT = 90;
const BAR = 16;
const GAP = 6;
const TITLE = 30;

export function writeChart(report: Report, path: string): void {
  writeFileSync(path, drawChart(mainTables(report, true)));
}

/** Horizontal bars, one block per table, each on its own scale; a line marks the quartiles. */
function drawChart(tables: readonly Table[]): string {
  let y = 8;
  const parts: string[] = [];
  for (const { title, unit, rows } of tables) {
    // The node host is for development; beside it all other bars would have no length.
    const drawn = rows.filter(({ summary, contender }) => summary.count > 0 && contender !== "reg-node");
    const longest = Math.max(...drawn.map(({ summary }) => summary.high));
    const scale = (value: number) => (value / longest) * (WIDTH - LEFT - RIGHT);
    parts.push(`<text class="title" x="0" y="${y + 16}">${title} (${unit})</text>`);
    y += TITLE;
    for (const { label, contender, summary } of drawn) {
      const middle = y + BAR / 2;
      const ours = contender === "reg" ? " ours" : "";
      parts.push(
        `<text x="${LEFT - 8}" y="${middle + 4}" text-anchor="end">${label}</text>`,
        `<rect class="bar${ours}" x="${LEFT}" y="${y}" width="${scale(summary.median).toFixed(1)}" height="${BAR}"/>`,
        `<path class="spread" d="M${(LEFT + scale(summary.low)).toFixed(1)} ${middle}H${(LEFT + scale(summary.high)).toFixed(1)}"/>`,
        `<text x="${(LEFT + scale(Math.max(summary.median, summary.high)) + 8).toFixed(1)}" y="${middle + 4}">${number(summary.median)}</text>`,
      );
      y += BAR + GAP;
    }
    y += 12;
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" font-family="sans-serif" font-size="12">
<style>
text { fill: #24292f } .title { font-weight: bold; font-size: 14px }
.bar { fill: #8c959f } .ours { fill: #1a7f37 } .spread { stroke: #24292f; stroke-width: 2 }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .spread { stroke: #e6edf3 } }
</style>
${parts.join("\n")}
</svg>
`;
}
