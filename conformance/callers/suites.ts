/**
 * Puts what the callers of all suites passed into the README beside this file, as one table.
 *
 *   node dist/conformance/callers/suites.js
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { TOP } from "../paths.ts";
import { formatSuites } from "./results.ts";

/** Where the callers ran, and the end of that document's name. */
const SUITES = new Map([
  ["Debian 12", ""],
  ["Debian 13", "-trixie"],
  ["sid", "-sid"],
  ["sid's machine", "-vm"],
  ["Debian 13's machine", "-vm-trixie"],
]);

const folder = join(TOP, "conformance/callers");
const documents = new Map<string, string>();
for (const [suite, end] of SUITES) {
  const path = join(folder, `RESULTS${end}.md`);
  if (existsSync(path)) documents.set(suite, readFileSync(path, "utf8"));
}
const readme = join(folder, "README.md");
const text = readFileSync(readme, "utf8");
const table = formatSuites(documents).join("\n");
writeFileSync(
  readme,
  text.replace(/(<!-- suites -->\n).*?(<!-- \/suites -->)/s, (_, begin, end) => `${begin}${table}\n${end}`),
);
