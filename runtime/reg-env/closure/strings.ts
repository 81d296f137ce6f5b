/** Text inside of binary files. */
import { closeSync, openSync, readSync } from "node:fs";

const LONGEST = 4096;
/** One for all files, which may be larger than memory. */
const block = Buffer.alloc(1024 * 1024);

/** The zero-terminated strings of a file that contain `part` and match as a whole, each once, in order. */
export function stringsOf(path: string, part: string, pattern: RegExp): string[] {
  const found = new Set<string>();
  const fd = openSync(path, "r");
  try {
    for (let kept = 0; ; ) {
      const count = readSync(fd, block, kept, block.length - kept, null);
      if (count === 0) return [...found];
      const bytes = block.subarray(0, kept + count);
      const whole = bytes.lastIndexOf(0) + 1;
      collect(bytes.subarray(0, whole), part, pattern, found);
      // The rest of a string goes before the next block; of one that is too long as much as tells that.
      kept = Math.min(bytes.length - whole, LONGEST + 1);
      bytes.copyWithin(0, bytes.length - kept);
    }
  } finally {
    closeSync(fd);
  }
}

function collect(bytes: Buffer, part: string, pattern: RegExp, found: Set<string>): void {
  for (let hit = bytes.indexOf(part); hit !== -1; ) {
    const start = bytes.lastIndexOf(0, hit) + 1;
    const end = bytes.indexOf(0, hit);
    if (end - start <= LONGEST) {
      const text = bytes.toString("latin1", start, end);
      if (pattern.test(text)) found.add(text);
    }
    hit = bytes.indexOf(part, end);
  }
}
