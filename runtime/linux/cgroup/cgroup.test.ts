/** The real kernel: cgroups of this machine, v1 or v2, below a directory of their own. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { cgroups, cgroupV1, cgroupV2, needs, root } from "../../../conformance/testing.ts";
import type { LinuxResources } from "../../oci/config.ts";
import { type CgroupRequest, planCgroup, planUpdate } from "../../oci/plan/cgroup/plan.ts";
import { besideProcess, type Cgroup, createCgroup, openCgroup } from "./cgroup.ts";
import { detectCgroups, parseOwnCgroups } from "./host.ts";
import { watchOom } from "./oom.ts";
import { readStats } from "./stats.ts";
import { directoryOf } from "./write.ts";

interface Context {
  cgroups: Cgroup[];
  children: ChildProcess[];
}

const kernel = suite<Context>("cgroup on the kernel");
const test = needs(kernel, root, cgroups);
const onV1 = needs(kernel, root, cgroupV1);
const onV2 = needs(kernel, root, cgroupV2);
const host = detectCgroups();
const PARENT = `/reg-cgroup-${process.pid}`;
const REQUEST: CgroupRequest = { id: "test", cgroupManager: "cgroupfs", rootless: false };
let count = 0;

kernel.before.each((context) => {
  context.cgroups = [];
  context.children = [];
});

kernel.after.each(async (context) => {
  for (const cgroup of context.cgroups) if (cgroup.isFrozen()) cgroup.thaw();
  for (const child of context.children) child.kill("SIGKILL");
  await Promise.all(context.children.map(exited));
  for (const cgroup of context.cgroups) cgroup.destroy();
});

kernel.after(() => {
  const paths: Record<string, string> = {};
  for (const { name, mountpoint } of host.hierarchies) paths[name] = mountpoint + PARENT;
  openCgroup({ driver: "cgroupfs", version: host.mode === "v2" ? 2 : 1, paths }).destroy();
});

function planOf(resources: LinuxResources, path = `${PARENT}/box/${++count}`) {
  return planCgroup({ ociVersion: "1.0.0", linux: { cgroupsPath: path, resources } }, REQUEST, host);
}

/** A cgroup with these limits, and a process in it. */
function box(
  context: Context,
  resources: LinuxResources,
  command = "exec sleep 1000",
): { cgroup: Cgroup; pid: number } {
  const plan = planOf(resources);
  const cgroup = createCgroup(plan);
  context.cgroups.push(cgroup);
  const pid = start(context, command);
  cgroup.attach(pid);
  cgroup.apply(plan);
  return { cgroup, pid };
}

function start(context: Context, command: string): number {
  const child = spawn("/bin/sh", ["-c", command], { stdio: "ignore" });
  context.children.push(child);
  return child.pid ?? assert.unreachable("no child") ?? 0;
}

function exited(child: ChildProcess): Promise<void> {
  return child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve()
    : new Promise((resolve) => child.once("exit", () => resolve()));
}

function read(cgroup: Cgroup, controller: string, file: string): string {
  return readFileSync(`${directoryOf(cgroup.state, controller)}/${file}`, "utf8").trim();
}

const v2 = host.mode === "v2";

test("a process is in every hierarchy, and the state finds it again", (context) => {
  const { cgroup, pid } = box(context, {});
  // The kernel names hierarchies too that are mounted nowhere.
  const places = Object.values(parseOwnCgroups(readFileSync(`/proc/${pid}/cgroup`, "utf8"), host.hierarchies));
  for (const place of places) assert.match(place, `${PARENT}/box`);
  assert.is(places.length, host.hierarchies.length);
  const again = openCgroup(JSON.parse(JSON.stringify(cgroup.state)));
  assert.ok(again.exists());
  assert.equal(again.pids(), [pid]);
});

test("limits are in force", (context) => {
  const { cgroup } = box(context, {
    pids: { limit: 17 },
    memory: { limit: 64 * 1024 * 1024, reservation: 32 * 1024 * 1024 },
    cpu: { shares: 512, quota: 20000, period: 50000, cpus: "0", mems: "0" },
  });
  assert.is(read(cgroup, "pids", "pids.max"), "17");
  assert.is(read(cgroup, "memory", v2 ? "memory.max" : "memory.limit_in_bytes"), "67108864");
  assert.is(read(cgroup, "memory", v2 ? "memory.low" : "memory.soft_limit_in_bytes"), "33554432");
  assert.is(read(cgroup, "cpuset", "cpuset.cpus"), "0");
  if (v2) {
    assert.is(read(cgroup, "cpu", "cpu.weight"), "59");
    assert.is(read(cgroup, "cpu", "cpu.max"), "20000 50000");
  } else {
    assert.is(read(cgroup, "cpu", "cpu.shares"), "512");
    assert.is(read(cgroup, "cpu", "cpu.cfs_quota_us"), "20000");
    assert.is(read(cgroup, "cpu", "cpu.cfs_period_us"), "50000");
  }
});

test("an update raises and lowers memory and swap together", (context) => {
  const MiB = 1024 * 1024;
  const { cgroup } = box(context, { memory: { limit: 50 * MiB, swap: 60 * MiB } });
  const file = v2 ? "memory.max" : "memory.limit_in_bytes";
  for (const limit of [200, 40, 100]) {
    cgroup.apply(planUpdate({ memory: { limit: limit * MiB, swap: (limit + 10) * MiB } }, cgroup.state));
    assert.is(read(cgroup, "memory", file), String(limit * MiB));
  }
  cgroup.apply(planUpdate({ memory: { limit: -1 } }, cgroup.state));
  assert.ok(v2 ? read(cgroup, "memory", file) === "max" : Number(read(cgroup, "memory", file)) > 2 ** 60);
});

test("a quota and a period that do not fit the old ones are set", (context) => {
  const { cgroup } = box(context, { cpu: { quota: 900000, period: 1000000 } });
  cgroup.apply(planUpdate({ cpu: { quota: 5000, period: 10000 } }, cgroup.state));
  assert.is(v2 ? read(cgroup, "cpu", "cpu.max") : read(cgroup, "cpu", "cpu.cfs_quota_us"), v2 ? "5000 10000" : "5000");
});

test("what the kernel refuses is reported with the field that asked for it", (context) => {
  const { cgroup } = box(context, {});
  for (const [resources, field] of [
    [{ cpu: { cpus: "9999" } }, "/linux/resources/cpu/cpus"],
    [{ cpu: { period: 1 } }, "/linux/resources/cpu/period"],
  ] as const)
    assert.throws(
      () => cgroup.apply(planUpdate(resources, cgroup.state)),
      (error: { field?: string; hint?: string }) => error.field === field && error.hint !== undefined,
    );
});

test("frozen processes stop, and run on when thawed", async (context) => {
  const { cgroup, pid } = box(context, {}, "while :; do :; done");
  const ticks = () => Number(readFileSync(`/proc/${pid}/stat`, "utf8").split(" ")[13]);
  cgroup.freeze();
  assert.ok(cgroup.isFrozen());
  const before = ticks();
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.is(ticks(), before);
  cgroup.freeze(); // once more is no error
  cgroup.thaw();
  assert.not(cgroup.isFrozen());
});

test("an empty cgroup can be frozen", (context) => {
  const cgroup = createCgroup(planOf({}));
  context.cgroups.push(cgroup);
  cgroup.freeze();
  assert.ok(cgroup.isFrozen());
  cgroup.thaw();
});

test("every process is killed, those that fork and those that are frozen too", async (context) => {
  const { cgroup } = box(context, {}, "while :; do sleep 0.01 & sleep 0.02; done");
  cgroup.freeze();
  cgroup.killAll(9);
  await Promise.all(context.children.map(exited));
  cgroup.destroy();
  assert.not(cgroup.exists());
});

test("another signal reaches every process and leaves them thawed", async (context) => {
  const { cgroup } = box(context, {}, "exec sleep 1000");
  const second = start(context, "exec sleep 1000");
  cgroup.attach(second);
  cgroup.killAll(15);
  await Promise.all(context.children.map(exited));
  assert.equal(
    context.children.map(({ signalCode }) => signalCode),
    ["SIGTERM", "SIGTERM"],
  );
  assert.not(cgroup.isFrozen());
});

test("destroy removes cgroups that the container made, and waits for dying processes", (context) => {
  const { cgroup } = box(context, {});
  for (const name in cgroup.state.paths) {
    const sub = cgroup.below("sub/deep").state.paths[name] ?? "";
    createCgroup({
      ...planOf({}),
      paths: { [name]: sub },
      mountpoints: { [name]: cgroup.state.paths[name] ?? "" },
    });
    assert.ok(existsSync(sub));
  }
  cgroup.killAll(9);
  cgroup.destroy(); // at once: the process may not be gone yet
  for (const path of Object.values(cgroup.state.paths)) assert.not(existsSync(path), path);
  cgroup.destroy(); // twice is no error
});

test("destroy says which processes are in the way", (context) => {
  const { cgroup, pid } = box(context, {});
  assert.throws(
    () => cgroup.destroy(50),
    (error: { code: string; hint?: string }) => error.code === "EBUSY" && error.hint?.includes(String(pid)) === true,
  );
});

test("a cgroup with processes is not given to a second container", (context) => {
  const plan = planOf({});
  const cgroup = createCgroup(plan);
  context.cgroups.push(cgroup);
  cgroup.attach(start(context, "exec sleep 1000"));
  assert.throws(() => createCgroup(plan), /container's cgroup is not empty: 1 process/);
  assert.ok(cgroup.exists(), "it must survive the failure");
});

test("statistics count", (context) => {
  const { cgroup } = box(
    context,
    { pids: { limit: 50 } },
    "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; exec sleep 1000",
  );
  const deadline = Date.now() + 5000;
  while (readStats(cgroup.state).cpu.usage.total === 0 && Date.now() < deadline);
  const stats = readStats(cgroup.state);
  assert.ok(stats.cpu.usage.total > 0);
  assert.equal(stats.pids, { current: 1, limit: 50 });
  assert.ok(stats.memory.usage.limit > 2 ** 62);
  assert.ok(Object.keys(stats.memory.raw).length > 10);
  assert.ok(stats.cpuset.cpus.length > 0 || v2);
  assert.is(JSON.stringify(stats).includes("null"), false);
});

test("an out-of-memory kill and the end of the cgroup are noticed", async (context) => {
  const plan = planOf({ memory: { limit: 8 * 1024 * 1024, swap: 8 * 1024 * 1024 } });
  const cgroup = createCgroup(plan);
  context.cgroups.push(cgroup);
  const watch = watchOom(cgroup.state);
  try {
    assert.is(watch.next() === "oom", false);
    // It waits until it is inside, then holds ever more memory.
    const pid = start(
      context,
      'while ! grep -q reg-cgroup /proc/self/cgroup; do :; done; x=a; while :; do x="$x$x"; done',
    );
    cgroup.apply(plan);
    cgroup.attach(pid);
    await Promise.all(context.children.map(exited));
    assert.is(context.children[0]?.signalCode, "SIGKILL");
    assert.is(watch.next(), "oom");
    cgroup.destroy();
    assert.is(watch.next(), "gone");
  } finally {
    watch.close();
  }
});

onV1("v1 device rules are in force", (context) => {
  const { cgroup } = box(context, {
    devices: [
      { allow: false, access: "rwm" },
      { allow: true, type: "c", major: 10, minor: 229, access: "rw" },
    ],
  });
  const list = read(cgroup, "devices", "devices.list").split("\n");
  assert.ok(list.includes("c 10:229 rw") && list.includes("c 1:3 rwm") && list.includes("c *:* m"), list.join());
  assert.not(list.includes("a *:* rwm"));
});

onV2("v2 device rules are in force, and an update replaces the program", async (context) => {
  // It waits until it is inside and standard input ends, that is until the rules are set; then it opens two devices.
  const probe = `read line; until grep -q reg-cgroup /proc/self/cgroup; do :; done
    dd if=/dev/zero of=/dev/null count=1 2>&1 || exit 3
    dd if=/dev/kmsg count=0 2>&1 && exit 4
    exit 0`;
  const plan = planOf({ devices: [{ allow: false, access: "rwm" }] });
  const cgroup = createCgroup(plan);
  context.cgroups.push(cgroup);
  const child = spawn("/bin/sh", ["-c", probe], { stdio: ["pipe", "ignore", "ignore"] });
  context.children.push(child);
  cgroup.attach(child.pid ?? 0);
  cgroup.apply(planOf({ devices: [{ allow: false }, { allow: true, type: "c", major: 1, minor: 11 }] }));
  cgroup.apply(plan);
  child.stdin.end("go\n");
  await exited(child);
  assert.is(child.exitCode, 0);
});

onV2("exec joins beside the container's process when the container has made cgroups", (context) => {
  const { cgroup, pid } = box(context, {});
  const top = cgroup.state.paths[""] ?? "";
  mkdirSync(`${top}/init`);
  const sub = cgroup.below("init");
  sub.attach(pid);
  writeFileSync(`${top}/cgroup.subtree_control`, "+pids");
  const second = start(context, "exec sleep 1000");
  assert.throws(
    () => cgroup.attach(second),
    (error: { code: string }) => error.code === "EBUSY",
  );
  besideProcess(cgroup, pid).attach(second);
  assert.equal(sub.pids(), [pid, second]);
  assert.equal(cgroup.pids(false), []);
});

onV1("a cpuset takes over what its parent has", (context) => {
  const { cgroup } = box(context, {});
  assert.is(read(cgroup, "cpuset", "cpuset.cpus"), readFileSync("/sys/fs/cgroup/cpuset/cpuset.cpus", "utf8").trim());
  assert.is.not(read(cgroup, "cpuset", "cpuset.mems"), "");
});

onV1("a process that calls it for itself joins by attachSelf", (context) => {
  // Node has many threads, so only this one moves in the v1 hierarchies; it moves back at once.
  const cgroup = createCgroup(planOf({}));
  context.cgroups.push(cgroup);
  const own = readFileSync("/proc/thread-self/cgroup", "utf8");
  try {
    cgroup.attachSelf(true);
    const places = readFileSync("/proc/thread-self/cgroup", "utf8").trim().split("\n");
    for (const place of places) if (!place.startsWith("0::")) assert.match(place, PARENT);
  } finally {
    for (const line of own.split("\n")) {
      const [, label = "", path] = line.split(":");
      const name = label.replace("name=", "");
      if (name !== "") writeFileSync(`/sys/fs/cgroup/${name}${path}/tasks`, "0");
    }
  }
});

kernel.run();
