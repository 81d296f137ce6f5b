/** What reg-env prints: tables, sizes, errors. */
import { RegError } from "../errors/errors.ts";
import { printable, printableJson, printableLines } from "../errors/printable.ts";

/** Lines of text; names in a root filesystem may hold what a terminal obeys. */
export function print(text: string): void {
  process.stdout.write(`${printableLines(text)}\n`);
}

export function printJson(value: unknown): void {
  process.stdout.write(`${printableJson(value, 2)}\n`);
}

export function warn(text: string): void {
  process.stderr.write(`reg-env: warning: ${printable(text)}\n`);
}

/** What is good to know, on stderr. */
export function note(text: string): void {
  process.stderr.write(`reg-env: ${printable(text)}\n`);
}

/** Columns as wide as their widest cell; those that hold numbers stand to the right. */
export function table(header: readonly string[], cells: readonly (readonly string[])[]): string {
  const rows = cells.map((row) => row.map(printable));
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const right = header.map((_, column) => rows.every((row) => /^[\d,.]+( [kMG]?B| %)?$/.test(row[column] ?? "")));
  return all
    .map((row) =>
      row
        .map((cell, column) => (right[column] ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)))
        .join("   ")
        .trimEnd(),
    )
    .join("\n");
}

/** 12.3 MB; powers of ten. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

export function plural(count: number, noun: string, nouns = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : nouns}`;
}

/** The lines that stderr gets for an error. A defect of ours shows where it is. */
export function formatError(error: unknown): string {
  if (error instanceof RegError)
    return printableLines(error.hint === undefined ? error.message : `${error.message}\nhint: ${error.hint}`);
  if (error instanceof Error && "syscall" in error) return printable(error.message); // of node:fs
  return error instanceof Error ? `internal error: ${error.stack ?? error.message}` : String(error);
}
