/**
 * Build tool: makes an environment for each program of programs.ts with a trial, and writes README.md's table. As root, after prepare.sh.
 * Usage: node dist/conformance/first-try/run.js [--write] [PROGRAM]...
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BUILD, TOP } from "../paths.ts";
import { PROGRAMS, type Program } from "./programs.ts";

const REG_ENV = join(TOP, "dist/runtime/reg-env/main.js");
const ROOT = join(BUILD, "first-try/root");
const README = join(TOP, "conformance/first-try/README.md");

interface Row {
  readonly name: string;
  readonly files: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly outcome: string;
}

interface Generated {
  readonly files: number;
  readonly trial?: {
    readonly same: boolean;
    readonly status?: number;
    readonly difference?: string;
    readonly rounds: number;
    readonly added: readonly { readonly path: string }[];
  };
}

const MOST_SHOWN = 3;

function outcomeOf({ trial }: Generated): string {
  if (trial === undefined) return "not tried";
  if (!trial.same) return `differs: ${trial.difference}`;
  if (trial.status !== undefined && trial.status !== 0)
    return `fails in the full root as well, with status ${trial.status}`;
  if (trial.added.length === 0) return "first try";
  const shown = trial.added.slice(0, MOST_SHOWN).map(({ path }) => path);
  const more = trial.added.length - shown.length;
  return `with the trial, which added ${shown.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

function tryProgram({ name, command, options = [] }: Program, store: string): Row {
  const args = [
    "generate",
    `${name}@1`,
    "--store",
    store,
    "--root",
    ROOT,
    "--trial",
    "--format",
    "json",
    ...options,
    "--",
    ...command,
  ];
  const start = performance.now();
  const { stdout, stderr, status } = spawnSync(process.execPath, [REG_ENV, ...args], {
    encoding: "utf8",
    maxBuffer: 1 << 28,
  });
  const seconds = (performance.now() - start) / 1000;
  if (stdout === "")
    return {
      name,
      files: 0,
      bytes: 0,
      seconds,
      outcome: `fails with status ${status}: ${stderr.trim().split("\n").slice(-3).join(" ")}`,
    };
  const list = JSON.parse(
    spawnSync(process.execPath, [REG_ENV, "list", "--store", store, "--format", "json"], {
      encoding: "utf8",
      maxBuffer: 1 << 28,
    }).stdout,
  ) as { name: string; files: number; bytes: number }[];
  const own = list.find((each) => each.name === `${name}@1`);
  return {
    name,
    files: own?.files ?? 0,
    bytes: own?.bytes ?? 0,
    seconds,
    outcome: outcomeOf(JSON.parse(stdout) as Generated),
  };
}

function main(args: readonly string[]): void {
  if (!existsSync(join(ROOT, "srv/.prepared")))
    throw new Error("sh conformance/first-try/prepare.sh makes the root first");
  const names = args.filter((each) => !each.startsWith("--"));
  const programs = PROGRAMS.filter(({ name }) => names.length === 0 || names.includes(name));
  const store = mkdtempSync(join(tmpdir(), "reg-first-try-"));
  const rows: Row[] = [];
  try {
    for (const program of programs) {
      const row = tryProgram(program, store);
      rows.push(row);
      console.log(
        `${row.name}: ${row.files} files, ${(row.bytes / 1e6).toFixed(1)} MB, ${row.seconds.toFixed(0)} s, ${row.outcome}`,
      );
    }
  } finally {
    rmSync(store, { recursive: true, force: true });
  }
  if (args.includes("--write")) write(programs, rows);
}

/** Puts the table between its marks; rows of programs that were not tried stay. */
function write(programs: readonly Program[], rows: readonly Row[]): void {
  const lines = rows.map(({ name, files, bytes, outcome }, index) => {
    const { command = [], options = [] } = programs[index] ?? {};
    const line = [...options, "--", ...command].map(quoted).join(" ").replaceAll("|", "\\|");
    return [name, `| ${name} | \`${line}\` | ${files} | ${(bytes / 1e6).toFixed(1)} | ${outcome} |`] as const;
  });
  const text = readFileSync(README, "utf8");
  const made = new Map([...text.matchAll(/^\| ([\w-]+) \| `.*$/gm)].map(([row, name = ""]) => [name, row]));
  for (const [name, row] of lines) made.set(name, row);
  const table = [
    "| program | `reg-env generate NAME@1 --trial ...` | files | MB | |",
    "|---|---|---:|---:|---|",
    ...PROGRAMS.flatMap(({ name }) => made.get(name) ?? []),
  ].join("\n");
  writeFileSync(
    README,
    text.replace(
      /(<!-- table -->\n)[\s\S]*(<!-- \/table -->)/,
      (_, start: string, end: string) => `${start}${table}\n${end}`,
    ),
  );
}

function quoted(word: string): string {
  return /^[\w@%+=:,./!-]+$/.test(word) ? word : `'${word}'`;
}

main(process.argv.slice(2));
