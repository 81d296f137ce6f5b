import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Entry } from "./manifest.ts";
import { combineUnits, mergeUnits } from "./merge.ts";

const merge = suite("units merged into a tree");

const OWNER = { uid: 0, gid: 0 };
const file = (path: string, object = path): Entry => ({
  type: "file",
  path,
  object,
  content: object,
  mode: 0o644,
  sizeBytes: 1,
  ...OWNER,
});
const symlink = (path: string, target: string): Entry => ({ type: "symlink", path, target, ...OWNER });
const directory = (path: string, mode = 0o755): Entry => ({ type: "directory", path, mode, ...OWNER });
const unit = (...entries: Entry[]) => ({ name: "u", version: "1", entries });

function show(entries: readonly Entry[]): string[] {
  return entries.map((entry) =>
    entry.type === "file"
      ? `${entry.path} = ${entry.object}`
      : entry.type === "symlink"
        ? `${entry.path} -> ${entry.target}`
        : `${entry.path}/ ${entry.mode.toString(8)}`,
  );
}

const CASES: readonly (readonly [summary: string, units: Parameters<typeof mergeUnits>[0], tree: readonly string[]])[] =
  [
    [
      "parents come before children and are made when no unit has them",
      [unit(file("a/b/c"))],
      ["a/ 755", "a/b/ 755", "a/b/c = a/b/c"],
    ],
    ["the earlier unit wins a file", [unit(file("x", "one")), unit(file("x", "two"))], ["x = one"]],
    ["the earlier unit wins a directory's mode", [unit(directory("d", 0o700)), unit(directory("d"))], ["d/ 700"]],
    [
      "a file below another unit's symlink goes where it leads",
      [unit(symlink("lib", "usr/lib"), file("usr/lib/a")), unit(directory("lib"), file("lib/b"))],
      ["lib -> usr/lib", "usr/ 755", "usr/lib/ 755", "usr/lib/a = usr/lib/a", "usr/lib/b = lib/b"],
    ],
    [
      "what is there already wins over what is moved",
      [unit(symlink("lib", "usr/lib")), unit(file("lib/a", "moved")), unit(file("usr/lib/a", "own"))],
      ["lib -> usr/lib", "usr/ 755", "usr/lib/ 755", "usr/lib/a = own"],
    ],
    [
      "an absolute symlink stays inside the tree",
      [unit(symlink("data", "/etc")), unit(file("data/passwd", "evil"))],
      ["data -> /etc", "etc/ 755", "etc/passwd = evil"],
    ],
    [
      "so does one that climbs",
      [unit(symlink("a/up", "../../../..")), unit(file("a/up/etc/x"))],
      ["a/ 755", "a/up -> ../../../..", "etc/ 755", "etc/x = a/up/etc/x"],
    ],
  ];
for (const [summary, units, tree] of CASES)
  merge(summary, () => {
    assert.equal(show(mergeUnits(units)), tree);
  });

merge("a file can not be a directory as well", () => {
  assert.throws(() => mergeUnits([unit(file("a")), unit(file("a/b"))]), /\/a\/b: \/a is a file/);
});

merge("a circle of symlinks is an error", () => {
  assert.throws(() => mergeUnits([unit(symlink("a", "b"), symlink("b", "a")), unit(file("a/x"))]), /circle/);
});

merge("environments together have each unit once, and their bases last", () => {
  assert.equal(combineUnits([["libc", "a", "base"]]), ["libc", "a", "base"]);
  assert.equal(
    combineUnits([
      ["libc", "a", "base"],
      ["b", "libc", "base"],
    ]),
    ["libc", "a", "b", "base"],
  );
  assert.equal(
    combineUnits([
      ["a", "base1"],
      ["b", "base2"],
    ]),
    ["a", "b", "base1", "base2"],
  );
});

merge.run();
