/** What share changes and what it leaves alone, in a store without an engine. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { ShareReport } from "../../runtime/reg-env/share/share.ts";
import { storesAt } from "../../runtime/reg-env/share/stores/find.ts";
import type { ImageStore } from "../../runtime/reg-env/share/stores/store.ts";
import { watchStores } from "../../runtime/reg-env/share/watch.ts";
import { mounting, needs, program, root } from "../testing.ts";
import { assertSame, dumpStore, FakeStore, temporaryDirectory } from "./fake-store.ts";

const guards = suite("share: guards");
const test = needs(guards, root);
const CONTENT = "the C library ".repeat(5000);

/** Two images of one layer each, in which usr/lib/libc.so is equal. */
function twins(): FakeStore {
  const store = new FakeStore().simple("one").simple("two");
  for (const layer of ["one", "two"]) store.file(layer, "usr/lib/libc.so", CONTENT);
  return store.done();
}

const areOne = (store: FakeStore, path: string, layers = ["one", "two"]) =>
  new Set(layers.map((layer) => store.inode(layer, path))).size === 1;

test("equal files of two layers become one inode, and nothing else changes", async () => {
  const store = twins();
  const before = dumpStore(store);
  const report = await store.share();
  assertSame(dumpStore(store), before);
  assert.ok(areOne(store, "usr/lib/libc.so"));
  assert.is(report.done.files, 1);
  assert.ok(report.done.diskBytes >= CONTENT.length);
  assert.not(fs.existsSync(join(store.root, "overlay/.reg-share")));
});

test("a dry run says the same and does nothing", async () => {
  const store = twins();
  const report = await store.share({ dryRun: true });
  assert.is(report.found.files, 1);
  assert.is(report.done.files, 0);
  assert.not(areOne(store, "usr/lib/libc.so"));
  assert.equal((await store.share()).found, report.found);
});

test("undo makes copies that agree in everything", async () => {
  const store = twins();
  fs.chmodSync(join(store.diff("one"), "usr/lib/libc.so"), 0o4755);
  fs.chmodSync(join(store.diff("two"), "usr/lib/libc.so"), 0o4755);
  const before = dumpStore(store);
  await store.share();
  assert.ok(areOne(store, "usr/lib/libc.so"));
  const report = await store.share({ undo: true });
  assert.is(report.done.files, 1);
  assert.not(areOne(store, "usr/lib/libc.so"));
  assertSame(dumpStore(store), before);
});

test("a second run reads nothing again", async () => {
  const store = twins();
  const first = await store.share({ dryRun: true });
  assert.is(first.readBytes, 2 * CONTENT.length);
  assert.is((await store.share()).readBytes, 0);
  store.layer("three").image({ layer: "three" }).file("three", "usr/lib/libc.so", CONTENT).done();
  const third = await store.share();
  assert.is(third.readBytes, CONTENT.length);
  assert.ok(areOne(store, "usr/lib/libc.so", ["one", "two", "three"]));
});

test("files that differ in anything stay two", async () => {
  const store = new FakeStore().simple("one").simple("two");
  const pair = (path: string, change: (absolute: string) => void) => {
    for (const layer of ["one", "two"]) store.file(layer, path, CONTENT);
    change(join(store.diff("two"), path));
  };
  pair("lib/owner", (path) => fs.chownSync(path, 1, 0));
  pair("lib/group", (path) => fs.chownSync(path, 0, 1));
  pair("lib/mode", (path) => fs.chmodSync(path, 0o755));
  pair("lib/set-id", (path) => fs.chmodSync(path, 0o4644));
  pair("lib/second", (path) => fs.utimesSync(path, 1_600_000_001, 1_600_000_001));
  pair("lib/fraction", (path) => fs.utimesSync(path, 1_600_000_000, 1_600_000_000.001));
  pair("lib/content", (path) => {
    fs.writeFileSync(path, CONTENT.replace("the", "THE"));
    fs.utimesSync(path, 1_600_000_000, 1_600_000_000);
  });
  pair("lib/attribute", (path) => setAttribute(path, "user.note", "1"));
  store.file("one", "lib/here", CONTENT).file("two", "lib/there", CONTENT);
  const before = dumpStore(store.done());
  assert.is((await store.share()).done.files, 0);
  assertSame(dumpStore(store), before);
});

test("files with the same attributes become one, with them", async () => {
  const store = twins();
  for (const layer of ["one", "two"]) setAttribute(join(store.diff(layer), "usr/lib/libc.so"), "user.note", "1");
  assert.is((await store.share()).done.files, 1);
  assert.is(getAttribute(join(store.diff("two"), "usr/lib/libc.so"), "user.note"), "1");
});

test("where programs look at the number of links, nothing is linked", async () => {
  const store = new FakeStore().simple("one").simple("two");
  const paths = ["etc/cron.d/job", "etc/crontab", "var/spool/cron/root", "var/log/old", "root/.profile", "home/a/b"];
  for (const layer of ["one", "two"]) for (const path of paths) store.file(layer, path, CONTENT);
  assert.is((await store.done().share()).done.files, 0);
  for (const path of paths) assert.not(areOne(store, path), path);
});

test("the layer of a container stays as it is, and what is no image's", async () => {
  const store = twins().layer("writable", { parent: "one" }).container("writable").layer("nobody's");
  for (const layer of ["writable", "nobody's"]) store.file(layer, "usr/lib/libc.so", CONTENT);
  const inodes = ["writable", "nobody's"].map((layer) => store.inode(layer, "usr/lib/libc.so"));
  assert.is((await store.share()).done.files, 1);
  assert.equal(
    ["writable", "nobody's"].map((layer) => store.inode(layer, "usr/lib/libc.so")),
    inodes,
  );
});

test("a layer that a container has is writable, even if an image's record has it too", async () => {
  const store = twins().layer("writable", { parent: "one" }).container("writable").image({ layer: "writable" });
  store.file("writable", "usr/lib/libc.so", CONTENT).done();
  const inode = store.inode("writable", "usr/lib/libc.so");
  assert.equal((await store.share()).layers, { free: 2, mounted: 0, excluded: 0 });
  assert.is(store.inode("writable", "usr/lib/libc.so"), inode);
});

test("what counts as mounted on a supposition is looked at again, and left alone while it does", async () => {
  const supposing = (times: number) => (own: ImageStore) => {
    let looks = 0;
    return (...args: Parameters<ImageStore["read"]>) => {
      const state = own.read(...args);
      if (++looks > times) return state;
      return { layers: state.layers.map((layer) => ({ ...layer, state: "mounted" as const })), supposed: true };
    };
  };
  const store = twins();
  const [kept, shared] = [await store.share({}, supposing(1000)), await store.share({}, supposing(2))];
  assert.equal([kept.done.files, kept.layers.mounted], [0, 2]);
  assert.equal([shared.done.files, shared.layers.mounted], [1, 0]);
});

test("a layer that is not complete stays as it is, and one of composefs", async () => {
  const store = new FakeStore()
    .simple("one")
    .layer("two", { flags: { incomplete: true } })
    .image({ layer: "two" })
    .simple("three");
  for (const layer of ["one", "two", "three"]) store.file(layer, "usr/lib/libc.so", CONTENT);
  fs.mkdirSync(join(store.diff("three"), "../composefs-data"));
  assert.is((await store.done().share()).done.files, 0);
});

test("a file with a link outside of the images stays as it is", async () => {
  const store = twins();
  fs.linkSync(join(store.diff("one"), "usr/lib/libc.so"), join(store.root, "elsewhere"));
  const report = await store.share();
  assert.is(report.linkedElsewhere, 1);
  assert.not(areOne(store, "usr/lib/libc.so"));
});

test("hard links of an image stay hard links, and are made of no two files", async () => {
  const store = new FakeStore().simple("one").simple("two").simple("three");
  for (const layer of ["one", "two", "three"]) {
    store.file(layer, "usr/bin/perl", CONTENT);
    if (layer === "three") store.file(layer, "usr/bin/perl5", CONTENT);
    else fs.linkSync(join(store.diff(layer), "usr/bin/perl"), join(store.diff(layer), "usr/bin/perl5"));
  }
  assert.is((await store.done().share()).done.files, 2);
  for (const path of ["usr/bin/perl", "usr/bin/perl5"]) assert.ok(areOne(store, path), path);
  assert.is(store.inode("one", "usr/bin/perl"), store.inode("one", "usr/bin/perl5"));
  assert.is.not(store.inode("three", "usr/bin/perl"), store.inode("three", "usr/bin/perl5"));
  assert.is.not(store.inode("three", "usr/bin/perl"), store.inode("one", "usr/bin/perl"));
});

test("images of a domain share among themselves, with others of no domain they do not", async () => {
  const tenants = { one: "a", two: "a", three: "b", four: undefined, five: undefined };
  const names = Object.keys(tenants);
  const store = new FakeStore();
  for (const name of names) store.layer(name).file(name, "usr/lib/libc.so", CONTENT);
  for (const [layer, tenant] of Object.entries(tenants))
    store.image({ layer, labels: tenant === undefined ? {} : { tenant } });
  store.done();
  const domains = ["a", "b"].map((value) => ({ kind: "label", name: "tenant", value }) as const);
  assert.is((await store.share({ domains })).done.files, 2);
  const inodes = names.map((name) => store.inode(name, "usr/lib/libc.so"));
  assert.equal(
    inodes.map((inode) => inodes.indexOf(inode)),
    [0, 0, 2, 3, 3],
  );
  assert.is((await store.share()).done.files, 3);
});

test("images with a label, or of a name, are left alone", async () => {
  const store = new FakeStore().layer("one").layer("two").layer("three").layer("four", { parent: "three" });
  store.image({ layer: "one" }).image({ layer: "two", labels: { tenant: "a" } });
  store.image({ layer: "four", names: ["localhost/mine:latest"] });
  for (const layer of ["one", "two", "three"]) store.file(layer, "usr/lib/libc.so", CONTENT);
  store.done();
  const label = { kind: "label", name: "tenant", value: "a" } as const;
  const name = { kind: "image", name: "localhost/mine:latest" } as const;
  assert.is((await store.share({ exclusions: [label, name] })).done.files, 0);
  assert.is((await store.share({ exclusions: [label] })).done.files, 1);
  assert.ok(areOne(store, "usr/lib/libc.so", ["one", "three"]));
  assert.is((await store.share({ exclusions: [{ ...label, value: "b" } as const] })).done.files, 1);
});

test("names are bytes, and may be anything", async () => {
  const store = new FakeStore().simple("one").simple("two");
  const names = [
    Buffer.from("usr/\xff\xfe", "latin1"),
    Buffer.from("usr/new\nline"),
    Buffer.from("usr/..."),
    Buffer.from("usr/é"),
  ];
  for (const layer of ["one", "two"]) for (const name of names) store.file(layer, name, CONTENT);
  const before = dumpStore(store.done());
  assert.is((await store.share()).done.files, names.length);
  assertSame(dumpStore(store), before);
});

test("links of an image lead nowhere, its devices and fifos are not opened", async () => {
  const store = twins();
  const outside = join(store.root, "../outside");
  fs.mkdirSync(outside);
  for (const layer of ["one", "two"]) {
    fs.symlinkSync(outside, join(store.diff(layer), "opt"));
    fs.symlinkSync("/", join(store.diff(layer), "srv"));
    execFileSync("mkfifo", [join(store.diff(layer), "pipe")]);
  }
  fs.writeFileSync(join(outside, "file"), CONTENT);
  assert.is((await store.done().share()).done.files, 1);
  assert.is(fs.statSync(join(outside, "file")).nlink, 1);
});

test("directories that are too deep are left alone, in linear time", async () => {
  const store = twins();
  for (const layer of ["one", "two"]) store.file(layer, `${"d/".repeat(1000)}file`, CONTENT);
  const report = await store.done().share();
  assert.is(report.done.files, 1);
  assert.is(report.skippedDirectories, 2);
});

test("a record that is damaged is an error that names it", async () => {
  const store = twins();
  fs.writeFileSync(join(store.root, "overlay-layers/layers.json"), "[{");
  await store.share().then(
    () => assert.unreachable(),
    (error: Error) => assert.match(error.message, /layers\.json: this is no JSON/),
  );
});

test("while somebody has the engine's lock, share waits", async () => {
  const store = twins();
  const lock = join(store.root, "overlay-layers/layers.lock");
  // A lock as engines take it: of the process, not of the descriptor.
  const holder = spawn("python3", [
    "-c",
    `import fcntl, sys
f = open(${JSON.stringify(lock)}, "r+"); fcntl.lockf(f, fcntl.LOCK_EX); print("held", flush=True); sys.stdin.read()`,
  ]);
  await once(holder.stdout, "data");
  const script = `const { shareStore } = await import(${JSON.stringify(new URL("../../runtime/reg-env/share/share.js", import.meta.url).href)});
const { storesAt } = await import(${JSON.stringify(new URL("../../runtime/reg-env/share/stores/find.js", import.meta.url).href)});
await shareStore(storesAt(${JSON.stringify(store.root)})[0], { exclusions: [], linkToMounted: false, dryRun: false, undo: false,
  cache: ${JSON.stringify(join(store.root, "../cache"))}, onProgress() {}, onWait: (who) => process.stdout.write("waits for " + who) });`;
  const share = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [said] = await once(share.stdout, "data");
  assert.is(String(said), "waits for containers-storage");
  assert.not(areOne(store, "usr/lib/libc.so"));
  const exit = once(share, "exit");
  holder.stdin.end();
  assert.equal(await exit, [0, null]);
  assert.ok(areOne(store, "usr/lib/libc.so"));
});

test("what comes in while it watches is shared, and containers wake it in vain", async () => {
  const store = twins();
  const [found] = storesAt(store.root);
  if (found === undefined) throw new Error("no store");
  const ending = new AbortController();
  const reports: ShareReport[] = [];
  const waiting: (() => void)[] = [];
  const reported = (count: number) =>
    new Promise<void>((resolve) => {
      if (reports.length >= count) resolve();
      else waiting.push(resolve);
    });
  const watching = watchStores([found], {
    signal: ending.signal,
    quietMs: 50,
    onNewLayers: async () => {
      reports.push(await store.share());
      for (const resolve of waiting.splice(0)) resolve();
    },
  });
  await reported(1);
  fs.writeFileSync(join(store.root, "overlay-images/other"), "");
  await sleep(300);
  assert.is(reports.length, 1);
  store.layer("three").file("three", "usr/lib/libc.so", CONTENT).done().image({ layer: "three" });
  await reported(2);
  assert.equal(
    reports.map(({ done }) => done.files),
    [1, 1],
  );
  assert.ok(areOne(store, "usr/lib/libc.so", ["one", "two", "three"]));
  ending.abort();
  await watching;
});

test("when an inode can have no more links, the next files become another one's", async () => {
  // The limit of ext4 is 65,000: two layers with 22,000 names for a file fit, a third does not.
  const layers = ["one", "two", "three", "four"];
  const names = 22_000;
  const store = new FakeStore();
  for (const layer of layers) {
    store.simple(layer).file(layer, "usr/lib/0", CONTENT);
    const folder = join(store.diff(layer), "usr/lib");
    for (let index = 1; index < names; index++) fs.linkSync(`${folder}/0`, `${folder}/${index}`);
  }
  const report = await store.done().share();
  const links = layers.map((layer) => fs.statSync(join(store.diff(layer), "usr/lib/7")).nlink);
  const hasLimit = links[0] !== layers.length * names;
  assert.equal(
    links,
    layers.map(() => (hasLimit ? 2 : 4) * names),
  );
  assert.is(report.done.files, (hasLimit ? 2 : 3) * names);
  assert.is((await store.share()).done.files, 0);
  assert.equal(
    fs.readdirSync(join(store.root, "overlay")).filter((name) => name.startsWith(".")),
    [],
  );
});

const mountTest = needs(guards, root, mounting, program("unshare"));

/** Runs `action` while an overlay with these options is mounted in a mount namespace of its own. */
async function whileMounted(options: string, action: () => Promise<void>): Promise<void> {
  const merged = temporaryDirectory();
  const script = `mount -t overlay overlay -o ${options} ${merged} && echo mounted && cat`;
  const holder = spawn("unshare", ["--mount", "--propagation", "private", "sh", "-c", script], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const exit = once(holder, "exit");
  const [said] = await Promise.race([once(holder.stdout, "data"), exit]);
  try {
    assert.match(String(said), /mounted/);
    await action();
  } finally {
    holder.stdin.end();
    await exit;
  }
}

mountTest("the layers of an overlay that is mounted somewhere stay as they are", async () => {
  const store = twins().simple("three");
  store.file("three", "usr/lib/libc.so", CONTENT).done();
  await whileMounted(`lowerdir=${store.diff("one")}:${store.diff("three")}`, async () => {
    const report = await store.share();
    assert.equal(report.layers, { free: 1, mounted: 2, excluded: 0 });
    assert.is(report.done.files, 0);
    // Asked for it, free layers get links to what is mounted, whose names stay.
    const inode = store.inode("one", "usr/lib/libc.so");
    assert.is((await store.share({ linkToMounted: true })).done.files, 1);
    assert.is(store.inode("one", "usr/lib/libc.so"), inode);
    assert.is.not(store.inode("three", "usr/lib/libc.so"), inode);
    assert.is((await store.share({ undo: true })).done.files, 1);
    assert.is(store.inode("one", "usr/lib/libc.so"), inode);
  });
  assert.is((await store.share()).done.files, 2);
});

mountTest("layers below a mounted one are known by its record, however the mount names them", async () => {
  const store = twins().layer("upper", { parent: "two" }).image({ layer: "upper" });
  store.file("upper", "usr/lib/other.so", CONTENT).done();
  fs.mkdirSync(join(store.root, "work"));
  fs.mkdirSync(join(store.root, "mapped"));
  const options = `lowerdir=${join(store.root, "mapped")},upperdir=${store.diff("upper")},workdir=${join(store.root, "work")}`;
  // An upper and its work directory have to be on one file system, which the store's temporary directory is.
  await whileMounted(options, async () => {
    assert.equal((await store.share()).layers, { free: 1, mounted: 2, excluded: 0 });
  });
  spawnSync("rm", ["-rf", join(store.root, "work")]);
});

function setAttribute(path: string, name: string, value: string): void {
  execFileSync("python3", [
    "-c",
    "import os, sys; os.setxattr(sys.argv[1], sys.argv[2], sys.argv[3].encode())",
    path,
    name,
    value,
  ]);
}

function getAttribute(path: string, name: string): string {
  return execFileSync(
    "python3",
    ["-c", "import os, sys; print(os.getxattr(sys.argv[1], sys.argv[2]).decode())", path, name],
    {
      encoding: "utf8",
    },
  ).trim();
}

guards.run();
