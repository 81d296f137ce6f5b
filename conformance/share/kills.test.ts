/** Whenever share is killed, no file is damaged, and the next run puts the rest in order. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { needs, root } from "../testing.ts";
import { assertSame, dumpStore, FakeStore } from "./fake-store.ts";

const kills = suite("share: kills");
const test = needs(kills, root);
const WORKER = fileURLToPath(new URL("./worker.js", import.meta.url));
const KILLS = 100;
const FILES = 120;

test(`${KILLS} kills at any moment damage nothing`, async () => {
  const layers = ["one", "two", "three"];
  const store = new FakeStore();
  for (const layer of layers) {
    store.simple(layer);
    for (let index = 0; index < FILES; index++) {
      const path = `usr/lib/${index % 7}/${index}`;
      store.file(layer, path, `content ${index} `.repeat(100 + index));
      if (index % 5 === 0) fs.linkSync(join(store.diff(layer), path), join(store.diff(layer), `${path}-link`));
    }
  }
  const before = dumpStore(store.done());
  const beforeWithoutTimes = dumpStore(store, { directoryTimes: false });
  let journals = 0;
  let partial = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const worker = spawn(process.execPath, [WORKER, store.root, join(store.root, "../cache")], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const exit = once(worker, "exit");
    await once(worker.stdout, "data");
    await sleep(Math.random() * 400);
    worker.kill("SIGKILL");
    await exit;
    assertSame(dumpStore(store, { directoryTimes: false }), beforeWithoutTimes);
    if (fs.existsSync(join(store.root, "overlay/.reg-share"))) journals++;
    const shared = Array.from({ length: FILES }, (_, index) => `usr/lib/${index % 7}/${index}`).filter(
      (path) => store.inode("one", path) === store.inode("two", path),
    ).length;
    if (shared > 0 && shared < FILES) partial++;
  }
  // Otherwise the kills came at moments at which there was nothing to damage.
  assert.ok(journals > KILLS / 4, `${journals} of ${KILLS} kills came in the middle of work`);
  assert.ok(partial > 0, "no kill came between two files");
  await store.share();
  assertSame(dumpStore(store), before);
  assert.not(fs.existsSync(join(store.root, "overlay/.reg-share")));
  for (let index = 0; index < FILES; index++) {
    const path = `usr/lib/${index % 7}/${index}`;
    assert.is(new Set(layers.map((layer) => store.inode(layer, path))).size, 1, path);
    if (index % 5 === 0) assert.is(store.inode("two", path), store.inode("two", `${path}-link`), path);
  }
  await store.share({ undo: true });
  assertSame(dumpStore(store), before);
  for (let index = 0; index < FILES; index += 5) {
    const path = `usr/lib/${index % 7}/${index}`;
    assert.is(store.inode("two", path), store.inode("two", `${path}-link`), path);
  }
});

test("what a killed run has left is put in order by the next", async () => {
  const store = new FakeStore().simple("one").simple("two");
  for (const layer of ["one", "two"]) store.file(layer, "usr/lib/libc.so", "content ".repeat(1000));
  const before = dumpStore(store.done());
  const folder = join(store.root, "overlay/.reg-share");
  const directory = join(store.diff("one"), "usr/lib");
  const { ino } = fs.statSync(directory);
  const seconds = Buffer.alloc(16);
  seconds.writeBigInt64LE(1_500_000_000n, 0);
  seconds.writeBigInt64LE(250_000_000n, 8);
  const times = Buffer.concat([seconds, seconds]).toString("hex");
  fs.mkdirSync(folder, { mode: 0o700 });
  const entry = { directory: directory.slice(store.root.length + "/overlay/".length), inode: ino, times };
  const gone = { directory: "0000/diff/usr", inode: 1, times };
  fs.writeFileSync(join(folder, "journal"), `${JSON.stringify(gone)}\n${JSON.stringify(entry)}\n{"direc`);
  fs.writeFileSync(join(folder, "17"), "half a copy");
  fs.utimesSync(directory, 1_600_000_000, 1_600_000_000);
  const { recovered } = await store.share();
  assert.equal(recovered, { directories: 1, leftovers: 1 });
  assertSame(dumpStore(store), before);
});

test("a directory of that name that others may write to is refused", async () => {
  const store = new FakeStore().simple("one").simple("two");
  fs.mkdirSync(join(store.root, "overlay/.reg-share"));
  fs.chmodSync(join(store.root, "overlay/.reg-share"), 0o777);
  await store.share().then(
    () => assert.unreachable(),
    (error: Error) => assert.match(error.message, /belongs to somebody else/),
  );
});

kills.run();
