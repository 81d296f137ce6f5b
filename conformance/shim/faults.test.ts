/** Faults of the machine, of the caller, and of processes: what was begun is taken back, the shim goes on, and no end is lost. */
import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Bundle } from "../fixtures/bundle.ts";
import { findCgroups } from "../fixtures/cgroups.ts";
import { type ShimFixture, sleep, type Tasks, withShim } from "../fixtures/shim-fixture.ts";
import type { Refused } from "../fixtures/ttrpc.ts";
import { SHIM } from "../paths.ts";
import { cgroups, mounting, need, needs, program, root } from "../testing.ts";

const faults = suite("shim: faults");
const test = needs(faults, root, mounting, cgroups);

const SIGKILL = 9;
const SIGTERM = 15;

async function refusal(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => "it was not refused",
    (error: Refused) => error.message,
  );
}

const spec = (...args: string[]) => ({
  typeUrl: "",
  value: Buffer.from(JSON.stringify({ args, cwd: "/", user: { uid: 0, gid: 0 } })),
});

async function exec(tasks: Tasks, id: string, execId: string, ...args: string[]): Promise<number> {
  await tasks.call("Exec", { id, execId, spec: spec(...args) });
  const ended = tasks.call("Wait", { id, execId });
  await tasks.call("Start", { id, execId });
  const { exitStatus } = await ended;
  await tasks.call("Delete", { id, execId });
  return exitStatus;
}

/** No state, cgroup or process of a container whose Create was refused. */
function assertNothingMade(shim: ShimFixture, id: string): void {
  assert.is(existsSync(join(shim.stateRoot, id)), false, "state");
  assert.equal(findCgroups(shim.fixture.mark), []);
  assert.equal(
    shim.events.filter(({ message }) => message.containerId === id),
    [],
  );
}

test("a stream that is not there: the container is taken back, an added process is ended", () =>
  withShim(async (shim) => {
    const bundle = shim.bundle("exec sleep 1000");
    const id = shim.fixture.id();
    const started = await shim.start(id, bundle);
    const tasks = await shim.connect(started);
    const request = { id, bundle: bundle.path, options: shim.options() };
    const stdout = shim.fixture.path("nowhere");
    assert.match(await refusal(tasks.call("Create", { ...request, stdout })), /OCI runtime create failed: .*ENOENT/);
    await sleep(100);
    assertNothingMade(shim, id);
    await tasks.call("Create", request);
    await tasks.call("Start", { id });
    await tasks.call("Exec", { id, execId: "a", stdout, spec: spec("/bin/sleep", "1000") });
    assert.match(await refusal(tasks.call("Start", { id, execId: "a" })), /OCI runtime exec failed: .*ENOENT/);
    await tasks.call("Delete", { id, execId: "a" });
    await sleep(100);
    assert.is((await tasks.call("Pids", { id })).processes.length, 1);
    assert.is(await exec(tasks, id, "a", "/bin/true"), 0);
    await shim.finish(id, tasks, started);
    assert.equal(
      shim.topics().filter((topic) => topic === "/tasks/create"),
      ["/tasks/create"],
    );
  }));

const limited = needs(faults, root, mounting, cgroups, program("prlimit"));
limited("without descriptors calls are refused, connections wait quietly, and all goes on when there are some", () =>
  withShim(async (shim) => {
    const first = shim.bundle("exec sleep 1000");
    execFileSync("mkfifo", [join(first.path, "log")]);
    const log = openSync(join(first.path, "log"), constants.O_RDWR | constants.O_NONBLOCK);
    const { id, tasks, started } = await shim.create(first);
    await tasks.call("Start", { id });
    const pid = await shim.pid(tasks);
    const limit = (count: number) => execFileSync("prlimit", [`--pid=${pid}`, `--nofile=${count}:4096`]);
    const descriptors = () => readdirSync(`/proc/${pid}/fd`).length;
    const before = descriptors();
    const [stdin, stdout] = ["in", "out"].map((name) => shim.fixture.path(name)) as [string, string];
    execFileSync("mkfifo", [stdin, stdout]);
    const logger = { stdout: "binary:///bin/true" };
    const kinds = [{}, { stdin, stdout, stderr: stdout }, logger, { ...logger, terminal: true }];
    for (const [kind, streams] of kinds.entries())
      for (let free = 0; free < 20; free++) {
        limit(before + free);
        const member = shim.bundle("exec sleep 1000", (config) => {
          config.annotations = { "io.kubernetes.cri.sandbox-id": id };
          if (config.process !== undefined) config.process.terminal = "terminal" in streams;
        });
        const name = shim.fixture.id();
        const asked = { id: name, bundle: member.path, options: shim.options(), ...streams };
        const answer = await refusal(tasks.call("Create", asked));
        if (answer === "it was not refused") {
          limit(1024);
          await tasks.call("Delete", { id: name });
        } else assert.match(answer, /EMFILE/);
        for (let waited = 0; descriptors() > before && waited < 500; waited++) await sleep(10); // its worker ends
        assert.ok(descriptors() <= before, `${descriptors()} descriptors, not ${before}, kind ${kind}, ${free} free`);
        if (answer === "it was not refused") break;
        assert.is(existsSync(join(shim.stateRoot, name)), false, "state");
        const execId = `e${kind}-${free}`;
        await tasks.call("Exec", { id, execId, spec: spec("/bin/sleep", "1000") });
        await refusal(tasks.call("Start", { id, execId }));
        assert.is((await tasks.call("State", { id })).status, 2);
      }
    limit(before);
    const waiting = Array.from({ length: 20 }, () => shim.connect(started).then((other) => shim.pid(other)));
    await sleep(1000);
    const lines = Buffer.alloc(64 * 1024);
    const logged = lines.toString("utf8", 0, readSync(log, lines)).split("\n");
    const told = logged.filter((line) => line.includes("accept4"));
    assert.ok(told.length > 0 && told.length < 30, `${told.length} lines: ${told[0]}`);
    limit(1024);
    assert.equal(new Set(await Promise.all(waiting)), new Set([pid]));
    assert.is(await exec(tasks, id, "last", "/bin/true"), 0);
    await shim.finish(id, tasks, started);
  }),
);

limited("a reader who comes when there are no descriptors gets the output when there are some", () =>
  withShim(async (shim) => {
    const stdout = shim.fixture.path("out");
    execFileSync("mkfifo", [stdout]);
    const { id, tasks, started } = await shim.create(shim.bundle("echo written; exec sleep 1000"), { stdout });
    await tasks.call("Start", { id });
    const pid = await shim.pid(tasks);
    const limit = (count: number) => execFileSync("prlimit", [`--pid=${pid}`, `--nofile=${count}:4096`]);
    limit(3);
    const reader = openSync(stdout, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      await sleep(1500); // the shim looks for it each second at least
      const block = Buffer.alloc(100);
      assert.is(readSync(reader, block), 0);
      limit(1024);
      let text = "";
      for (let waited = 0; text === "" && waited < 500; waited++) {
        await sleep(10);
        text = readOf(reader, block);
      }
      assert.is(text, "written\n");
    } finally {
      closeSync(reader);
    }
    await shim.finish(id, tasks, started);
  }),
);

/** What there is to be read without waiting. */
function readOf(fd: number, block: Buffer): string {
  try {
    return block.toString("utf8", 0, readSync(fd, block));
  } catch {
    return ""; // somebody has opened the other end, and not written yet
  }
}

/** Mounts a tmpfs of so many pages for the time of `body`. */
async function withSmallDisk(shim: ShimFixture, pages: number, body: (path: string) => Promise<void>): Promise<void> {
  const path = shim.fixture.path(`small${pages}`);
  mkdirSync(path, { recursive: true });
  execFileSync("mount", ["-t", "tmpfs", "-o", `size=${4 * pages}k,mode=755`, "small", path]);
  try {
    await body(path);
  } finally {
    execFileSync("umount", ["-l", path]);
  }
}

/** A bundle on another filesystem than its root. */
function bundleAt(shim: ShimFixture, path: string, script: string): Bundle {
  const { rootfs, path: made } = shim.bundle(script, (config) => {
    config.root.path = "rootfs";
  });
  const config = JSON.parse(readFileSync(join(made, "config.json"), "utf8"));
  config.root.path = rootfs;
  writeFileSync(join(path, "config.json"), JSON.stringify(config));
  return { path, rootfs };
}

function fill(path: string): void {
  try {
    for (;;) appendFileSync(join(path, "filler"), Buffer.alloc(4096));
  } catch {
    // It is full.
  }
}

for (const pages of [1, 2])
  test(`a full disk of ${pages} pages for the state: Create says so, and leaves nothing`, () =>
    withShim(async (shim) =>
      withSmallDisk(shim, pages, async (path) => {
        const bundle = shim.bundle("exec sleep 1000");
        const id = shim.fixture.id();
        const tasks = await shim.connect(await shim.start(id, bundle));
        const request = { id, bundle: bundle.path, options: shim.options({ root: path }) };
        assert.match(await refusal(tasks.call("Create", request)), /OCI runtime create failed: .*ENOSPC/);
        assert.equal(readdirSync(join(path, shim.namespace)), []);
        assertNothingMade(shim, id);
        await tasks.call("Shutdown", { id });
        await tasks.client.closed;
      }),
    ));

test("a full disk for the bundle: no shim, no container, but no end is lost", () =>
  withShim(async (shim) => {
    await withSmallDisk(shim, 6, async (path) => {
      const id = shim.fixture.id().replaceAll("_", "-");
      const bundle = bundleAt(shim, path, "exec sleep 1000");
      fill(path);
      mkdirSync(shim.socketDirectory, { mode: 0o700 });
      const refused = await shim.run([...shim.flags(id), "start"], path);
      assert.is(refused.status, 1);
      assert.match(refused.stderr, /ENOSPC/);
      rmSync(join(path, "filler"));
      const started = await shim.start(id, bundle);
      const tasks = await shim.connect(started);
      const request = { id, bundle: path, options: shim.options() };
      fill(path);
      assert.match(await refusal(tasks.call("Create", request)), /OCI runtime create failed: .*ENOSPC/);
      await sleep(100);
      assertNothingMade(shim, id);
      rmSync(join(path, "filler"));
      await tasks.call("Create", request);
      await tasks.call("Start", { id });
      fill(path);
      await tasks.call("Kill", { id, signal: SIGKILL });
      assert.is((await tasks.call("Wait", { id })).exitStatus, 137);
      await shim.event("/tasks/exit");
      await tasks.call("Delete", { id });
      await tasks.call("Shutdown", { id });
      await tasks.client.closed;
      assert.is(existsSync(started.socket), false);
    });
    shim.assertNothingLeft();
  }));

test("Delete does not wait for a reader that has gone", () =>
  withShim(async (shim) => {
    const stdout = shim.fixture.path("out");
    execFileSync("mkfifo", [stdout]);
    const reader = openSync(stdout, constants.O_RDONLY | constants.O_NONBLOCK);
    const { id, tasks, started } = await shim.create(shim.bundle("exec yes"), { stdout });
    await tasks.call("Start", { id });
    await sleep(300); // until fifo and pipe are full
    closeSync(reader);
    await sleep(100);
    assert.is((await tasks.call("State", { id })).status, 2, "the container waits for the next one");
    await tasks.call("Kill", { id, signal: SIGKILL });
    await tasks.call("Wait", { id });
    let late = false;
    const timer = setTimeout(() => {
      late = true;
    }, 8000);
    await tasks.call("Delete", { id });
    clearTimeout(timer);
    assert.is(late, false);
    await tasks.call("Shutdown", { id });
    await tasks.client.closed;
    assert.is(existsSync(started.socket), false);
    shim.assertNothingLeft();
  }));

test("a process that is stopped by a signal can be added to, paused, killed and deleted", () =>
  withShim(async (shim) => {
    const { id, tasks, started } = await shim.create(shim.bundle("exec sleep 1000"));
    const { pid } = await tasks.call("Start", { id });
    process.kill(pid, "SIGSTOP");
    assert.is((await tasks.call("State", { id })).status, 2);
    assert.is(await exec(tasks, id, "a", "/bin/true"), 0);
    await tasks.call("Pause", { id });
    await tasks.call("Resume", { id });
    await tasks.call("Kill", { id, signal: SIGTERM });
    await sleep(50);
    assert.is((await tasks.call("State", { id })).status, 2);
    await tasks.call("Kill", { id, signal: SIGKILL });
    assert.is((await tasks.call("Wait", { id })).exitStatus, 137);
    await shim.finish(id, tasks, started);
  }));

test("a shim that was stopped for a while has missed nothing", () =>
  withShim(async (shim) => {
    const { id, tasks, started } = await shim.create(shim.bundle("sleep 0.2; exit 6"));
    await tasks.call("Start", { id });
    const pid = await shim.pid(tasks);
    process.kill(pid, "SIGSTOP");
    const waited = tasks.call("Wait", { id });
    await sleep(1500);
    process.kill(pid, "SIGCONT");
    assert.is((await waited).exitStatus, 6);
    await shim.event("/tasks/exit");
    await shim.finish(id, tasks, started);
  }));

const ownClock = needs(
  faults,
  root,
  mounting,
  cgroups,
  need("a machine whose clock may be set", existsSync("/vm/command")),
);
for (const [what, jump] of [
  ["an hour back", -3600],
  ["an hour on", 3600],
] as const)
  ownClock(`the clock is set ${what}: nobody waits longer, or less`, () =>
    withShim(async (shim) => {
      const set = (seconds: number) => execFileSync("date", ["-s", `@${Math.floor(Date.now() / 1000) + seconds}`]);
      const stdout = shim.fixture.path("nobody");
      execFileSync("mkfifo", [stdout]);
      const { id, tasks, started } = await shim.create(shim.bundle("exec yes"), { stdout });
      await tasks.call("Start", { id });
      await tasks.call("Kill", { id, signal: SIGKILL });
      await tasks.call("Wait", { id });
      const began = performance.now();
      const deleted = tasks.call("Delete", { id });
      await sleep(100);
      set(jump);
      try {
        await tasks.call("State", { id }, 5000);
        await deleted;
        const tookMs = performance.now() - began;
        assert.ok(tookMs > 9000 && tookMs < 30_000, `${tookMs} ms until nobody was waited for any more`);
      } finally {
        set(-jump);
      }
      await tasks.call("Shutdown", { id });
      await tasks.client.closed;
      assert.is(existsSync(started.socket), false);
    }),
  );

/** A program that takes output: what it does first, and then the lines in a file. */
function logger(shim: ShimFixture, first: string): { readonly uri: string; readonly lines: () => string } {
  const kept = shim.fixture.path("kept");
  const path = shim.file(`logger-${first.length}`, `#!/bin/sh\n${first}\ncat <&3 >>${kept}\ncat <&4 >>${kept}\n`);
  chmodSync(path, 0o755);
  return { uri: `binary-v2://${path}`, lines: () => readFileSync(kept, "utf8") };
}

test("binary-v2:// is ready by a byte; a logger that ends before it is refused, as is one that can not be run", () =>
  withShim(async (shim) => {
    const bundle = shim.bundle("seq 100; echo err >&2");
    const id = shim.fixture.id();
    const started = await shim.start(id, bundle);
    const tasks = await shim.connect(started);
    const request = { id, bundle: bundle.path, options: shim.options() };
    const create = (stdout: string) => tasks.call("Create", { ...request, stdout, stderr: stdout });
    const closing = logger(shim, "exec 5>&-");
    assert.match(await refusal(create(closing.uri)), /the logger ended before it was ready/);
    assert.match(await refusal(create(logger(shim, "exit 1").uri)), /the logger ended before it was ready/);
    const plain = shim.file("plain");
    assert.match(await refusal(create(`binary-v2://${plain}`)), /faccessat\(2\) .*plain.*EACCES/);
    assert.match(await refusal(create("binary-v2://logger")), /must be absolute/);
    assertNothingMade(shim, id);
    const good = logger(shim, "printf r >&5; exec 5>&-");
    await create(good.uri);
    await tasks.call("Start", { id });
    await tasks.call("Wait", { id });
    await tasks.call("Delete", { id });
    assert.is(good.lines(), `${Array.from({ length: 100 }, (_, index) => index + 1).join("\n")}\nerr\n`);
    await tasks.call("Shutdown", { id });
    await tasks.client.closed;
    assert.is(existsSync(started.socket), false);
    shim.assertNothingLeft();
  }));

test("another binary takes the place of a shim's own: the pod goes on, and the new one deletes what is left", () =>
  withShim(async (shim) => {
    const path = shim.fixture.path("containerd-shim-reg-v2");
    copyFileSync(SHIM, path);
    shim.program = path;
    const bundle = shim.bundle("exec sleep 1000");
    const { id, tasks, started } = await shim.create(bundle);
    await tasks.call("Start", { id });
    copyFileSync(SHIM, `${path}.new`);
    appendFileSync(`${path}.new`, "another");
    renameSync(`${path}.new`, path);
    assert.is(await exec(tasks, id, "a", "/bin/true"), 0);
    const member = shim.bundle("exec sleep 1000", (config) => {
      config.annotations = { "io.kubernetes.cri.sandbox-id": id };
    });
    const name = shim.fixture.id();
    assert.equal(await shim.start(name, member), started);
    await tasks.call("Create", { id: name, bundle: member.path, options: shim.options() });
    await tasks.call("Start", { id: name });
    process.kill(await shim.pid(tasks), "SIGKILL");
    await tasks.client.closed;
    // A record of a version to come: with more than is known now.
    const record = join(member.path, "shim.json");
    const known = JSON.parse(readFileSync(record, "utf8"));
    writeFileSync(record, JSON.stringify({ ...known, version: 7, more: { of: ["it"] } }));
    for (const [each, at] of [
      [name, member],
      [id, bundle],
    ] as const) {
      const { status, stderr } = await shim.run([...shim.flags(each), "-bundle", at.path, "delete"], at.path);
      assert.equal([status, stderr], [0, ""]);
    }
    assert.is(existsSync(started.socket), false);
    shim.assertNothingLeft();
  }));

faults.run();
