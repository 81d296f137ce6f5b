import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { stringsOf } from "./strings.ts";

const strings = suite("strings of binary files");
const PATTERN = /^lib\w+\.so$/;

function stringsIn(...parts: readonly (string | Buffer)[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), "reg-test-strings-"));
  try {
    const path = join(folder, "file");
    writeFileSync(path, Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part) : part))));
    return stringsOf(path, ".so", PATTERN);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

strings("between zeros, each once, and only whole ones", () => {
  assert.equal(stringsIn("liba.so\0xlib.so.\0libb.so\0liba.so\0a libc.so\0libd.so"), ["liba.so", "libb.so"]);
  assert.equal(stringsIn(""), []);
});

const BLOCK = 1024 * 1024;
for (const before of [BLOCK - 9, BLOCK - 4, BLOCK - 1, BLOCK, 3 * BLOCK - 5])
  strings(`that lies across the ends of blocks, after ${before} bytes`, () => {
    assert.equal(stringsIn(Buffer.alloc(before), "liba.so\0"), ["liba.so"]);
    assert.equal(stringsIn("libb.so\0", Buffer.alloc(before, "x"), "liba.so\0libc.so\0"), ["libb.so", "libc.so"]);
  });

strings.run();
