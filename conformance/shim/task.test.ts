/** The life of containers in a shim: exit, streams, terminals, further processes, events; each as its callers count on it. */
import { execFileSync } from "node:child_process";
import {
  closeSync,
  constants,
  createReadStream,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  writeSync,
} from "node:fs";
import { open } from "node:fs/promises";
import { getPriority } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { decode, type MessageTable } from "../../runtime/linux/protobuf.ts";
import { METRICS_V1, METRICS_V2 } from "../../runtime/shim/proto/metrics.ts";
import { findCgroups } from "../fixtures/cgroups.ts";
import { privateKb, type ShimFixture, sleep, type Tasks, withShim } from "../fixtures/shim-fixture.ts";
import type { Refused } from "../fixtures/ttrpc.ts";
import { cgroups, mounting, need, needs, nicing, root } from "../testing.ts";

const task = suite("shim: task");
const test = needs(task, root, mounting, cgroups);

const SIGKILL = 9;

function fifo(shim: ShimFixture, name: string): string {
  const path = shim.fixture.path(name);
  execFileSync("mkfifo", ["-m", "700", path]);
  return path;
}

/** Reads a fifo to its end, beginning now. */
function reading(path: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const parts: Buffer[] = [];
    createReadStream(path)
      .on("data", (part) => parts.push(part as Buffer))
      .on("end", () => resolve(Buffer.concat(parts)))
      .on("error", reject);
  });
}

function processSpec(args: readonly string[]) {
  const value = { args, cwd: "/", env: ["PATH=/bin"], user: { uid: 0, gid: 0 } };
  return {
    typeUrl: "types.containerd.io/opencontainers/runtime-spec/1/Process",
    value: Buffer.from(JSON.stringify(value)),
  };
}

/** Adds a process, runs it to its end, deletes it. Returns its status. */
async function runExec(tasks: Tasks, id: string, execId: string, args: readonly string[]): Promise<number> {
  await tasks.call("Exec", { id, execId, spec: processSpec(args) });
  const ended = tasks.call("Wait", { id, execId });
  await tasks.call("Start", { id, execId });
  const { exitStatus } = await ended;
  const deleted = await tasks.call("Delete", { id, execId });
  assert.is(deleted.exitStatus, exitStatus);
  return exitStatus;
}

async function refusal(call: Promise<unknown>): Promise<Refused> {
  return call.then(
    () => {
      throw new Error("it was not refused");
    },
    (error: Refused) => error,
  );
}

const ENDS: readonly (readonly [what: string, script: string, status: number])[] = [
  ["true", "true", 0],
  ["false", "false", 1],
  ["exit 3", "exit 3", 3],
  ["a signal that kills it", "sleep 1000", 137],
];
for (const [what, script, status] of ENDS)
  test(`${what}: status ${status} from Wait, State, Delete and the event, and nothing left`, () =>
    withShim(async (shim) => {
      const bundle = shim.bundle(script === "sleep 1000" ? "exec sleep 1000" : script);
      const { id, tasks, started } = await shim.create(bundle);
      const waited = tasks.call("Wait", { id });
      const { pid } = await tasks.call("Start", { id });
      if (status === 137) await tasks.call("Kill", { id, signal: SIGKILL });
      const { exitStatus, exitedAt } = await waited;
      assert.is(exitStatus, status);
      const state = await tasks.call("State", { id });
      assert.equal([state.status, state.exitStatus, state.pid], [3, status, pid]);
      assert.equal(state.exitedAt, exitedAt);
      assert.is((await tasks.call("Pids", { id })).processes[0]?.pid, pid);
      assert.equal(await tasks.call("Delete", { id }), { pid, exitStatus: status, exitedAt });
      assert.is((await refusal(tasks.call("Delete", { id }))).code, 5);
      const deleted = await shim.event("/tasks/delete");
      assert.equal(shim.topics(), ["/tasks/create", "/tasks/start", "/tasks/exit", "/tasks/delete"]);
      assert.equal(shim.events[2]?.message, { containerId: id, id, pid, exitStatus: status, exitedAt });
      assert.is(deleted.namespace, shim.namespace);
      await tasks.call("Shutdown", { id });
      await tasks.client.closed;
      assert.is(existsSync(started.socket), false);
      shim.assertNothingLeft();
    }));

test("state is where `reg --root list` finds it", () =>
  withShim(async (shim) => {
    const { id, tasks, started } = await shim.create(shim.bundle("exec sleep 1000"));
    await tasks.call("Start", { id });
    const listed = shim.fixture.host(process.env.REG ?? "build/reg", "--root", shim.stateRoot, "list");
    assert.match(listed.stdout, new RegExp(`${id} +\\d+ +running`));
    await shim.finish(id, tasks, started);
  }));

test("output is complete, from one byte to a megabyte, however fast the process ends", () =>
  withShim(async (shim) => {
    for (const bytes of [1, 65536, 1024 * 1024]) {
      for (let round = 0; round < 5; round++) {
        const [stdout, stderr] = [fifo(shim, `out${bytes}-${round}`), fifo(shim, `err${bytes}-${round}`)];
        const [out, error] = [reading(stdout), reading(stderr)];
        const bundle = shim.bundle(`head -c ${bytes} /dev/zero; printf e >&2`);
        const { id, tasks, started } = await shim.create(bundle, { stdout, stderr });
        await tasks.call("Start", { id });
        assert.is((await out).length, bytes);
        assert.is((await error).toString(), "e");
        await shim.finish(id, tasks, started);
      }
    }
  }));

test("a reader that comes late gets all, and one that never comes holds up nothing", () =>
  withShim(async (shim) => {
    const stdout = fifo(shim, "late");
    const { id, tasks, started } = await shim.create(shim.bundle("echo words"), { stdout });
    await tasks.call("Start", { id });
    await tasks.call("Wait", { id });
    assert.is((await tasks.call("State", { id })).status, 3);
    await sleep(300);
    assert.is((await reading(stdout)).toString(), "words\n");
    await shim.finish(id, tasks, started);
  }));

test("a slow reader costs no memory, and gets every byte", () =>
  withShim(async (shim) => {
    const stdout = fifo(shim, "slow");
    const size = 16 * 1024 * 1024;
    const fd = openSync(stdout, constants.O_RDONLY | constants.O_NONBLOCK);
    const { id, tasks, started } = await shim.create(shim.bundle(`head -c ${size} /dev/zero`), { stdout });
    await tasks.call("Start", { id });
    const pid = await shim.pid(tasks);
    const before = privateKb(pid);
    await sleep(300);
    assert.ok(privateKb(pid) - before < 200, `${privateKb(pid) - before} kB more`);
    assert.is((await tasks.call("State", { id })).status, 2);
    const out = reading(stdout);
    closeSync(fd);
    assert.is((await out).length, size);
    await shim.finish(id, tasks, started);
  }));

test("input goes through, and CloseIO ends it after the last byte", () =>
  withShim(async (shim) => {
    const [stdin, stdout] = [fifo(shim, "in"), fifo(shim, "out")];
    const out = reading(stdout);
    const { id, tasks, started } = await shim.create(shim.bundle("exec cat"), { stdin, stdout });
    await tasks.call("Start", { id });
    const fd = openSync(stdin, "w");
    const block = Buffer.alloc(64 * 1024, "x");
    for (let sent = 0; sent < 1024 * 1024; ) {
      try {
        sent += writeSync(fd, block, 0, Math.min(block.length, 1024 * 1024 - sent));
      } catch {
        await sleep(1);
      }
      await sleep(0);
    }
    closeSync(fd);
    await sleep(50);
    assert.is((await tasks.call("State", { id })).status, 2, "a caller that goes does not end the input");
    await tasks.call("CloseIO", { id, stdin: true });
    assert.is((await out).length, 1024 * 1024);
    assert.is((await tasks.call("Wait", { id })).exitStatus, 0);
    await shim.finish(id, tasks, started);
  }));

test("CloseIO before the start of a process is remembered", () =>
  withShim(async (shim) => {
    const { id, tasks, started } = await shim.create(shim.bundle("exec sleep 1000"));
    await tasks.call("Start", { id });
    const [stdin, stdout] = [fifo(shim, "in"), fifo(shim, "out")];
    const out = reading(stdout);
    await tasks.call("Exec", { id, execId: "a", stdin, stdout, spec: processSpec(["/bin/cat"]) });
    await tasks.call("CloseIO", { id, execId: "a", stdin: true });
    await tasks.call("Start", { id, execId: "a" });
    assert.is((await tasks.call("Wait", { id, execId: "a" })).exitStatus, 0);
    assert.is((await out).length, 0);
    await shim.finish(id, tasks, started);
  }));

test("who has opened the fifos of a process need not wait for its start, which may never come", () =>
  withShim(async (shim) => {
    const { id, tasks, started } = await shim.create(shim.bundle("exec sleep 1000"));
    await tasks.call("Start", { id });
    const pid = await shim.pid(tasks);
    const descriptors = () => readdirSync(`/proc/${pid}/fd`).length;
    const before = descriptors();
    const [stdout, stderr] = [fifo(shim, "out"), fifo(shim, "err")];
    const spec = processSpec(["/bin/cat"]);
    // Each open(2) waits for the other side.
    const opening = Promise.all([open(stdout, "r"), open(stderr, "r")]);
    await tasks.call("Exec", { id, execId: "a", stdout, stderr, spec });
    const files = await Promise.race([opening, sleep(5000)]);
    assert.ok(files !== undefined, "a fifo was not opened");
    await tasks.call("Delete", { id, execId: "a" });
    assert.is(descriptors(), before);
    assert.is((await files[0].read()).bytesRead, 0);
    for (const file of files) await file.close();
    // What is not there is said by Start.
    await tasks.call("Exec", { id, execId: "b", stdin: "/nowhere/in", stdout: "/nowhere/out", spec });
    assert.match((await refusal(tasks.call("Start", { id, execId: "b" }))).message, /\/nowhere\/.*ENOENT/);
    await tasks.call("Delete", { id, execId: "b" });
    assert.is(descriptors(), before);
    await shim.finish(id, tasks, started);
  }));

// A caller's own input may end as soon as the fifo opens; ctr says CloseIO of none that it has not got the answer for.
test("nobody reads an input before there is a process that is known to the caller", () =>
  withShim(async (shim) => {
    const [stdin, stdout, looked] = [fifo(shim, "in"), fifo(shim, "out"), shim.fixture.path("looked")];
    // It is there before init waits to be started; open(2) waits for who reads.
    const look = `timeout 0.3 sh -c ': >${stdin}'; echo $? >${looked}`;
    const bundle = shim.bundle("exec cat", (spec) => {
      spec.hooks = { createRuntime: [{ path: "/bin/sh", args: ["sh", "-c", look] }] };
    });
    const { id, tasks, started } = await shim.create(bundle, { stdin, stdout });
    assert.is(readFileSync(looked, "utf8"), "124\n", "it was opened while the container was made");
    // Without Start too, for who waits for that.
    const waiting = await open(stdin, "w");
    await waiting.close();
    await tasks.call("Start", { id });
    const added = { id, execId: "a", stdin: fifo(shim, "in-a"), stdout: fifo(shim, "out-a") };
    const opening = open(added.stdin, "w");
    await tasks.call("Exec", { ...added, spec: processSpec(["/bin/cat"]) });
    assert.is(await Promise.race([opening.then(() => "opened"), sleep(200)]), undefined);
    await tasks.call("Start", { id, execId: "a" });
    const file = await opening;
    await file.write("words");
    await file.close();
    await tasks.call("CloseIO", { id, execId: "a", stdin: true });
    await sleep(100); // who reads comes last
    assert.is((await reading(added.stdout)).toString(), "words");
    assert.is((await tasks.call("Wait", { id, execId: "a" })).exitStatus, 0);
    await shim.finish(id, tasks, started);
  }));

test("a terminal: size, echo, the last words, and no descriptor left", () =>
  withShim(async (shim) => {
    const { id, tasks, started } = await shim.create(shim.bundle("exec sleep 1000"));
    await tasks.call("Start", { id });
    const pid = await shim.pid(tasks);
    const descriptors = () => readdirSync(`/proc/${pid}/fd`).length;
    const before = descriptors();
    for (let round = 0; round < 20; round++) {
      const [stdin, stdout] = [fifo(shim, `in${round}`), fifo(shim, `out${round}`)];
      const out = reading(stdout);
      const execId = `tty${round}`;
      const spec = processSpec(["/bin/sh", "-c", "read go; stty size; echo end"]);
      await tasks.call("Exec", { id, execId, terminal: true, stdin, stdout, spec });
      await tasks.call("Start", { id, execId });
      await tasks.call("ResizePty", { id, execId, width: 120, height: 40 });
      const fd = openSync(stdin, "w");
      writeSync(fd, "go\n");
      assert.is((await out).toString(), "go\r\n40 120\r\nend\r\n");
      closeSync(fd);
      await tasks.call("Wait", { id, execId });
      await tasks.call("Delete", { id, execId });
    }
    assert.is(descriptors(), before);
    await shim.finish(id, tasks, started);
  }));

test("a terminal as a container's own", () =>
  withShim(async (shim) => {
    const stdout = fifo(shim, "out");
    const out = reading(stdout);
    const bundle = shim.bundle("tty; exit 4", (spec) => {
      spec.process.terminal = true;
    });
    const { id, tasks, started } = await shim.create(bundle, { stdout, terminal: true });
    await tasks.call("Start", { id });
    assert.is((await tasks.call("Wait", { id })).exitStatus, 4);
    assert.match((await out).toString(), /^\/dev\/(pts\/0|console)\r\n$/);
    await shim.finish(id, tasks, started);
  }));

test("a terminal that Create has not asked for is refused, and leaves nothing", () =>
  withShim(async (shim) => {
    const bundle = shim.bundle("exec sleep 1000", (spec) => {
      spec.process.terminal = true;
    });
    const id = shim.fixture.id();
    const tasks = await shim.connect(await shim.start(id, bundle));
    const before = readdirSync(`/proc/${await shim.pid(tasks)}/fd`).length;
    const { message } = await refusal(tasks.call("Create", { id, bundle: bundle.path, options: shim.options() }));
    assert.match(message, /has a terminal, for which the caller did not ask \[\/process\/terminal\]/);
    assert.is((await tasks.call("Connect", { id })).taskPid, 0);
    assert.ok(readdirSync(`/proc/${await shim.pid(tasks)}/fd`).length <= before);
    await tasks.call("Shutdown", { id });
    await tasks.client.closed;
    shim.assertNothingLeft();
  }));

test("file:// appends both streams, binary:// gives them to a program that gets every line", () =>
  withShim(async (shim) => {
    const file = shim.fixture.path("deep/log");
    const first = await shim.create(shim.bundle("echo out; echo err >&2"), {
      stdout: `file://${file}`,
      stderr: `file://${file}`,
    });
    await first.tasks.call("Start", { id: first.id });
    await first.tasks.call("Wait", { id: first.id });
    await first.tasks.call("Delete", { id: first.id });
    assert.equal(readFileSync(file, "utf8").split("\n").sort(), ["", "err", "out"]);
    const kept = shim.fixture.path("kept");
    const logger = shim.file(
      "logger",
      `#!/bin/sh\nexec 5>&-\necho "$CONTAINER_ID $1 $2" >${kept}\ncat <&3 >>${kept}\ncat <&4 >>${kept}\necho end >>${kept}\n`,
    );
    execFileSync("chmod", ["755", logger]);
    const { id, tasks, started } = await shim.create(shim.bundle("seq 1000; echo err >&2"), {
      stdout: `binary://${logger}?key=value`,
      stderr: `binary://${logger}?key=value`,
    });
    await tasks.call("Start", { id });
    await tasks.call("Wait", { id });
    await tasks.call("Delete", { id });
    const lines = readFileSync(kept, "utf8").trim().split("\n");
    assert.equal(
      [lines[0], lines[1], lines[1000], lines[1001], lines[1002]],
      [`${id} key value`, "1", "1000", "err", "end"],
    );
    await tasks.call("Shutdown", { id });
    await tasks.client.closed;
    assert.is(existsSync(started.socket), false);
  }));

test("a process that keeps the stream open does not hold the exit back; Delete ends the reader", () =>
  withShim(async (shim) => {
    const { id, tasks, started } = await shim.create(shim.bundle("exec sleep 1000"));
    await tasks.call("Start", { id });
    const stdout = fifo(shim, "out");
    const out = reading(stdout);
    const spec = processSpec(["/bin/sh", "-c", "sleep 1000 & echo started"]);
    await tasks.call("Exec", { id, execId: "a", stdout, spec });
    await tasks.call("Start", { id, execId: "a" });
    await tasks.call("Wait", { id, execId: "a" });
    const began = Date.now();
    await tasks.call("Delete", { id, execId: "a" });
    assert.ok(Date.now() - began < 11_500);
    assert.is((await out).toString(), "started\n");
    await shim.finish(id, tasks, started);
  }));

test("500 added processes, 50 at a time: each exit after its start, statuses right, memory and descriptors flat", () =>
  withShim(async (shim) => {
    const { id, tasks, started } = await shim.create(shim.bundle("exec sleep 1000"));
    await tasks.call("Start", { id });
    const pid = await shim.pid(tasks);
    let slowest = 0;
    let polling = true;
    const poll = (async () => {
      const other = await shim.connect(started);
      while (polling) {
        const began = Date.now();
        await other.call("State", { id });
        slowest = Math.max(slowest, Date.now() - began);
        await sleep(20);
      }
    })();
    const round = async (name: string) => {
      const statuses = await Promise.all(
        Array.from({ length: 50 }, (_, index) =>
          runExec(tasks, id, `${name}-${index}`, ["/bin/sh", "-c", `exit ${index}`]),
        ),
      );
      assert.equal(
        statuses,
        Array.from({ length: 50 }, (_, index) => index),
      );
    };
    await round("first");
    for (let count = 1; count < 6; count++) await round(`second${count}`); // until the most that are under way have had their memory
    await sleep(500);
    const [memory, descriptors] = [privateKb(pid), readdirSync(`/proc/${pid}/fd`).length];
    for (let count = 1; count < 5; count++) await round(`more${count}`);
    polling = false;
    await poll;
    await sleep(500);
    assert.ok(privateKb(pid) - memory < 400, `${privateKb(pid) - memory} kB more`);
    assert.ok(readdirSync(`/proc/${pid}/fd`).length <= descriptors);
    assert.ok(slowest < 1000, `State took ${slowest} ms`);
    const seen = new Set<unknown>();
    for (const { topic, message } of shim.events) {
      if (topic === "/tasks/exec-started") seen.add(message.execId);
      if (topic === "/tasks/exit") assert.ok(seen.has(message.id), `the exit of ${message.id} before its start`);
    }
    await shim.finish(id, tasks, started);
  }));

test("workers that wait for something delay nothing of another container", () =>
  withShim(async (shim) => {
    const { id, tasks, started } = await shim.create(shim.bundle("exec sleep 1000"));
    await tasks.call("Start", { id });
    const gate = fifo(shim, "gate");
    const settled: string[] = [];
    const waiting = Array.from({ length: 8 }, async () => {
      const member = shim.bundle("true", (spec) => {
        spec.annotations = { "io.kubernetes.cri.sandbox-id": id };
        spec.hooks = { createRuntime: [{ path: "/bin/sh", args: ["sh", "-c", `cat ${gate}; exit 1`] }] };
      });
      const name = shim.fixture.id();
      await refusal(tasks.call("Create", { id: name, bundle: member.path, options: shim.options() }));
      settled.push(name);
    });
    for (let count = 0; count < 5; count++) assert.is(await runExec(tasks, id, `e${count}`, ["/bin/true"]), 0);
    assert.equal(settled, [], "all eight wait for their hooks still");
    for (let opened = 0; settled.length < 8 && opened < 100; opened++) {
      closeSync(openSync(gate, constants.O_RDWR | constants.O_NONBLOCK)); // a writer comes, and goes
      await sleep(50);
    }
    await Promise.all(waiting);
    await shim.finish(id, tasks, started);
  }));

const chosen = needs(task, root, mounting, cgroups, need("a nice value of 0", getPriority() === 0), nicing);
chosen("the shim goes first, and what it starts does not", () =>
  withShim(async (shim) => {
    const { id, tasks, started } = await shim.create(shim.bundle("exec sleep 1000"));
    const { pid } = await tasks.call("Start", { id });
    await tasks.call("Exec", { id, execId: "a", spec: processSpec(["/bin/sleep", "1000"]) });
    const added = (await tasks.call("Start", { id, execId: "a" })).pid;
    assert.equal([await shim.pid(tasks), pid, added].map(getPriority), [-10, 0, 0]);
    await shim.finish(id, tasks, started);
  }),
);

test("all exits of added processes come before that of their init, which nobody outlives", () =>
  withShim(async (shim) => {
    for (const shared of [false, true]) {
      const bundle = shim.bundle("exec sleep 1000", (spec) => {
        if (shared) spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== "pid");
      });
      const { id, tasks, started } = await shim.create(bundle);
      await tasks.call("Start", { id });
      for (let index = 0; index < 20; index++) {
        await tasks.call("Exec", { id, execId: `e${index}`, spec: processSpec(["/bin/sleep", "1000"]) });
        await tasks.call("Start", { id, execId: `e${index}` });
      }
      shim.events.length = 0;
      await tasks.call("Kill", { id, signal: SIGKILL });
      await tasks.call("Wait", { id });
      const exits = () => shim.events.filter(({ topic }) => topic === "/tasks/exit");
      for (let waited = 0; exits().length < 21 && waited < 200; waited++) await sleep(10);
      const ids = exits().map(({ message }) => message.id);
      assert.is(ids.length, 21);
      assert.is(ids.at(-1), id);
      assert.is((await refusal(tasks.call("Exec", { id, execId: "late", spec: processSpec(["/bin/true"]) }))).code, 9);
      await shim.finish(id, tasks, started);
    }
  }));

test("what can not be run is said, leaves nothing, and its id can be used again", () =>
  withShim(async (shim) => {
    const missing = shim.bundle("true", (spec) => {
      spec.process.args = ["nowhere"];
    });
    const failed = shim.fixture.id();
    const started = await shim.start(failed, missing);
    const tasks = await shim.connect(started);
    const create = tasks.call("Create", { id: failed, bundle: missing.path, options: shim.options() });
    const error = await refusal(create.then(() => tasks.call("Start", { id: failed })));
    assert.match(error.message, /OCI runtime (create|start) failed: .*executable file not found in \$PATH/);
    await tasks.call("Delete", { id: failed }).catch(() => undefined);
    await tasks.call("Shutdown", { id: failed });
    await tasks.client.closed;
    const { id, tasks: others, started: second } = await shim.create(shim.bundle("exec sleep 1000"));
    await others.call("Start", { id });
    await others.call("Exec", { id, execId: "a", spec: processSpec(["nowhere"]) });
    assert.match(
      (await refusal(others.call("Start", { id, execId: "a" }))).message,
      /OCI runtime exec failed: .*nowhere/,
    );
    await others.call("Delete", { id, execId: "a" });
    assert.is(await runExec(others, id, "a", ["/bin/true"]), 0);
    assert.is(
      (await refusal(others.call("Exec", { id, execId: "b", spec: { typeUrl: "", value: Buffer.from('{"args":7}') } })))
        .code,
      2,
    );
    await shim.finish(id, others, second);
  }));

test("a config with thousands of faults is refused with the first of them", () =>
  withShim(async (shim) => {
    const bundle = shim.bundle("true", (spec) => {
      spec.mounts = Array.from({ length: 5000 }, () => ({ destination: 7 as unknown as string }));
    });
    const id = shim.fixture.id();
    const tasks = await shim.connect(await shim.start(id, bundle));
    const error = await refusal(tasks.call("Create", { id, bundle: bundle.path, options: shim.options() }));
    assert.match(error.message, /OCI runtime create failed: .*5000 faults[\s\S]*\/mounts\/0\/destination/);
    assert.is((await tasks.call("Connect", { id })).taskPid, 0);
  }));

test("pause, resume: the states, no exec meanwhile, and SIGKILL ends what is paused", () =>
  withShim(async (shim) => {
    const { id, tasks, started } = await shim.create(shim.bundle("exec sleep 1000"));
    await tasks.call("Start", { id });
    await tasks.call("Pause", { id });
    assert.is((await tasks.call("State", { id })).status, 4);
    await refusal(tasks.call("Exec", { id, execId: "a", spec: processSpec(["/bin/true"]) }));
    await refusal(tasks.call("Pause", { id }));
    await tasks.call("Resume", { id });
    assert.is((await tasks.call("State", { id })).status, 2);
    await tasks.call("Pause", { id });
    await shim.event("/tasks/paused");
    await shim.event("/tasks/resumed");
    await shim.finish(id, tasks, started);
  }));

test("Kill: what is not created, what has ended, what does not exist", () =>
  withShim(async (shim) => {
    const { id, tasks, started } = await shim.create(shim.bundle("exec sleep 1000"));
    await tasks.call("Start", { id });
    await tasks.call("Exec", { id, execId: "a", spec: processSpec(["/bin/true"]) });
    assert.is((await refusal(tasks.call("Kill", { id, execId: "a", signal: 9 }))).code, 9);
    await tasks.call("Start", { id, execId: "a" });
    await tasks.call("Wait", { id, execId: "a" });
    assert.is((await refusal(tasks.call("Kill", { id, execId: "a", signal: 9 }))).code, 5);
    assert.is((await refusal(tasks.call("Kill", { id, execId: "none", signal: 9 }))).code, 5);
    assert.match((await refusal(tasks.call("Delete", { id }))).message, /cannot delete a running process/);
    await shim.finish(id, tasks, started);
  }));

test("a container that was never started can be deleted", () =>
  withShim(async (shim) => {
    const { id, tasks, started } = await shim.create(shim.bundle("true"));
    assert.is((await tasks.call("State", { id })).status, 1);
    assert.is((await tasks.call("Delete", { id })).exitStatus, 137);
    await tasks.call("Shutdown", { id });
    await tasks.client.closed;
    assert.is(existsSync(started.socket), false);
    shim.assertNothingLeft();
  }));

test("Update changes limits; Stats and Pids tell what is there", () =>
  withShim(async (shim) => {
    const { id, tasks, started } = await shim.create(shim.bundle("exec sleep 1000"));
    await tasks.call("Start", { id });
    const resources = {
      typeUrl: "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources",
      value: Buffer.from('{"pids":{"limit":44}}'),
    };
    await tasks.call("Update", { id, resources });
    await tasks.call("Exec", { id, execId: "a", spec: processSpec(["/bin/sleep", "1000"]) });
    await tasks.call("Start", { id, execId: "a" });
    const { processes } = await tasks.call("Pids", { id });
    assert.is(processes.length, 2);
    assert.equal(processes.map(({ info }) => Buffer.from(info?.value ?? []).toString("latin1")).sort(), [
      "",
      "\n\x01a",
    ]);
    const { stats } = await tasks.call("Stats", { id });
    assert.match(stats?.typeUrl ?? "", /^io\.containerd\.cgroups\.v[12]\.Metrics$/);
    const table: MessageTable = stats?.typeUrl.includes(".v1.") ? METRICS_V1 : METRICS_V2;
    const metrics = decode(table, stats?.value ?? new Uint8Array(0)) as { pids?: { current: number; limit: number } };
    assert.equal(metrics.pids, { current: 2, limit: 44 });
    await tasks.call("Kill", { id, signal: SIGKILL });
    await tasks.call("Wait", { id });
    assert.is((await tasks.call("Stats", { id })).stats?.typeUrl, stats?.typeUrl, "after the end too");
    assert.ok(findCgroups(shim.fixture.mark).length > 0);
    await shim.finish(id, tasks, started);
  }));

test("TaskOOM comes before TaskExit", () =>
  withShim(async (shim) => {
    const bundle = shim.bundle("exec tail /dev/zero", (spec) => {
      spec.linux.resources = { memory: { limit: 16 * 1024 * 1024, swap: 16 * 1024 * 1024 } };
    });
    const { id, tasks, started } = await shim.create(bundle);
    await tasks.call("Start", { id });
    assert.is((await tasks.call("Wait", { id })).exitStatus, 137);
    await shim.event("/tasks/exit");
    assert.ok(shim.topics().includes("/tasks/oom"), shim.topics().join(" "));
    assert.ok(shim.topics().indexOf("/tasks/oom") < shim.topics().indexOf("/tasks/exit"));
    await shim.finish(id, tasks, started);
  }));

test("events that nobody takes wait for containerd, in their order", () =>
  withShim(async (shim) => {
    const { id, tasks, started } = await shim.create(shim.bundle("exit 7"));
    await shim.event("/tasks/create");
    await shim.unlisten();
    await tasks.call("Start", { id });
    await tasks.call("Wait", { id });
    await tasks.call("Delete", { id });
    await sleep(1000);
    await shim.listen();
    await shim.event("/tasks/delete");
    assert.equal(shim.topics(), ["/tasks/create", "/tasks/start", "/tasks/exit", "/tasks/delete"]);
    await tasks.call("Shutdown", { id });
    await tasks.client.closed;
    assert.is(existsSync(started.socket), false);
  }));

test("containerd goes and comes back: the container runs on, State and Wait know it", () =>
  withShim(async (shim) => {
    const stdout = fifo(shim, "out");
    const first = reading(stdout);
    const { id, tasks, started } = await shim.create(shim.bundle("while :; do echo tick; sleep 0.05; done"), {
      stdout,
    });
    await tasks.call("Start", { id });
    tasks.client.close();
    await sleep(200);
    const again = await shim.connect(started);
    assert.is((await again.call("Connect", { id })).taskPid, (await again.call("State", { id })).pid);
    assert.is((await again.call("State", { id })).status, 2);
    await again.call("Kill", { id, signal: SIGKILL });
    assert.is((await again.call("Wait", { id })).exitStatus, 137);
    assert.match((await first).toString(), /^(tick\n)+$/);
    await shim.finish(id, again, started);
  }));

test("the root is mounted for Create and gone after Delete; of mounts that fail none stays", () =>
  withShim(async (shim) => {
    const bundle = shim.bundle("test -e /from-above");
    const rootfs = join(bundle.path, "rootfs");
    execFileSync("mv", [rootfs, `${bundle.path}/lower`]);
    execFileSync("mkdir", [rootfs, `${bundle.path}/upper`, `${bundle.path}/work`]);
    execFileSync("touch", [`${bundle.path}/upper/from-above`]);
    const overlay = {
      type: "overlay",
      source: "overlay",
      options: [`lowerdir=${bundle.path}/lower`, `upperdir=${bundle.path}/upper`, `workdir=${bundle.path}/work`],
    };
    const bad = { type: "nothing", source: "nothing", target: "/tmp" };
    const id = shim.fixture.id();
    const started = await shim.start(id, bundle);
    const tasks = await shim.connect(started);
    const request = { id, bundle: bundle.path, options: shim.options() };
    await refusal(tasks.call("Create", { ...request, rootfs: [overlay, bad] }));
    assert.equal(readdirSync(rootfs), []);
    await tasks.call("Create", { ...request, rootfs: [overlay] });
    await tasks.call("Start", { id });
    assert.is((await tasks.call("Wait", { id })).exitStatus, 0);
    await tasks.call("Delete", { id });
    assert.equal(readdirSync(rootfs), []);
    await tasks.call("Shutdown", { id });
    await tasks.client.closed;
    shim.assertNothingLeft();
  }));

test("one shim for 20 containers of a pod, which end in any order", () =>
  withShim(async (shim) => {
    const { id, tasks, started } = await shim.create(shim.bundle("exec sleep 1000"));
    await tasks.call("Start", { id });
    const pid = await shim.pid(tasks);
    const before = privateKb(pid);
    const ids: string[] = [];
    for (let index = 0; index < 20; index++) {
      const member = shim.bundle("exec sleep 1000", (spec) => {
        spec.annotations = { "io.kubernetes.cri.sandbox-id": id };
      });
      const name = shim.fixture.id();
      ids.push(name);
      assert.is((await shim.start(name, member)).socket, started.socket);
      await tasks.call("Create", { id: name, bundle: member.path, options: shim.options() });
      await tasks.call("Start", { id: name });
    }
    await sleep(500);
    const each = (privateKb(pid) - before) / ids.length;
    assert.ok(each < 40, `${each} kB a container`);
    await tasks.call("Shutdown", { id }); // which must wait for the others
    for (const name of [id, ...ids].reverse()) {
      await tasks.call("Kill", { id: name, signal: SIGKILL });
      await tasks.call("Wait", { id: name });
      await tasks.call("Delete", { id: name });
    }
    await tasks.client.closed;
    shim.assertNothingLeft();
  }));

task.run();
