import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { TOP } from "../../conformance/paths.ts";
import { VERSION } from "./version.ts";

const version = suite("version");
const read = (name: string) => readFileSync(join(TOP, name), "utf8");

version("it is that of package.json, its lock, and the newest entry of the changelog", () => {
  assert.is(JSON.parse(read("package.json")).version, VERSION);
  assert.is(JSON.parse(read("package-lock.json")).version, VERSION);
  const headings = [...read("CHANGELOG.md").matchAll(/^## \[([0-9.]+)\] - \d{4}-\d\d-\d\d$/gm)].map(([, text]) => text);
  assert.is(headings[0], VERSION);
});

version("the lock file has no addresses", () => assert.not.match(read("package-lock.json"), /"resolved"/));

version.run();
