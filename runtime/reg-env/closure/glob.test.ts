import { suite } from "uvu";
import * as assert from "uvu/assert";
import { expandBraces, parsePattern } from "./glob.ts";

const glob = suite("glob");

const cases: readonly (readonly [pattern: string, matches: readonly string[], others: readonly string[]])[] = [
  ["/a/*.so", ["/a/b.so", "/a/.so"], ["/a/b/c.so", "/a/b.so.1", "/aa/b.so"]],
  ["/a/**", ["/a/b", "/a/b/c"], ["/a", "/b/a/c"]],
  ["**/*.md", ["a.md", "/a.md", "/a/b/c.md"], ["/a.mdx"]],
  ["/a/**/z", ["/a/z", "/a/b/c/z"], ["/a/bz"]],
  ["/a?[b-d][!x]", ["/a1by", "/axdz"], ["/a/by", "/a1bx", "/a1ey"]],
  ["/{a,b/c}/d{,.e}", ["/a/d", "/b/c/d.e"], ["/b/d", "/a/d.f"]],
  ["/{a,{b,c}}", ["/a", "/b", "/c"], ["/{b", "/a,"]],
  ["/a{b", ["/a{b"], ["/ab"]],
  ["/[z-a]*", [], ["/a", "/z", "/[z-a]b"]],
  ["/a/b\\*(1)", ["/a/b*(1)"], ["/a/bx(1)"]],
  ["/[", ["/["], ["/"]],
  ["/a{b}c+(d)$", ["/a{b}c+(d)$"], ["/abc+(d)$"]],
];

for (const [pattern, matches, others] of cases)
  glob(pattern, () => {
    const matcher = parsePattern(pattern);
    assert.equal(
      matches.filter((path) => !matcher.test(path)),
      [],
    );
    assert.equal(
      others.filter((path) => matcher.test(path)),
      [],
    );
  });

glob("choices are expanded in order", () => {
  assert.equal(expandBraces("{a,b}{1,2}"), ["a1", "a2", "b1", "b2"]);
  assert.equal(expandBraces("x{,y}"), ["x", "xy"]);
});

glob.run();
