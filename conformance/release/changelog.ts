/**
 * Debian's changelog of a package, from CHANGELOG.md: the entry of this version, in Debian's form. Usage: changelog.js PACKAGE VERSION MAINTAINER
 * The date is that of SOURCE_DATE_EPOCH.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { TOP } from "../paths.ts";

const [name, version, maintainer] = process.argv.slice(2);
if (name === undefined || version === undefined || maintainer === undefined)
  throw new Error("usage: changelog.js PACKAGE VERSION MAINTAINER");
const epoch = new Date(Number(process.env.SOURCE_DATE_EPOCH ?? 0) * 1000);
const text = readFileSync(join(TOP, "CHANGELOG.md"), "utf8");
const base = version.replace(/~.*$/, "");
const heading = `## [${base}]`;
const start = text.indexOf(heading);
if (start === -1) throw new Error(`CHANGELOG.md has no ${heading}`);
const end = text.indexOf("\n## ", start + heading.length);
const section = text.slice(start + heading.length, end === -1 ? undefined : end);

/** Markdown's list items as Debian's, their lines folded to 78 columns. */
const items = section.split(/\n(?=- |### )/).flatMap((block) => {
  const title = /^### (.*)/.exec(block);
  if (title !== null) return [`  [ ${title[1]} ]`];
  if (!block.startsWith("- ")) return [];
  const words = block.slice(2).replaceAll("`", "").replaceAll(/\s+/g, " ").trim().split(" ");
  const lines = ["  *"];
  for (const word of words) {
    const last = lines.at(-1) ?? "";
    if (last.length + 1 + word.length <= 78) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(`    ${word}`);
  }
  return lines;
});
const date = epoch.toUTCString().replace("GMT", "+0000");
console.log(`${name} (${version}) unstable; urgency=medium\n\n${items.join("\n")}\n\n -- ${maintainer}  ${date}`);
