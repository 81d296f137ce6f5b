/** Paths in mount tables are looked up where they were mounted. */
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { mountedIds } from "./mounted-snapshots.ts";

const tests = suite("mounted snapshots");
const top = fs.mkdtempSync(join(tmpdir(), "reg-snapshots-"));
tests.after(() => fs.rmSync(top, { recursive: true }));

/** Two stores with the same numbers, one of them with odd characters in its path. */
const [own, other] = [join(top, "own store:a,b"), join(top, "other")];
const directories = new Map(["1", "2", "12"].map((id) => [id, join(own, id, "fs")]));
for (const store of [own, other])
  for (const id of directories.keys()) fs.mkdirSync(join(store, id, "fs"), { recursive: true });
const escaped = own.replaceAll(" ", "\\040").replaceAll(":", "\\134:").replaceAll(",", "\\054");

const look = (line: string, root = "") => mountedIds(directories, [{ text: `${line}\n`, root }]);
const mounted = (line: string, root = "") => [...look(line, root).ids].sort();
const overlay = (options: string) => `36 25 0:32 / /merged rw shared:1 - overlay overlay rw,${options}`;

tests("lower and upper directories, also with characters that are escaped", () => {
  assert.equal(mounted(overlay(`lowerdir=${escaped}/1/fs:${escaped}/12/fs,upperdir=${escaped}/2/fs,workdir=/w`)), [
    "1",
    "12",
    "2",
  ]);
  assert.equal(mounted(overlay(`lowerdir+=${escaped}/1/fs,lowerdir+=${escaped}/12/fs`)), ["1", "12"]);
});

tests("another store's directory of the same number does not count", () => {
  assert.equal(mounted(overlay(`lowerdir=${other}/1/fs:${escaped}/2/fs`)), ["2"]);
});

tests("what can not be found there counts by its number", () => {
  assert.equal(mounted(overlay("lowerdir=1/fs:12/fs")), ["1", "12"]);
  assert.equal(mounted(overlay(`lowerdir=${other}/1/fs`), "/proc/0/root"), ["1"]);
  assert.is(look(overlay(`lowerdir=${other}/1/fs`), "/proc/0/root").supposed, true);
  assert.is(look(overlay(`lowerdir=${escaped}/1/fs`)).supposed, false);
  assert.equal(mounted(overlay("lowerdir=3/fs:/lib/fs:/1/fs/more")), []);
});

tests("a bind mount of a directory is known by its mount point", () => {
  const point = join(top, "point");
  fs.mkdirSync(point);
  assert.equal(mounted(`36 25 0:32 /anywhere/2/fs ${point} ro - ext4 /dev/vda rw`), []);
  assert.equal(
    mounted(`36 25 0:32 /anywhere/2/fs ${join(own, "2/fs").replaceAll(" ", "\\040")} ro - ext4 /dev/vda rw`),
    ["2"],
  );
  assert.equal(mounted("36 25 0:32 /anywhere/2/fs /gone ro - ext4 /dev/vda rw"), ["2"]);
});

tests.run();
