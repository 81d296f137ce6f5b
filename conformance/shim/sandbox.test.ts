/** A pod that containerd leaves to the shim (`sandboxer = "shim"`): its namespaces, its files, its end, and what `delete` does after a kill. */
import { chmodSync, existsSync, mkdirSync, readFileSync, readlinkSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { decode, encode, type GivenMessage, type Message, type MessageTable } from "../../runtime/linux/protobuf.ts";
import { EMPTY } from "../../runtime/shim/proto/common.ts";
import { METRICS_V1, METRICS_V2 } from "../../runtime/shim/proto/metrics.ts";
import * as proto from "../../runtime/shim/proto/sandbox.ts";
import type { Bundle, Spec } from "../fixtures/bundle.ts";
import { findCgroups, removeCgroups } from "../fixtures/cgroups.ts";
import { type ShimFixture, type Started, sleep, type Tasks, withShim } from "../fixtures/shim-fixture.ts";
import type { Refused } from "../fixtures/ttrpc.ts";
import { cgroups, mounting, needs, root } from "../testing.ts";

const sandbox = suite("shim: sandbox");
const test = needs(sandbox, root, mounting, cgroups);

const METHODS = {
  CreateSandbox: [proto.CREATE_SANDBOX, EMPTY],
  StartSandbox: [proto.SANDBOX, proto.SANDBOX_STARTED],
  Platform: [proto.SANDBOX, proto.SANDBOX_PLATFORM],
  StopSandbox: [proto.STOP_SANDBOX, EMPTY],
  WaitSandbox: [proto.SANDBOX, proto.SANDBOX_EXITED],
  SandboxStatus: [proto.STATUS_OF_SANDBOX, proto.SANDBOX_STATUS],
  PingSandbox: [proto.SANDBOX, EMPTY],
  SandboxMetrics: [proto.SANDBOX, proto.SANDBOX_METRICS],
  ShutdownSandbox: [proto.SANDBOX, EMPTY],
} as const satisfies Record<string, readonly [MessageTable, MessageTable]>;

async function call<Name extends keyof typeof METHODS>(
  { client }: Tasks,
  name: Name,
  request: GivenMessage<(typeof METHODS)[Name][0]>,
): Promise<Message<(typeof METHODS)[Name][1]>> {
  const [input, output] = METHODS[name] as readonly [MessageTable, MessageTable];
  const payload = encode(input, request as GivenMessage<MessageTable>);
  const answer = await client.call("containerd.runtime.sandbox.v1.Sandbox", name, payload);
  return decode(output, answer) as Message<(typeof METHODS)[Name][1]>;
}

async function codeOf(answer: Promise<unknown>): Promise<number> {
  return answer.then(
    () => 0,
    (error: Refused) => error.code,
  );
}

function described(config: GivenMessage<typeof proto.POD_CONFIG>) {
  return { typeUrl: "runtime.v1.PodSandboxConfig", value: encode(proto.POD_CONFIG, config) };
}

interface TestPod {
  readonly id: string;
  readonly bundle: string;
  readonly tasks: Tasks;
  readonly started: Started;
}

/** A shim with a pod, where containerd has its bundle: without config.json. */
async function startPod(shim: ShimFixture, change: GivenMessage<typeof proto.POD_CONFIG> = {}): Promise<TestPod> {
  const id = shim.fixture.id().replaceAll("_", "-");
  const bundle = shim.fixture.path(`io.containerd.sandbox.controller.v1.shim/${shim.namespace}/${id}`);
  mkdirSync(bundle, { recursive: true });
  const started = await shim.start(id, { path: bundle, rootfs: "" });
  const tasks = await shim.connect(started);
  const config = {
    hostname: "pod1",
    dnsConfig: { servers: ["10.0.0.1", "10.0.0.2"], searches: ["a.test"], options: ["ndots:5"] },
    linux: { cgroupParent: `/${shim.fixture.mark}-pod`, sysctls: { "net.ipv4.ip_forward": "1" } },
    ...change,
  };
  try {
    await call(tasks, "CreateSandbox", { sandboxId: id, bundlePath: bundle, options: described(config) });
  } catch (error) {
    await call(tasks, "ShutdownSandbox", { sandboxId: id }); // as containerd does
    await tasks.client.closed;
    throw error;
  }
  return { id, bundle, tasks, started };
}

/** A bundle as CRI makes it for a container of the pod; it lies where containerd has those of tasks. */
function memberBundle(shim: ShimFixture, pod: TestPod, pid: number, script: string, ...shared: string[]): Bundle {
  const name = shim.fixture.id();
  const made = shim.bundle(script, (spec: Spec) => {
    spec.annotations = { "io.kubernetes.cri.sandbox-id": pod.id };
    spec.linux.cgroupsPath = `/${shim.fixture.mark}-pod/${name}`;
    delete spec.hostname;
    for (const namespace of spec.linux.namespaces)
      if (["ipc", "uts", "network", ...shared].includes(namespace.type))
        namespace.path = `/proc/${pid}/ns/${namespace.type === "network" ? "net" : namespace.type}`;
    if (shared.includes("user")) spec.root.readonly = false;
    if (shared.includes("user"))
      Object.assign(spec.linux, {
        namespaces: [...spec.linux.namespaces, { type: "user", path: `/proc/${pid}/ns/user` }],
        uidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }],
        gidMappings: [{ containerID: 0, hostID: 200000, size: 65536 }],
      });
    if (!spec.linux.namespaces.some(({ type }) => type === "network"))
      spec.linux.namespaces.push({ type: "network", path: `/proc/${pid}/ns/net` });
  });
  const path = shim.fixture.path(`io.containerd.runtime.v2.task/${shim.namespace}/${name}`);
  mkdirSync(dirname(path), { recursive: true });
  renameSync(made.path, path);
  writeFileSync(join(path, "sandbox"), pod.id);
  for (const file of ["etc/hosts", "etc/hostname", "etc/resolv.conf"]) writeFileSync(join(path, "rootfs", file), "");
  return { path, rootfs: join(path, "rootfs") };
}

async function run(shim: ShimFixture, { tasks }: TestPod, bundle: Bundle): Promise<string> {
  const id = shim.fixture.id();
  const stdout = `file://${shim.fixture.path(`out-${id}`)}`;
  await tasks.call("Create", { id, bundle: bundle.path, options: shim.options(), stdout, stderr: stdout });
  await tasks.call("Start", { id });
  await tasks.call("Wait", { id });
  await tasks.call("Delete", { id });
  return readFileSync(shim.fixture.path(`out-${id}`), "utf8");
}

/** The pod's cgroup is containerd's caller's to remove; everything else has to be gone. */
function assertNothingLeft(shim: ShimFixture): void {
  for (const path of findCgroups(shim.fixture.mark)) assert.match(path, /-pod$/);
  removeCgroups(`${shim.fixture.mark}-pod`);
  shim.assertNothingLeft();
}

test("a pod's life: ready, shared by its containers, stopped, waited for, and its shim ends", () =>
  withShim(async (shim) => {
    const pod = await startPod(shim);
    const { id, tasks, started } = pod;
    assert.is((await call(tasks, "SandboxStatus", { sandboxId: id })).state, "SANDBOX_NOTREADY");
    const { pid, createdAt } = await call(tasks, "StartSandbox", { sandboxId: id });
    const status = await call(tasks, "SandboxStatus", { sandboxId: id, verbose: true });
    assert.equal([status.pid, status.state, status.createdAt], [pid, "SANDBOX_READY", createdAt]);
    assert.is(JSON.parse(status.info.info ?? "{}").pid, pid);
    assert.is((await call(tasks, "Platform", { sandboxId: id })).platform?.os, "linux");
    await call(tasks, "PingSandbox", { sandboxId: id });
    assert.is((await tasks.call("Connect", { id })).taskPid, pid, "containerd looks for it after a restart");

    const script = [
      "hostname; cat /etc/hostname /etc/resolv.conf /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv4/ip_unprivileged_port_start",
      "wc -c </etc/hosts; stat -c %d /dev/shm; echo words >/dev/shm/file",
    ].join("; ");
    const first = await run(shim, pod, memberBundle(shim, pod, pid, script));
    const lines = first.trim().split("\n");
    assert.equal(lines.slice(0, 5), ["pod1", "pod1", "search a.test", "nameserver 10.0.0.1", "nameserver 10.0.0.2"]);
    assert.equal(lines.slice(5, 8), ["options ndots:5", "1", "0"]);
    assert.ok(Number(lines[8]) > 0, "hosts");
    const second = await run(shim, pod, memberBundle(shim, pod, pid, "cat /dev/shm/file; stat -c %d /dev/shm"));
    assert.is(second, `words\n${lines[9]}\n`);

    const { metrics } = await call(tasks, "SandboxMetrics", { sandboxId: id });
    const table: MessageTable = metrics?.data?.typeUrl.includes(".v1.") ? METRICS_V1 : METRICS_V2;
    const { pids } = decode(table, metrics?.data?.value ?? new Uint8Array(0)) as { pids?: { current: number } };
    assert.is(pids?.current, 1, "of the pod's cgroup");

    const waited = call(tasks, "WaitSandbox", { sandboxId: id });
    await call(tasks, "StopSandbox", { sandboxId: id });
    await call(tasks, "StopSandbox", { sandboxId: id });
    const { exitStatus, exitedAt } = await waited;
    assert.is(exitStatus, 137);
    const stopped = await call(tasks, "SandboxStatus", { sandboxId: id });
    assert.equal([stopped.state, stopped.exitedAt], ["SANDBOX_NOTREADY", exitedAt]);
    await call(tasks, "ShutdownSandbox", { sandboxId: id });
    await tasks.client.closed;
    assert.is(existsSync(started.socket), false);
    assert.equal(
      shim.events.filter(({ message }) => message.containerId === id),
      [],
      "the pod is no task",
    );
    assertNothingLeft(shim);
  }));

test("the process that holds a pod has nothing of the host, no rights, and little memory", () =>
  withShim(async (shim) => {
    const { id, tasks } = await startPod(shim);
    const { pid } = await call(tasks, "StartSandbox", { sandboxId: id });
    assert.is(readlinkSync(`/proc/${pid}/exe`), "/pause");
    const read = () => readFileSync(`/proc/${pid}/status`, "utf8");
    for (let waited = 0; !/^SigIgn:\s0*1/m.test(read()) && waited < 500; waited++) await sleep(10); // its first step
    const status = read();
    for (const set of ["Inh", "Prm", "Eff", "Bnd", "Amb"]) assert.match(status, new RegExp(`^Cap${set}:\\s0+$`, "m"));
    assert.match(status, /^NoNewPrivs:\s1$/m);
    assert.match(status, /^Uid:\s65535\s65535/m);
    assert.match(status, /^SigIgn:\s0000000000010000$/m);
    const pages = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
    assert.ok(Number(/^Rss:\s+(\d+)/m.exec(pages)?.[1]) <= 32, pages);
    await call(tasks, "ShutdownSandbox", { sandboxId: id });
    await tasks.client.closed;
    assertNothingLeft(shim);
  }));

test("in a shared pid namespace it reaps orphans", () =>
  withShim(async (shim) => {
    const pod = await startPod(shim);
    const { pid } = await call(pod.tasks, "StartSandbox", { sandboxId: pod.id });
    const script =
      "sh -c 'sleep 0.1 & exec true'; sleep 0.4; cat /proc/1/comm; grep -l 'State:.Z' /proc/[0-9]*/status | wc -l";
    assert.is(await run(shim, pod, memberBundle(shim, pod, pid, script, "pid")), "pause\n0\n");
    await call(pod.tasks, "ShutdownSandbox", { sandboxId: pod.id });
    await pod.tasks.client.closed;
    assertNothingLeft(shim);
  }));

test("a pod of the host's namespaces has none of its own", () =>
  withShim(async (shim) => {
    const namespaceOptions = { network: 2, pid: 2, ipc: 2 };
    const linux = { cgroupParent: `/${shim.fixture.mark}-pod`, securityContext: { namespaceOptions } };
    const { id, tasks } = await startPod(shim, { linux });
    const { pid } = await call(tasks, "StartSandbox", { sandboxId: id });
    for (const type of ["net", "uts", "pid", "ipc", "user"])
      assert.is(readlinkSync(`/proc/${pid}/ns/${type}`), readlinkSync(`/proc/self/ns/${type}`), type);
    assert.is.not(readlinkSync(`/proc/${pid}/ns/mnt`), readlinkSync("/proc/self/ns/mnt"));
    await call(tasks, "ShutdownSandbox", { sandboxId: id });
    await tasks.client.closed;
    assertNothingLeft(shim);
  }));

test("a pod with a user namespace: its root owns the pod's files and its shared memory", () =>
  withShim(async (shim) => {
    const [uids, gids] = [100000, 200000].map((hostId) => [{ hostId, length: 65536 }]);
    const linux = {
      cgroupParent: `/${shim.fixture.mark}-pod`,
      sysctls: { "net.ipv4.ip_forward": "1" },
      securityContext: { namespaceOptions: { usernsOptions: { uids, gids } } },
    };
    chmodSync(shim.fixture.folder, 0o711); // as containerd has what is above its bundles
    const pod = await startPod(shim, { linux });
    const { pid } = await call(pod.tasks, "StartSandbox", { sandboxId: pod.id });
    assert.match(readFileSync(`/proc/${pid}/uid_map`, "utf8"), /^\s*0\s+100000\s+65536\n$/);
    assert.match(readFileSync(`/proc/${pid}/gid_map`, "utf8"), /^\s*0\s+200000\s+65536\n$/);
    assert.match(readFileSync(`/proc/${pid}/status`, "utf8"), /^Uid:\s165535\s[\s\S]*^Gid:\s265535\s/m);
    const script = [
      "stat -c %u:%g /etc/hosts /dev/shm; echo 10.0.0.3 more >>/etc/hosts; tail -n 1 /etc/hosts",
      "cat /proc/sys/net/ipv4/ip_forward",
    ].join("; ");
    const member = memberBundle(shim, pod, pid, script, "user");
    assert.is(await run(shim, pod, member), "0:0\n0:0\n10.0.0.3 more\n1\n");
    await call(pod.tasks, "ShutdownSandbox", { sandboxId: pod.id });
    await pod.tasks.client.closed;
    assertNothingLeft(shim);
  }));

test("ShutdownSandbox kills the containers that are left, whose ends can still be asked for", () =>
  withShim(async (shim) => {
    const pod = await startPod(shim);
    const { id, tasks, started } = pod;
    const { pid } = await call(tasks, "StartSandbox", { sandboxId: id });
    const member = shim.fixture.id();
    const bundle = memberBundle(shim, pod, pid, "exec sleep 1000");
    await tasks.call("Create", { id: member, bundle: bundle.path, options: shim.options() });
    await tasks.call("Start", { id: member });
    await call(tasks, "ShutdownSandbox", { sandboxId: id });
    assert.is((await tasks.call("Wait", { id: member })).exitStatus, 137);
    await tasks.call("Delete", { id: member });
    await tasks.client.closed;
    assert.is(existsSync(started.socket), false);
    assertNothingLeft(shim);
  }));

test("delete takes away the pod and its containers after the shim was killed", () =>
  withShim(async (shim) => {
    const pod = await startPod(shim);
    const { id, tasks, bundle, started } = pod;
    const { pid } = await call(tasks, "StartSandbox", { sandboxId: id });
    const member = memberBundle(shim, pod, pid, "exec sleep 1000");
    const memberId = member.path.slice(member.path.lastIndexOf("/") + 1);
    await tasks.call("Create", { id: memberId, bundle: member.path, options: shim.options() });
    await tasks.call("Start", { id: memberId });
    process.kill(await shim.pid(tasks), "SIGKILL");
    await tasks.client.closed;
    const { status, stderr } = await shim.run([...shim.flags(id), "-bundle", bundle, "delete"], bundle);
    assert.equal([status, stderr], [0, ""]);
    assert.is(existsSync(started.socket), false);
    assertNothingLeft(shim);
  }));

test("what can not be done is said, and leaves nothing", () =>
  withShim(async (shim) => {
    const pod = await startPod(shim);
    const { id, bundle, tasks } = pod;
    assert.is(await codeOf(call(tasks, "CreateSandbox", { sandboxId: id, bundlePath: bundle })), 6);
    for (const name of [
      "StartSandbox",
      "WaitSandbox",
      "SandboxStatus",
      "PingSandbox",
      "StopSandbox",
      "SandboxMetrics",
    ] as const)
      assert.is(await codeOf(call(tasks, name, { sandboxId: "another" })), 5, name);
    await call(tasks, "ShutdownSandbox", { sandboxId: id });
    await tasks.client.closed;
    const usernsOptions = { uids: [{ hostId: 100000, containerId: 1, length: 65536 }], gids: [] };
    const linux = { securityContext: { namespaceOptions: { usernsOptions } } };
    const refused = await startPod(shim, { linux }).then(
      () => undefined,
      (error: Refused) => error,
    );
    assert.is(refused?.code, 3);
    assert.match(refused?.message ?? "", /user namespaces: a pod's is its own, and maps the ids 0/);
    removeCgroups(`${shim.fixture.mark}-pod`);
    const broken = { linux: { sysctls: { "kernel.nothing.here": "1" } } };
    assert.is(await codeOf(startPod(shim, broken)), 2);
    assertNothingLeft(shim);
  }));

sandbox.run();
