/** Workers that wait for Create and for Delete: nothing hangs on them, and what they know ahead is only used where it is still so. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { encode } from "../../runtime/linux/protobuf.ts";
import { BOOTSTRAP_PARAMS } from "../../runtime/shim/proto/bootstrap.ts";
import type { Bundle } from "../fixtures/bundle.ts";
import { waitUntil } from "../fixtures/fixture.ts";
import { type ShimFixture, type Started, type Tasks, withShim } from "../fixtures/shim-fixture.ts";
import { cgroups, isLinux, mounting, need, needs, root } from "../testing.ts";

const ahead = suite("shim: ahead");
const test = needs(ahead, root, mounting, cgroups);

const childrenOf = (pid: number): number[] =>
  readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").map(Number).filter(Boolean);

/** The one worker of a shim, when it waits for its order. */
async function waiting(shim: ShimFixture, tasks: Tasks): Promise<number> {
  const pid = await shim.pid(tasks);
  return waitUntil("a worker that waits", () => {
    const [worker, ...others] = childrenOf(pid);
    if (worker === undefined || others.length > 0) return undefined;
    return readFileSync(`/proc/${worker}/stat`, "utf8").includes(") S ") ? worker : undefined;
  });
}

function killed(pid: number): void {
  process.kill(pid, "SIGKILL");
  waitUntil(`process ${pid} is gone`, () => !existsSync(`/proc/${pid}`));
}

async function started(shim: ShimFixture, bundle: Bundle): Promise<{ id: string; tasks: Tasks; started: Started }> {
  const id = shim.fixture.id().replaceAll("_", "-");
  const started = await shim.start(id, bundle);
  return { id, tasks: await shim.connect(started), started };
}

async function exitStatus(shim: ShimFixture, tasks: Tasks, id: string, bundle: Bundle): Promise<number> {
  await tasks.call("Create", { id, bundle: bundle.path, options: shim.options() });
  await tasks.call("Start", { id });
  return (await tasks.call("Wait", { id })).exitStatus;
}

/** kB of a process's memory without a file or a name, which is the engine's but for what the linker has put behind the program. */
function heapOf(pid: number, field: string): number {
  const mappings = readFileSync(`/proc/${pid}/smaps`, "utf8").split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  const values = mappings
    .filter((mapping) => /^7\S+ rw-p 0+ 00:00 0 *$/m.test(mapping))
    .map((mapping) => Number(new RegExp(`^${field}: +([0-9]+) kB`, "m").exec(mapping)?.[1]));
  return values.reduce((sum, value) => sum + value, 0);
}

needs(
  ahead,
  root,
  mounting,
  cgroups,
  need("Linux 5.14", isLinux(5, 14)),
)("a worker has taken its heap as a whole, so that neither it nor the shim copies it page by page", () =>
  withShim(async (shim) => {
    const bundle = shim.bundle("exit 3");
    const { id, tasks, started: shimOf } = await started(shim, bundle);
    const worker = await waiting(shim, tasks);
    assert.ok(heapOf(worker, "Private_Dirty") >= 128, `${heapOf(worker, "Private_Dirty")} kB`);
    assert.is(heapOf(worker, "Shared_Dirty"), 0);
    assert.is(await exitStatus(shim, tasks, id, bundle), 3);
    await shim.finish(id, tasks, shimOf);
  }),
);

test("without the worker that waited for Create, another makes the container", () =>
  withShim(async (shim) => {
    const bundle = shim.bundle("exit 3");
    const { id, tasks, started: shimOf } = await started(shim, bundle);
    killed(await waiting(shim, tasks));
    assert.is(await exitStatus(shim, tasks, id, bundle), 3);
    await shim.finish(id, tasks, shimOf);
  }));

test("without the worker that waited for Delete, another deletes the container", () =>
  withShim(async (shim) => {
    const bundle = shim.bundle("exit 3");
    const { id, tasks, started: shimOf } = await started(shim, bundle);
    assert.is(await exitStatus(shim, tasks, id, bundle), 3);
    killed(await waiting(shim, tasks));
    await shim.finish(id, tasks, shimOf);
  }));

test("a worker does not wait for a Delete that does not come, which works then, too", () =>
  withShim(async (shim) => {
    const bundle = shim.bundle("exit 3");
    const { id, tasks, started: shimOf } = await started(shim, bundle);
    assert.is(await exitStatus(shim, tasks, id, bundle), 3);
    const worker = await waiting(shim, tasks);
    waitUntil("it has ended", () => !existsSync(`/proc/${worker}`) || undefined);
    await shim.finish(id, tasks, shimOf);
  }));

test("a config.json that was changed after the shim had started is the one that counts", () =>
  withShim(async (shim) => {
    const bundle = shim.bundle("exit 3");
    const { id, tasks, started: shimOf } = await started(shim, bundle);
    await waiting(shim, tasks);
    const file = join(bundle.path, "config.json");
    writeFileSync(file, readFileSync(file, "utf8").replace("exit 3", "exit 4"));
    assert.is(await exitStatus(shim, tasks, id, bundle), 4);
    await shim.finish(id, tasks, shimOf);
  }));

test("a config.json that was broken meanwhile is refused", () =>
  withShim(async (shim) => {
    const bundle = shim.bundle("exit 3");
    const { id, tasks } = await started(shim, bundle);
    await waiting(shim, tasks);
    writeFileSync(join(bundle.path, "config.json"), "{}");
    await tasks.call("Create", { id, bundle: bundle.path, options: shim.options() }).then(
      () => assert.unreachable(),
      (error: Error) => assert.match(error.message, /OCI runtime create failed: .*config\.json/),
    );
    await tasks.call("Shutdown", { id });
    shim.assertNothingLeft();
  }));

test("the first container may be another than the one that was expected", () =>
  withShim(async (shim) => {
    const { tasks, started: shimOf } = await started(shim, shim.bundle("exit 3"));
    await waiting(shim, tasks);
    const other = shim.fixture.id().replaceAll("_", "-");
    assert.is(await exitStatus(shim, tasks, other, shim.bundle("exit 5")), 5);
    await shim.finish(other, tasks, shimOf);
  }));

test("the options of Create count, not those of start", () =>
  withShim(async (shim) => {
    const bundle = shim.bundle("true");
    const { id, tasks, started: shimOf } = await started(shim, bundle);
    await waiting(shim, tasks);
    const elsewhere = shim.fixture.path("elsewhere");
    await tasks.call("Create", { id, bundle: bundle.path, options: shim.options({ root: elsewhere }) });
    assert.is(existsSync(join(elsewhere, shim.namespace, id)), true);
    assert.is(existsSync(join(shim.stateRoot, id)), false);
    await shim.finish(id, tasks, shimOf);
  }));

/** The processes of a fixture's shims: forks have the command line of `start`. */
function processesOf(shim: ShimFixture): number[] {
  const called = (pid: string) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(`-namespace\0${shim.namespace}\0`);
    } catch {
      return false; // it has just ended
    }
  };
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && called(name))
    .map(Number);
}

test("a shim that got ready where another serves ends, with its worker", () =>
  withShim(async (shim) => {
    const bundle = shim.bundle("exit 3");
    const { id, tasks, started: shimOf } = await started(shim, bundle);
    const worker = await waiting(shim, tasks);
    const both = [await shim.pid(tasks), worker].sort();
    assert.is((await shim.start(id, bundle)).socket, shimOf.socket);
    waitUntil("the others have ended", () => processesOf(shim).length === 2 || undefined);
    assert.equal(processesOf(shim).sort(), both);
    assert.is(await exitStatus(shim, tasks, id, bundle), 3);
    await shim.finish(id, tasks, shimOf);
  }));

test("a shim that got ready ends when start fails, and leaves no socket", () =>
  withShim(async (shim) => {
    const bundle = shim.bundle("true");
    mkdirSync(join(bundle.path, "address"));
    mkdirSync(shim.socketDirectory);
    const params = encode(BOOTSTRAP_PARAMS, {
      instanceId: "one",
      namespace: shim.namespace,
      socketDir: shim.socketDirectory,
    });
    const { status, stderr } = await shim.run([...shim.flags("one"), "start"], bundle.path, params);
    assert.is(status, 1);
    assert.match(stderr, /address.*EISDIR/);
    waitUntil("all have ended", () => processesOf(shim).length === 0 || undefined);
    assert.equal(readdirSync(shim.socketDirectory), []);
  }));

for (const order of ["Create", "Delete"])
  test(`who waits for ${order} ends with its shim`, () =>
    withShim(async (shim) => {
      const bundle = shim.bundle("exit 3");
      const { id, tasks } = await started(shim, bundle);
      if (order === "Delete") assert.is(await exitStatus(shim, tasks, id, bundle), 3);
      const worker = await waiting(shim, tasks);
      process.kill(await shim.pid(tasks), "SIGKILL");
      waitUntil("the worker has ended", () => !existsSync(`/proc/${worker}`) || undefined);
      const { status } = await shim.run([...shim.flags(id), "-bundle", bundle.path, "delete"], bundle.path);
      assert.is(status, 0);
      shim.assertNothingLeft();
    }));

ahead.run();
