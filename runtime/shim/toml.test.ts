/** The part of TOML that options are written in. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { parseToml, type TomlValue } from "./toml.ts";

const toml = suite("toml");

const CASES: readonly (readonly [text: string, values: Record<string, TomlValue>])[] = [
  ["", {}],
  ["# nothing\n\n  # here\r\n", {}],
  ["SystemdCgroup = true", { SystemdCgroup: true }],
  ["a=false#no\nb = 'raw \\ text' # yes", { a: false, b: "raw \\ text" }],
  ['c = "a\\tb \\"quoted\\" # text"', { c: 'a\tb "quoted" # text' }],
  ["d = 1_000\ne = -7\n", { d: 1000, e: -7 }],
  ["f = [ 'a', 'b', ]\ng = []", { f: ["a", "b"], g: [] }],
  ["[table]\n'quoted key' = 1\n[ other.table ]\nx = 2", { "table.quoted key": 1, "other.table.x": 2 }],
];
for (const [text, values] of CASES) toml(`reads ${JSON.stringify(text)}`, () => assert.equal(parseToml(text), values));

for (const text of ["a", "a =", "= 1", "a = 'open", "a = 1 2", "[table", "a = [1", "a = maybe", 'a = "\\q"'])
  toml(`refuses ${JSON.stringify(text)}`, () => assert.throws(() => parseToml(`\n${text}`), /TOML, line 2/));

toml.run();
