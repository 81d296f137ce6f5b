/** What commands print on stdout: text, tables, JSON. */
import { host } from "#host";
import { isPlain, printable, printableJson, printableLines } from "../errors/printable.ts";
import { writeAll } from "../libc/file.ts";

/** Prints lines of text, with the control characters of strangers escaped. */
export function print(text: string): void {
  writeAll(1, host.encode(printableLines(text)), "standard output");
}

/** Prints a value as JSON. */
export function printJson(value: unknown, indent?: number): void {
  writeAll(1, host.encode(`${printableJson(value, indent)}\n`), "standard output");
}

/** Rows under a header, columns at least 12 wide and 3 spaces apart, as runc prints them. */
export function table(cells: readonly (readonly string[])[]): string {
  const rows = cells.map((row) => (isPlain(row.join("")) ? row : row.map(printable)));
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 9, cell.length);
    });
  return rows
    .map((row) =>
      row
        .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd((widths[column] ?? 0) + 3)))
        .join("")
        .concat("\n"),
    )
    .join("");
}
