/** What commands print on stdout: text, tables, JSON. */
import { host } from "#host";
import { writeAll } from "../libc/file.ts";

export function bytes(text: string): Uint8Array {
  return host.encode(text);
}

export function print(text: string): void {
  writeAll(1, bytes(text), "standard output");
}

/** Rows under a header, columns at least 12 wide and 3 spaces apart, as runc prints them. */
export function table(rows: readonly (readonly string[])[]): string {
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
