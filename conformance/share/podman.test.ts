/** share on a store that Podman uses, before, meanwhile and afterwards. */
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { shareStore } from "../../runtime/reg-env/share/share.ts";
import { storesAt } from "../../runtime/reg-env/share/stores/find.ts";
import { podman } from "../callers/podman.ts";
import type { Workplace } from "../callers/workshop.ts";
import { Workshop } from "../callers/workshop.ts";
import { REG, TOP } from "../paths.ts";
import { findProgram, needs } from "../testing.ts";
import { assertSame, dump } from "./fake-store.ts";

const tests = suite("share: podman");
const missing = podman.needs.some(({ met }) => !met);
const test = needs(tests, ...podman.needs);

const workshop = missing ? undefined : new Workshop([podman]);
let place: Workplace;
const TIMEOUT_MS = 240_000;

/** What a script prints in Podman's session; a failure is an error with all that it said. */
async function shell(script: string): Promise<string> {
  const { status, stdout, stderr } = await place.session.run(`${place.prologue}\nset -e\n${script}`, TIMEOUT_MS);
  assert.is(status, 0, `${script}: status ${status}\n${stdout}\n${stderr}`);
  return stdout.trim();
}

const storage = () => join(place.folder, "storage");
const layersAsText = () =>
  dump(join(storage(), "overlay")).filter((line) => !line.includes("/overlay/l") && !line.includes("/.reg-share"));

function share(options: { undo?: boolean; linkToMounted?: boolean } = {}) {
  const [store] = storesAt(storage());
  if (store === undefined) throw new Error("Podman's store is not found");
  return shareStore(store, {
    exclusions: [],
    linkToMounted: false,
    dryRun: false,
    undo: false,
    cache: join(place.folder, "cache"),
    onProgress: () => undefined,
    onWait: () => undefined,
    ...options,
  });
}

/** The digests of an image's layers and configuration, as a registry would get them. */
const pushed = (image: string) => shell(`rm -rf $dir/pushed; podman push -q ${image} dir:$dir/pushed; ls $dir/pushed`);

const inodeIn = (image: string, path: string) =>
  shell(`podman run --rm --cgroup-parent=/$mark ${image} stat -c %i ${path}`);

tests.before(async () => {
  if (workshop === undefined) return;
  place = await workshop.open(podman, { kind: "reg", path: REG, label: "reg" });
  // Three images of the same files by different ways: imported as one layer, built on it, and imported in another order.
  await shell(`
    mkdir -p $dir/root/usr/share/data $dir/b && cp -a $rootfs/. $dir/root
    for i in $(seq 60); do seq $i 2000 >$dir/root/usr/share/data/$i; done
    ln $dir/root/usr/share/data/1 $dir/root/usr/share/data/hard
    tar -C $dir/root -c . | podman import -q - one
    tar -C $dir/root -c usr home bin etc sbin proc sys dev run tmp root var | podman import -q - two
    printf 'FROM one\\nRUN cp -a /usr/share/data /usr/share/again && echo three >/usr/share/own\\n' >$dir/b/Containerfile
    podman build --isolation oci --runtime $runtime --cgroup-parent=/$mark/build -q -t three $dir/b
    printf 'FROM two\\nRUN cp -a /usr/share/data /usr/share/again && echo four >/usr/share/own\\n' >$dir/b/Containerfile
    podman build --isolation oci --runtime $runtime --cgroup-parent=/$mark/build -q -t four $dir/b`);
});

tests.after(async () => {
  if (place !== undefined) await workshop?.close(place);
});

test("images share, and are the same for Podman afterwards", async () => {
  const images = ["one", "two", "three", "four"];
  const before = layersAsText();
  const digests = [];
  for (const image of images) digests.push(await pushed(image));
  const report = await share();
  assert.ok(report.done.files > 120, `${report.done.files} files are linked`);
  assert.is(report.done.changed, 0);
  assertSame(layersAsText(), before);
  for (const [index, image] of images.entries()) assert.is(await pushed(image), digests[index], image);
  for (const path of ["/bin/busybox", "/usr/share/data/7", "/usr/share/data/hard"])
    assert.is(await inodeIn("one", path), await inodeIn("two", path), path);
  assert.is(await inodeIn("three", "/usr/share/again/9"), await inodeIn("four", "/usr/share/again/9"));
  assert.is.not(await inodeIn("one", "/etc/passwd"), await inodeIn("two", "/etc/passwd"));
});

test("a write in a container stays in it", async () => {
  const out = await shell(`
    run --name writer one sh -c 'echo changed >/usr/share/data/7; echo x >>/bin/sh; rm /usr/share/data/8; chmod 700 /usr/share/data/9; cat /usr/share/data/7'
    for image in one two; do run --rm $image sh -c 'head -n 1 /usr/share/data/7; stat -c %a /usr/share/data/9; head -n 1 /usr/share/data/8'; done
    podman commit -q writer five >/dev/null
    run --rm five sh -c 'cat /usr/share/data/7; ls /usr/share/data/8 2>/dev/null; stat -c %a /usr/share/data/9'
    podman rm writer >/dev/null`);
  assert.is(out.split("\n").join(" "), "changed 7 644 8 7 644 8 changed 700");
});

test("what runs is left alone, and may lend its files when it is asked for", async () => {
  await shell(`tar -C $dir/root -c usr/share/data bin | podman import -q - six; run -d --name sleeper one sleep 1000`);
  const [before, inode] = [layersAsText(), await shell("podman exec sleeper stat -c %i /usr/share/data/7")];
  const report = await share();
  assert.ok(report.layers.mounted > 0);
  assertSame(layersAsText(), before);
  assert.is.not(await inodeIn("six", "/usr/share/data/7"), inode);
  assert.ok((await share({ linkToMounted: true })).done.files > 60);
  assert.is(await inodeIn("six", "/usr/share/data/7"), inode);
  assert.is(await shell("podman exec sleeper stat -c %i /usr/share/data/7"), inode);
  assertSame(layersAsText(), before);
  await shell("podman rm -ft0 sleeper >/dev/null; podman rmi six >/dev/null");
});

test("an image that is removed leaves the others whole", async () => {
  await shell("podman rmi -f two four >/dev/null");
  const sums = await shell("run --rm three sh -c 'cat /usr/share/data/* /usr/share/again/* | md5sum'");
  const expected = await shell("cat $dir/root/usr/share/data/* $dir/root/usr/share/data/* | md5sum");
  assert.is(sums, expected);
  await shell("tar -C $dir/root -c usr bin | podman import -q - two");
  assert.ok((await share()).done.files > 60);
});

test("undo gives each image files of its own", async () => {
  const before = layersAsText();
  const report = await share({ undo: true });
  assert.ok(report.done.files > 60);
  assertSame(layersAsText(), before);
  assert.is.not(await inodeIn("one", "/usr/share/data/7"), await inodeIn("two", "/usr/share/data/7"));
  await share();
});

test("while Podman imports, builds, runs and removes, nothing is lost", async () => {
  const worker = spawn(
    process.execPath,
    [fileURLToPath(new URL("./worker.js", import.meta.url)), storage(), join(place.folder, "cache")],
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  await once(worker.stdout, "data");
  try {
    await shell(`
      for i in $(seq 6); do
        tar -C $dir/root -c usr bin | podman import -q - new-$i >/dev/null
        printf "FROM new-$i\\nRUN echo $i >/usr/share/own\\n" >$dir/b/Containerfile
        podman build --isolation oci --runtime $runtime --cgroup-parent=/$mark/build -q -t built-$i $dir/b >/dev/null
        [ "$(run --rm built-$i cat /usr/share/own)" = $i ]
        run --rm built-$i sh -c 'cat /usr/share/data/*' | cmp - $dir/all 2>/dev/null || { cat $dir/root/usr/share/data/* >$dir/all; run --rm built-$i sh -c 'cat /usr/share/data/*' | cmp - $dir/all; }
        [ $i -lt 3 ] || podman rmi -f built-$((i - 2)) new-$((i - 2)) >/dev/null
      done`);
  } finally {
    assert.is(worker.exitCode, null, "share has failed");
    const exit = once(worker, "exit");
    worker.kill("SIGKILL");
    await exit;
  }
  await share();
  await shell(
    `for image in one two three built-5 built-6; do run --rm $image sh -c 'cat /usr/share/data/*' | cmp - $dir/all; done`,
  );
  assert.not(fs.existsSync(join(storage(), "overlay/.reg-share")));
});

test("podman system check finds nothing, where there is one", async () => {
  const has = await place.session.run(`${place.prologue}\npodman system check --help | grep -q quick`, TIMEOUT_MS);
  if (has.status !== 0) {
    console.log("# this Podman has no system check");
    return;
  }
  await shell("podman system check");
});

test("the command tells what it has done, and watches until it is told to end", async () => {
  const program = join(TOP, "dist/runtime/reg-env/main.js");
  const args = ["share", "--root", storage(), "--cache", join(place.folder, "cache")];
  const run = (...more: string[]) =>
    execFileSync(findProgram("node") ?? "node", [program, ...args, ...more], { encoding: "utf8" });
  assert.match(run("--undo"), /copied \d+ files: [\d.]+ MB of disk/);
  assert.match(run("--dry-run"), /would link \d+ files/);
  const [report] = JSON.parse(run("--format", "json")) as { engine: string; done: { files: number } }[];
  assert.is(report?.engine, "containers-storage");
  assert.ok((report?.done.files ?? 0) > 60);
  assert.throws(() => run("--watch", "--undo"), /--watch goes with neither/);
  const watch = spawn(process.execPath, [program, ...args, "--watch"], { stdio: ["ignore", "pipe", "inherit"] });
  const exit = once(watch, "exit");
  const [said] = await once(watch.stdout, "data");
  assert.match(String(said), /linked 0 files/);
  watch.kill("SIGTERM");
  assert.equal(await exit, [0, null]);
});

tests.run();
