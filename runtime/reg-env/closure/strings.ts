/** Text inside of binary files. */
import { readFileSync } from "node:fs";

const LONGEST = 4096;

/** The zero-terminated strings of a file that contain `part` and match as a whole, each once, in order. */
export function stringsOf(path: string, part: string, pattern: RegExp): string[] {
  const found = new Set<string>();
  const bytes = readFileSync(path);
  for (let hit = bytes.indexOf(part); hit !== -1; ) {
    const start = bytes.lastIndexOf(0, hit) + 1;
    const end = bytes.indexOf(0, hit);
    if (end === -1) break;
    if (end - start <= LONGEST) {
      const text = bytes.toString("latin1", start, end);
      if (pattern.test(text)) found.add(text);
    }
    hit = bytes.indexOf(part, end);
  }
  return [...found];
}
