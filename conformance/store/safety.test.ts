/** A store that many work on at once, that is killed at any moment, and that containers use. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { objectPath, treePath } from "../../runtime/reg/layout.ts";
import { parseEnvironmentName } from "../../runtime/reg/name.ts";
import { openTree } from "../../runtime/reg/tree.ts";
import { listObjects, listTrees } from "../../runtime/reg-env/store/contents.ts";
import { uninstallEnvironment } from "../../runtime/reg-env/store/environment.ts";
import { exportEnvironment } from "../../runtime/reg-env/store/export.ts";
import { collectGarbage } from "../../runtime/reg-env/store/gc.ts";
import type { Store } from "../../runtime/reg-env/store/store.ts";
import { mounting, needs, program, root } from "../testing.ts";
import {
  closureOf,
  faultsOf,
  generate,
  makeRoot,
  makeStore,
  NGINX_PATHS,
  PYTHON_PATHS,
  temporaryDirectory,
} from "./fixture.ts";

const safety = suite("store safety");
const test = needs(safety, root);

const top = temporaryDirectory();
const source = join(top, "root");
makeRoot(source);
// Enough files for a kill to fall between any two of them.
const more = Array.from({ length: 60 }, (_, index) => `/usr/share/data/${index}`);
fs.mkdirSync(join(source, "usr/share/data"), { recursive: true });
for (const [index, path] of more.entries()) fs.writeFileSync(join(source, path), `data ${index}`.repeat(index * 10));
PYTHON_PATHS.push(...more);

const WORKER = fileURLToPath(new URL("./worker.js", import.meta.url));
const KILLS = 100;

/** A worker that waits for its first byte. */
async function startWorker(store: string, verb: string): Promise<ChildProcess> {
  const worker = spawn(process.execPath, [WORKER, store, source, verb], { stdio: ["pipe", "pipe", "inherit"] });
  if (worker.stdout !== null) await once(worker.stdout, "data");
  return worker;
}

/** Lets a worker begin, and kills it after a while; tells whether it was done by then. */
async function killAfter(worker: ChildProcess, milliseconds: number): Promise<boolean> {
  const exit = once(worker, "exit");
  worker.stdin?.write("x");
  await Promise.race([sleep(milliseconds), exit]);
  worker.kill("SIGKILL");
  const [code] = await exit;
  return code === 0;
}

async function timeOf(verb: string, store: string): Promise<number> {
  const worker = await startWorker(store, verb);
  const begin = performance.now();
  assert.ok(await killAfter(worker, 60_000), verb);
  return performance.now() - begin;
}

/** Kills the verb at moments spread over the time that it takes, looks at the store after each, and at the end. */
async function killOften(
  verb: string,
  prepare: (store: Store) => Promise<void> = async () => undefined,
): Promise<void> {
  const directory = join(top, `kill-${verb}`);
  await prepare(makeStore(directory));
  const duration = await timeOf(verb, directory);
  let interrupted = 0;
  let next = startWorker(directory, verb);
  for (let kill = 0; kill < KILLS; kill++) {
    const store = makeStore(directory);
    await prepare(store);
    const worker = await next;
    next = startWorker(directory, verb); // boots meanwhile
    if (!(await killAfter(worker, Math.random() * duration))) interrupted++;
    assert.equal(await faultsOf(store), [], `after kill ${kill} of ${verb}`);
    // From whatever it left, the next one starts anew every fourth time.
    if (kill % 4 === 3 && verb !== "gc")
      for (const name of ["python@3.11", "nginx@1.22"]) await uninstallIfThere(store, name);
    if (kill % 4 === 3 && verb !== "gc") collectGarbage(store);
  }
  (await next).kill("SIGKILL");
  assert.ok(interrupted > KILLS / 4, `only ${interrupted} of ${KILLS} kills came before the end`);
  const store = makeStore(directory);
  for (const name of ["python@3.11", "nginx@1.22"]) await uninstallIfThere(store, name);
  collectGarbage(store);
  assert.equal(listObjects(store.directory), []);
  assert.equal(fs.readdirSync(join(store.directory, "tmp")), []);
  assert.equal(fs.readdirSync(join(store.directory, "trees")), []);
}

async function uninstallIfThere(store: Store, name: string): Promise<void> {
  if (fs.existsSync(join(store.directory, "environments", name)))
    await uninstallEnvironment(store, parseEnvironmentName(name));
}

for (const verb of ["generate", "replace", "uninstall"])
  test(`${verb}, killed at ${KILLS} random moments, leaves a store in order`, () => killOften(verb));

test(`install, killed at ${KILLS} random moments, leaves a store in order`, async () => {
  const store = makeStore(join(top, "exporting"));
  await generate(store, "python@3.11", closureOf(source, PYTHON_PATHS));
  await exportEnvironment(store, parseEnvironmentName("python@3.11"), `${source}-exported`);
  await killOften("install");
});

test(`gc, killed at ${KILLS} random moments, leaves a store in order`, () =>
  killOften("gc", async (store) => {
    await generate(store, "nginx@1.22", closureOf(source, NGINX_PATHS));
    await generate(store, "python@3.11", closureOf(source, PYTHON_PATHS));
    await uninstallEnvironment(store, parseEnvironmentName("python@3.11"));
  }));

test("eight writers at once leave one copy of each object", async () => {
  const directory = join(top, "writers");
  const workers = await Promise.all(Array.from({ length: 8 }, () => startWorker(directory, "generate")));
  const done = await Promise.all(workers.map((worker) => killAfter(worker, 60_000)));
  assert.equal(done, Array(8).fill(true));
  const store = makeStore(directory);
  assert.equal(await faultsOf(store), []);
  assert.equal(fs.readdirSync(join(store.directory, "tmp")), []);
  const trees = listTrees(store.directory);
  assert.is(trees.length, 2);
  // Every file of a tree is the object itself: no copy is anywhere.
  const inodes = new Set(listObjects(store.directory).map((key) => fs.statSync(objectPath(store.directory, key)).ino));
  for (const digest of trees)
    for (const entry of fs.readdirSync(treePath(store.directory, digest), { recursive: true, withFileTypes: true }))
      if (entry.isFile()) assert.ok(inodes.has(fs.statSync(join(entry.parentPath, entry.name)).ino), entry.name);
});

test("writers and gc at once leave a store in order", async () => {
  const directory = join(top, "mixed");
  const verbs = ["generate", "gc", "replace", "gc", "uninstall", "gc", "generate", "gc"];
  makeStore(directory);
  const workers = await Promise.all(verbs.map((verb) => startWorker(directory, verb)));
  await Promise.all(workers.map((worker) => killAfter(worker, 60_000)));
  assert.equal(await faultsOf(makeStore(directory)), []);
});

/** A process in a mount namespace of its own, with the tree mounted as a container has it; gone with its killing. */
async function holdTree(command: string): Promise<ChildProcess> {
  const holder = spawn(
    "unshare",
    ["-m", "--propagation", "private", "sh", "-c", `${command} && echo held && exec sleep 600`],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  const [line] = (await once(holder.stdout as NodeJS.ReadableStream, "data")) as [Buffer];
  assert.is(line.toString(), "held\n");
  return holder;
}

const MOUNTS: readonly (readonly [name: string, command: (tree: string, place: string) => string])[] = [
  ["a read-only bind mount", (tree, place) => `mount --bind -o ro ${tree} ${place}`],
  [
    "the lower layer of an overlay",
    (tree, place) =>
      [
        `mount -t tmpfs tmpfs ${place}`,
        `mkdir ${place}/upper ${place}/work ${place}/root`,
        `mount -t overlay overlay -o lowerdir=${tree},upperdir=${place}/upper,workdir=${place}/work ${place}/root`,
      ].join(" && "),
  ],
];
for (const [name, command] of MOUNTS)
  needs(
    safety,
    root,
    mounting,
    program("unshare"),
  )(`gc leaves the tree of a container that has it as ${name}`, async () => {
    const store = makeStore(fs.mkdtempSync(join(top, "live-")));
    const { tree } = await generate(store, "python@3.11", closureOf(source, PYTHON_PATHS));
    await generate(store, "nginx@1.22", closureOf(source, NGINX_PATHS));
    const place = fs.mkdtempSync(join(top, "place-"));
    const holder = await holdTree(command(tree, place));
    try {
      await uninstallEnvironment(store, parseEnvironmentName("python@3.11"));
      const before = listObjects(store.directory);
      const { trees, objects, keptForContainers } = collectGarbage(store);
      assert.equal({ trees, objects, keptForContainers }, { trees: 0, objects: 0, keptForContainers: 1 });
      assert.equal(listObjects(store.directory), before);
      assert.ok(fs.existsSync(join(tree, "usr/bin/python3.11")));
      assert.equal(await faultsOf(store), []);
    } finally {
      holder.kill("SIGKILL");
      await once(holder, "exit");
    }
    assert.is(collectGarbage(store).trees, 1); // the kernel has forgotten it with its process
    assert.not(fs.existsSync(tree));
    assert.ok(fs.existsSync(openTree(store.directory, [parseEnvironmentName("nginx@1.22")]).path));
    assert.equal(await faultsOf(store), []);
  });

safety.run();
