/** What happens to a shim seldom: descriptors beyond 500, readers and hooks that never come to an end, a kill while a container is paused, others' connections. */
import { execFileSync, spawn } from "node:child_process";
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { encode } from "../../runtime/linux/protobuf.ts";
import { ANY } from "../../runtime/shim/proto/common.ts";
import { type ShimFixture, type Started, sleep, type Tasks, withShim } from "../fixtures/shim-fixture.ts";
import type { Refused } from "../fixtures/ttrpc.ts";
import { SHIM } from "../paths.ts";
import { cgroups, cgroupV1, mounting, needs, root } from "../testing.ts";

const seldom = suite("shim: what happens seldom");
const test = needs(seldom, root, mounting, cgroups);
const onCgroupV1 = needs(seldom, root, mounting, cgroupV1);

function fifo(shim: ShimFixture, name: string): string {
  const path = shim.fixture.path(name);
  execFileSync("mkfifo", ["-m", "700", path]);
  return path;
}

async function refusal(call: Promise<unknown>): Promise<Refused | undefined> {
  return call.then(
    () => undefined,
    (error: Refused) => error,
  );
}

async function exec(tasks: Tasks, id: string, execId: string, args: string[], stdout = ""): Promise<number> {
  const spec = { typeUrl: "", value: Buffer.from(JSON.stringify({ args, cwd: "/", user: { uid: 0, gid: 0 } })) };
  await tasks.call("Exec", { id, execId, stdout, spec });
  const ended = tasks.call("Wait", { id, execId });
  await tasks.call("Start", { id, execId });
  const { exitStatus } = await ended;
  await tasks.call("Delete", { id, execId });
  return exitStatus;
}

/** Where the binary holds two mounts while it boots (native-shim/seal.c): what has these numbers later is something else. */
const HELD_FROM = 500;

test("descriptors whose numbers the start of the process had held are those of a worker, and stay open", () =>
  withShim(async (shim) => {
    const { id, tasks, started } = await shim.create(shim.bundle("exec sleep 1000"));
    await tasks.call("Start", { id });
    const pid = await shim.pid(tasks);
    const count = () => readdirSync(`/proc/${pid}/fd`).length;
    while (count() < HELD_FROM - 12) await shim.connect(started).then((other) => shim.pid(other));
    for (let step = 0; count() < HELD_FROM + 4; step++) {
      const path = shim.fixture.path(`out${step}`);
      const args = ["/bin/echo", "words"];
      assert.is(await exec(tasks, id, `e${step}`, args, `file://${path}`), 0, `with ${count()} descriptors`);
      assert.is(readFileSync(path, "utf8"), "words\n");
      await shim.connect(started).then((other) => shim.pid(other));
    }
    await shim.finish(id, tasks, started);
  }));

test("a reader that never comes holds up nothing: State, Kill, and Delete after its time", () =>
  withShim(async (shim) => {
    const stdout = fifo(shim, "nobody");
    const { id, tasks, started } = await shim.create(shim.bundle("yes"), { stdout });
    await tasks.call("Start", { id });
    await sleep(200);
    assert.is((await tasks.call("State", { id })).status, 2);
    await tasks.call("Kill", { id, signal: 9 });
    assert.is((await tasks.call("Wait", { id })).exitStatus, 137);
    const began = Date.now();
    await tasks.call("Delete", { id });
    assert.ok(Date.now() - began < 11_500);
    await tasks.call("Shutdown", { id });
    await tasks.client.closed;
    assert.is(existsSync(started.socket), false);
    shim.assertNothingLeft();
  }));

test("Delete asked again while the first waits gives the same answer, and State is answered meanwhile", () =>
  withShim(async (shim) => {
    const gate = fifo(shim, "gate");
    const bundle = shim.bundle("exit 5", (spec) => {
      spec.hooks = { poststop: [{ path: "/bin/sh", args: ["sh", "-c", `cat ${gate}`] }] };
    });
    const { id, tasks } = await shim.create(bundle);
    await tasks.call("Start", { id });
    await tasks.call("Wait", { id });
    let answered = 0;
    const both = [0, 1].map(async () => {
      const answer = await tasks.call("Delete", { id });
      answered++;
      return answer;
    });
    await sleep(300);
    assert.is((await tasks.call("State", { id })).status, 3);
    assert.is(answered, 0);
    await tasks.call("Shutdown", { id }); // remembered until nothing is left
    closeSync(openSync(gate, constants.O_WRONLY));
    const [first, second] = await Promise.all(both);
    assert.equal(first, second);
    assert.is(first?.exitStatus, 5);
    await tasks.client.closed;
    shim.assertNothingLeft();
  }));

onCgroupV1("delete ends a container that was paused when its shim was killed", () =>
  withShim(async (shim) => {
    const bundle = shim.bundle("exec sleep 1000");
    const { id, tasks, started } = await shim.create(bundle);
    await tasks.call("Start", { id });
    await tasks.call("Exec", {
      id,
      execId: "a",
      spec: { typeUrl: "", value: Buffer.from('{"args":["/bin/sleep","1000"],"cwd":"/"}') },
    });
    await tasks.call("Start", { id, execId: "a" });
    await tasks.call("Pause", { id });
    assert.is(
      (await tasks.call("State", { id, execId: "a" })).status,
      4,
      "an added process is paused as its container is",
    );
    process.kill(await shim.pid(tasks), "SIGKILL");
    await tasks.client.closed;
    const { status, stderr } = await shim.run([...shim.flags(id), "-bundle", bundle.path, "delete"], bundle.path);
    assert.equal([status, stderr], [0, ""]);
    assert.is(existsSync(started.socket), false);
    shim.assertNothingLeft();
  }),
);

test("Update changes what is created, and refuses what has stopped", () =>
  withShim(async (shim) => {
    const { id, tasks, started } = await shim.create(shim.bundle("exit 0"));
    const resources = { typeUrl: "", value: Buffer.from('{"pids":{"limit":33}}') };
    await tasks.call("Update", { id, resources });
    await tasks.call("Start", { id });
    await tasks.call("Wait", { id });
    assert.match((await refusal(tasks.call("Update", { id, resources })))?.message ?? "", /stopped container/);
    await shim.finish(id, tasks, started);
    assert.is((await refusal(shim.connect(started)))?.message.includes("ENOENT"), true);
  }));

test("a connection of another user is closed, even where the socket's mode lets it in", () =>
  withShim(async (shim) => {
    const started = await shim.start("one", shim.bundle("true"));
    chmodSync(started.socket, 0o666);
    chmodSync(dirname(started.socket), 0o755);
    const script = `const s = require("node:net").connect(process.argv[1]); s.on("connect", () => console.log("in")); s.on("close", () => { console.log("closed"); process.exit(0); }); s.on("error", () => {}); setTimeout(() => process.exit(1), 5000);`;
    const run = (uid: number) =>
      new Promise<string>((resolve) => {
        const child = spawn(process.execPath, ["-e", script, started.socket], { uid, gid: uid, cwd: "/" });
        let text = "";
        child.stdout.on("data", (data) => {
          text += data;
        });
        child.on("close", () => resolve(text));
      });
    assert.is(await run(1234), "in\nclosed\n");
    const tasks = await shim.connect(started);
    assert.is((await tasks.call("Connect", { id: "one" })).taskPid, 0, "the shim goes on");
  }));

onCgroupV1("ShimCgroup: the shim is in the cgroup that was asked for, which has to be there", () =>
  withShim(async (shim) => {
    const name = `${shim.fixture.mark}-shims`;
    const bundle = shim.bundle("true");
    const start = () =>
      shim.run([...shim.flags("one"), "start"], bundle.path, encode(ANY, shim.options({ shimCgroup: `/${name}` })));
    const missing = await start();
    assert.is(missing.status, 1);
    assert.match(missing.stderr, new RegExp(`${name}/cgroup.procs.*ENOENT`));
    const mounts = [...readFileSync("/proc/self/mounts", "utf8").matchAll(/^\S+ (\S+) cgroup2? /gm)].map(
      ([, at = ""]) => at,
    );
    for (const mount of mounts) {
      mkdirSync(join(mount, name));
      for (const file of ["cpuset.cpus", "cpuset.mems"]) // without them nobody gets in
        if (existsSync(join(mount, file))) writeFileSync(join(mount, name, file), readFileSync(join(mount, file)));
    }
    try {
      const { status, stdout, stderr } = await start();
      assert.is(status, 0, stderr);
      const tasks = await shim.connect({ socket: shim.keepSocket(stdout.toString()), version: 2 });
      const pid = await shim.pid(tasks);
      assert.match(readFileSync(`/proc/${pid}/cgroup`, "utf8"), new RegExp(`:memory:/(.*/)?${name}$`, "m"));
      process.kill(pid, "SIGKILL");
      await tasks.client.closed;
    } finally {
      await sleep(100);
      for (const mount of mounts) rmdirSync(join(mount, name));
    }
  }),
);

/** Of nobody's. */
const UID = 65534;

/** A shim takes calls of its own user and group alone: connects as these, and then is root again. */
async function connectAs(uid: number, shim: ShimFixture, started: Started): Promise<Tasks> {
  process.setegid?.(uid);
  process.seteuid?.(uid);
  const connected = shim.connect(started); // connect(2) is called at once
  process.seteuid?.(0);
  process.setegid?.(0);
  return connected;
}

test("the shim of a user's containerd, which is root of a user namespace: a container without a cgroup, or what it lacks", () =>
  withShim(async (shim) => {
    const bundleWith = (cgroupsPath?: string) =>
      shim.bundle("exit 3", (spec) => {
        delete spec.linux.cgroupsPath;
        delete spec.linux.resources;
        if (cgroupsPath !== undefined) spec.linux.cgroupsPath = cgroupsPath;
        spec.mounts = spec.mounts.filter(({ type }) => type !== "devpts"); // whose group is not mapped
      });
    const [bundle, limited] = [bundleWith(), bundleWith(`/${shim.fixture.id()}`)];
    shim.program = shim.fixture.path("containerd-shim-reg-v2"); // the checkout may lie where others can not look
    copyFileSync(SHIM, shim.program);
    for (const directory of [shim.fixture.root, shim.socketDirectory]) mkdirSync(directory, { mode: 0o700 });
    execFileSync("chown", ["-R", `${UID}:${UID}`, shim.fixture.folder]);
    const credentials = [`--reuid=${UID}`, `--regid=${UID}`, "--clear-groups"];
    shim.caller = ["setpriv", ...credentials, "unshare", "--user", "--mount", "--map-root-user"];
    const id = shim.fixture.id().replaceAll("_", "-");
    const started = await shim.start(id, bundle);
    const tasks = await connectAs(UID, shim, started);
    const pid = await shim.pid(tasks);
    try {
      const { message } =
        (await refusal(tasks.call("Create", { id, bundle: limited.path, options: shim.options() }))) ?? {};
      assert.match(message ?? "", /mkdirat\(2\) .*: permission denied \(EACCES\) \[\/linux\/cgroupsPath\]/);
      await tasks.call("Create", { id, bundle: bundle.path, options: shim.options() });
      await tasks.call("Start", { id });
      assert.is((await tasks.call("Wait", { id })).exitStatus, 3);
      await shim.finish(id, tasks, started);
    } finally {
      if (existsSync(started.socket)) process.kill(pid, "SIGKILL");
    }
  }));

seldom.run();
