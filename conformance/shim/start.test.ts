/** `start`, `delete`, `-info`, `-v`: what containerd calls, in the dialects of its versions. */
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { decode, encode } from "../../runtime/linux/protobuf.ts";
import { BOOTSTRAP_PARAMS, RUNTIME_INFO } from "../../runtime/shim/proto/bootstrap.ts";
import { ANY } from "../../runtime/shim/proto/common.ts";
import { GENERIC_OPTIONS } from "../../runtime/shim/proto/options.ts";
import { DELETED } from "../../runtime/shim/proto/task.ts";
import { METHOD_NAMES, type ShimFixture, sleep, withShim } from "../fixtures/shim-fixture.ts";
import type { Refused } from "../fixtures/ttrpc.ts";
import { REG } from "../paths.ts";
import { findProgram, mounting, needs, program, root } from "../testing.ts";

const start = suite("shim: start");
const test = needs(start, root, mounting);
const withObjcopy = needs(start, root, mounting, program("objcopy"));

const INPUTS: readonly (readonly [name: string, input: (shim: ShimFixture) => Uint8Array])[] = [
  ["nothing", () => new Uint8Array(0)],
  ["runc's options", (shim) => encode(ANY, shim.options())],
  [
    "generic options",
    () =>
      encode(ANY, {
        typeUrl: "runtimeoptions.v1.Options",
        value: encode(GENERIC_OPTIONS, { configBody: Buffer.from("Root = '/x'\nBad\n") }),
      }),
  ],
  ["options of an unknown type", () => encode(ANY, { typeUrl: "some.Options", value: Buffer.from("{}") })],
  [
    "the parameters of another container",
    (shim) => encode(BOOTSTRAP_PARAMS, { instanceId: "other", namespace: shim.namespace }),
  ],
  ["garbage", () => Buffer.from([0xff, 0xff, 0xff])],
];
for (const [name, input] of INPUTS)
  test(`answers ${name} with a plain address, and the shim serves both versions there`, () =>
    withShim(async (shim) => {
      const bundle = shim.bundle("true");
      const { status, stdout, stderr } = await shim.run([...shim.flags("one"), "start"], bundle.path, input(shim));
      assert.is(stderr, "");
      assert.is(status, 0);
      const address = stdout.toString();
      const socket = shim.keepSocket(address);
      assert.is(readFileSync(join(bundle.path, "address"), "utf8"), address);
      assert.is(statSync(socket).mode & 0o777, 0o600);
      for (const version of [2, 3]) {
        const tasks = await shim.connect({ socket, version });
        assert.is((await tasks.call("Connect", { id: "one" })).taskPid, 0);
      }
    }));

/** A shell whose program says of itself, as Go's do, what it was made of. */
function goShell(shim: ShimFixture, module: string): string[] {
  const modules = `path\t${module}/cmd/containerd\nbuild\tCGO_ENABLED=1\n`;
  const lengths = [Buffer.from([8]), Buffer.from("go1.24.1"), Buffer.from([modules.length]), Buffer.from(modules)];
  const section = shim.fixture.path("buildinfo");
  writeFileSync(
    section,
    Buffer.concat([Buffer.from("\xff Go buildinf:\x08\x02", "latin1"), Buffer.alloc(16), ...lengths]),
  );
  const path = shim.fixture.path("busybox");
  execFileSync("objcopy", [`--add-section=.go.buildinfo=${section}`, findProgram("busybox") ?? "", path]);
  return [path, "sh", "-c", '"$@"; exit $?', "sh"];
}

const DAEMONS: readonly (readonly [version: string, module: string, env: Record<string, string>, answers: 2 | 3])[] = [
  ["2.0 to 2.2", "github.com/containerd/containerd/v2", { MAX_SHIM_VERSION: "2" }, 3],
  ["1.7", "github.com/containerd/containerd", { MAX_SHIM_VERSION: "2" }, 2],
  ["1.6", "github.com/containerd/containerd", {}, 2],
];
for (const [version, module, env, answers] of DAEMONS)
  withObjcopy(`answers containerd ${version} with version ${answers}`, () =>
    withShim(async (shim) => {
      const bundle = shim.bundle("true");
      const input = encode(ANY, shim.options());
      const more = { caller: goShell(shim, module), env };
      const { status, stdout, stderr } = await shim.run([...shim.flags("one"), "start"], bundle.path, input, more);
      assert.equal([status, stderr], [0, ""]);
      const text = stdout.toString();
      const answer = answers === 3 ? JSON.parse(text) : { address: text };
      if (answers === 3) assert.equal([answer.version, answer.protocol], [3, "ttrpc"]);
      shim.keepSocket(answer.address);
      assert.is(readFileSync(join(bundle.path, "address"), "utf8"), answer.address);
    }),
  );

test("answers bootstrap parameters with version 3, in the directory that was asked for", () =>
  withShim(async (shim) => {
    const started = await shim.start("one", shim.bundle("true"));
    assert.is(started.version, 3);
    assert.ok(started.socket.startsWith(`${shim.socketDirectory}/`));
  }));

test("keeps nothing of its caller's: no descriptors, no standard streams, a session of its own", () =>
  withShim(async (shim) => {
    const tasks = await shim.connect(await shim.start("one", shim.bundle("true")));
    const pid = await shim.pid(tasks);
    await sleep(200); // what keeps its binary sealed is closed when there is time
    const names = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
    assert.equal(names.slice(0, 3), ["/dev/null", "/dev/null", "/dev/null"]);
    const kinds = names.slice(3).map((name) => name.replace(/\[.*/, "").replace("anon_inode:", ""));
    assert.equal(
      kinds.filter((kind) => kind !== "socket:" && kind !== ""),
      [],
      names.join(" "),
    );
    const [, , , , , session] = readFileSync(`/proc/${pid}/stat`, "utf8").split(" ");
    assert.is(Number(session), pid);
    const own = Number(readFileSync("/proc/self/oom_score_adj", "utf8"));
    assert.is(Number(readFileSync(`/proc/${pid}/oom_score_adj`, "utf8")), Math.min(own + 1, 1000));
  }));

test("groups the containers of a pod, and twenty at once make one shim", () =>
  withShim(async (shim) => {
    const member = shim.bundle("true", (spec) => {
      spec.annotations = { "io.kubernetes.cri.sandbox-id": "pod" };
    });
    const all = await Promise.all(Array.from({ length: 20 }, (_, index) => shim.start(`member${index}`, member)));
    assert.is(new Set(all.map(({ socket }) => socket)).size, 1);
    const sandbox = await shim.start("pod", shim.bundle("true"));
    assert.is(sandbox.socket, all[0]?.socket);
    const pids = new Set<number>();
    for (const each of all) pids.add(await shim.pid(await shim.connect(each)));
    assert.is(pids.size, 1);
  }));

test("replaces the socket of a shim that was killed", () =>
  withShim(async (shim) => {
    const bundle = shim.bundle("true");
    const first = await shim.connect(await shim.start("one", bundle));
    const pid = await shim.pid(first);
    process.kill(pid, "SIGKILL");
    await first.client.closed;
    assert.is.not(await shim.pid(await shim.connect(await shim.start("one", bundle))), pid);
  }));

test("takes the longest directory for sockets, and says what is too long", () =>
  withShim(async (shim) => {
    const bundle = shim.bundle("true");
    const socketDir = `/${"d".repeat(42)}`;
    const params = encode(BOOTSTRAP_PARAMS, { instanceId: "one", namespace: shim.namespace, socketDir });
    const { status, stderr } = await shim.run([...shim.flags("one"), "start"], bundle.path, params);
    assert.is(status, 1);
    assert.match(stderr, /longer than 42 bytes/);
  }));

test("refuses what is no identifier, and an empty namespace", () =>
  withShim(async (shim) => {
    for (const [flags, words] of [
      [["-namespace", "", "-id", "a", "start"], "namespace cannot be empty"],
      [["-namespace", "n", "-id", "../a", "start"], "not an identifier"],
      [["-namespace", "n", "-id", "a".repeat(77), "start"], "not an identifier"],
      [["-namespace", "n", "-id", "a", "-strange", "start"], "not defined: -strange"],
    ] as const) {
      const { status, stderr } = await shim.run(flags, shim.fixture.folder);
      assert.is(status, 1);
      assert.ok(stderr.includes(words), stderr);
    }
  }));

test("an empty shim knows all methods, says that there is nothing, and ends by Shutdown", () =>
  withShim(async (shim) => {
    const started = await shim.start("one", shim.bundle("true"));
    for (const version of [2, 3]) {
      const tasks = await shim.connect({ ...started, version });
      for (const name of METHOD_NAMES) {
        if (name === "Connect" || name === "Shutdown" || name === "Create" || name === "Checkpoint") continue;
        const error = await tasks.call(name, { id: "nothing" }).then(
          () => undefined,
          (refused: Refused) => refused,
        );
        assert.is(error?.code, 5, `${name}: ${error?.message}`);
      }
    }
    const tasks = await shim.connect(started);
    await tasks.call("Shutdown", { id: "one" });
    await tasks.client.closed;
    assert.is(existsSync(started.socket), false);
  }));

test("delete answers for what was never there, for what is half there, and twice at once", () =>
  withShim(async (shim) => {
    const bundle = shim.bundle("true");
    writeFileSync(join(bundle.path, "shim.json"), "{ half");
    for (const cwd of [shim.fixture.folder, bundle.path]) {
      const args = [...shim.flags("one"), "-bundle", cwd, "delete"];
      for (const { status, stdout, stderr } of await Promise.all([shim.run(args, cwd), shim.run(args, cwd)])) {
        assert.is(status, 0, stderr);
        const { exitStatus, exitedAt } = decode(DELETED, stdout);
        assert.is(exitStatus, 137);
        assert.ok((exitedAt?.seconds ?? 0) > 0);
      }
    }
  }));

test("delete ends what a shim that was killed has left, and tells a known exit", () =>
  withShim(async (shim) => {
    const bundle = shim.bundle("sleep 1000");
    const { id, tasks, started } = await shim.create(bundle);
    await tasks.call("Start", { id });
    const ended = shim.bundle("exit 3", (spec) => {
      spec.annotations = { "io.containerd.runc.v2.group": id };
    });
    const second = `${id}-second`;
    assert.is((await shim.start(second, ended)).socket, started.socket);
    await tasks.call("Create", { id: second, bundle: ended.path, options: shim.options() });
    await tasks.call("Start", { id: second });
    assert.is((await tasks.call("Wait", { id: second })).exitStatus, 3);
    process.kill(await shim.pid(tasks), "SIGKILL");
    await tasks.client.closed;
    const statuses: number[] = [];
    for (const [one, { path }] of [
      [id, bundle],
      [second, ended],
    ] as const) {
      const { status, stdout } = await shim.run([...shim.flags(one), "-bundle", path, "delete"], path);
      assert.is(status, 0);
      statuses.push(decode(DELETED, stdout).exitStatus);
    }
    assert.equal(statuses, [137, 3]);
    assert.is(existsSync(started.socket), false);
    shim.assertNothingLeft();
  }));

test("delete of a sandbox ends the other containers of its pod", () =>
  withShim(async (shim) => {
    const bundle = shim.bundle("sleep 1000");
    const { id, tasks } = await shim.create(bundle);
    const member = shim.bundle("sleep 1000", (spec) => {
      spec.annotations = { "io.kubernetes.cri.sandbox-id": id };
    });
    const second = join(member.path, "..", `${id}-member`);
    mkdirSync(second);
    writeFileSync(join(second, "sandbox"), id);
    writeFileSync(
      join(second, "config.json"),
      readFileSync(join(member.path, "config.json")).toString().replace('"rootfs"', JSON.stringify(member.rootfs)),
    );
    await tasks.call("Create", { id: `${id}-member`, bundle: second, options: shim.options() });
    process.kill(await shim.pid(tasks), "SIGKILL");
    await tasks.client.closed;
    await shim.run([...shim.flags(id), "-bundle", bundle.path, "delete"], bundle.path);
    shim.assertNothingLeft();
  }));

test("delete of a sandbox leaves the other containers to their shim while it is there", () =>
  withShim(async (shim) => {
    const { id, tasks, started } = await shim.create(shim.bundle("exit 0"));
    const { path } = shim.bundle("exec sleep 1000", (spec) => {
      spec.annotations = { "io.kubernetes.cri.sandbox-id": id };
    });
    const member = join(path, "..", `${id}-member`);
    renameSync(path, member);
    writeFileSync(join(member, "sandbox"), id);
    const { bundle } = await tasks.call("State", { id });
    await tasks.call("Create", { id: `${id}-member`, bundle: member, options: shim.options() });
    await tasks.call("Start", { id: `${id}-member` });
    await tasks.call("Start", { id });
    await tasks.call("Wait", { id });
    await tasks.call("Delete", { id });
    await tasks.call("Shutdown", { id });
    assert.is((await shim.run([...shim.flags(id), "-bundle", bundle, "delete"], bundle)).status, 0);
    assert.is((await tasks.call("State", { id: `${id}-member` })).status, 2, "it runs on");
    await tasks.call("Kill", { id: `${id}-member`, signal: 9 });
    await tasks.call("Wait", { id: `${id}-member` });
    await tasks.call("Delete", { id: `${id}-member` });
    await tasks.client.closed;
    assert.is(existsSync(started.socket), false);
    shim.assertNothingLeft();
  }));

test("-info gives the runtime's features, and the options back", () =>
  withShim(async (shim) => {
    const options = shim.options();
    const { status, stdout } = await shim.run(["-info"], "/", encode(ANY, options));
    assert.is(status, 0);
    const { name, features, options: echoed } = decode(RUNTIME_INFO, stdout);
    assert.is(name, "io.containerd.reg.v2");
    assert.is(features?.typeUrl, "types.containerd.io/opencontainers/runtime-spec/1/features/Features");
    assert.equal(
      JSON.parse(Buffer.from(features?.value ?? []).toString()),
      JSON.parse(execFileSync(REG, ["features"], { encoding: "utf8" })),
    );
    assert.equal(Buffer.from(echoed?.value ?? []), Buffer.from(options.value));
    const { stdout: version } = await shim.run(["-v"], "/");
    assert.match(version.toString(), /^containerd-shim-reg-v2:\n {2}Version:/);
  }));

start.run();
