/** Applying to a temp directory that stands in for cgroupfs: what is written where, and in which order things are undone. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { RegError } from "../../errors/errors.ts";
import { createCgroup, openCgroup } from "./cgroup.ts";
import { freeze, isFrozen } from "./freezer.ts";
import { listPids } from "./processes.ts";
import { readStats } from "./stats.ts";
import type { CgroupPlan, CgroupState, FileWrite } from "./types.ts";
import { applyWrites } from "./write.ts";

const fake = suite<{ top: string }>("cgroup on a directory");

fake.before.each((context) => {
  context.top = mkdtempSync(join(tmpdir(), "cgroup-"));
});
fake.after.each(({ top }) => rmSync(top, { recursive: true }));

/** Files with their contents; a write does not cut them, so writable ones begin empty. */
function fill(directory: string, files: Record<string, string>): void {
  mkdirSync(directory, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text);
}

function v2(top: string): CgroupState {
  return { driver: "cgroupfs", version: 2, paths: { "": top } };
}

function planFor(top: string, version: 1 | 2, names: readonly string[], path = "/box/a"): CgroupPlan {
  return {
    driver: "cgroupfs",
    version,
    paths: Object.fromEntries(names.map((name) => [name, join(top, name) + path])),
    mountpoints: Object.fromEntries(names.map((name) => [name, join(top, name)])),
    early: [],
    writes: [],
    optional: false,
  };
}

const write = (file: string, value: string, more: Partial<FileWrite> = {}): FileWrite => ({
  controller: file.slice(0, file.indexOf(".")),
  file,
  value,
  field: `/linux/resources/${file}`,
  ...more,
});

/** The error that `action` throws. */
function errorOf(action: () => unknown): RegError {
  try {
    action();
  } catch (error) {
    assert.instance(error, RegError);
    return error as RegError;
  }
  throw new Error("nothing was thrown");
}

fake("makes a directory in each hierarchy, with its parents", ({ top }) => {
  for (const name of ["memory", "cpu,cpuacct"]) mkdirSync(join(top, name));
  const cgroup = createCgroup(planFor(top, 1, ["memory", "cpu,cpuacct"]));
  assert.ok(existsSync(join(top, "memory/box/a")) && existsSync(join(top, "cpu,cpuacct/box/a")));
  assert.ok(cgroup.exists());
  assert.equal(openCgroup(JSON.parse(JSON.stringify(cgroup.state))).state, cgroup.state);
  cgroup.destroy();
  assert.not(cgroup.exists());
  assert.ok(existsSync(join(top, "memory/box")), "a parent may be of use to others");
});

fake("undoes what it made when a hierarchy fails, and leaves what was there", ({ top }) => {
  mkdirSync(join(top, "memory/box"), { recursive: true });
  mkdirSync(join(top, "pids"));
  writeFileSync(join(top, "cpu"), "not a directory");
  const error = errorOf(() => createCgroup(planFor(top, 1, ["memory", "pids", "cpu"])));
  assert.is(error.field, "/linux/cgroupsPath");
  assert.ok(existsSync(join(top, "memory/box")));
  assert.not(existsSync(join(top, "memory/box/a")));
  assert.not(existsSync(join(top, "pids/box")));
});

fake("undoes directories when an early write fails", ({ top }) => {
  mkdirSync(join(top, "cpu"));
  const plan = { ...planFor(top, 1, ["cpu"]), early: [write("cpu.rt_runtime_us", "5")] };
  assert.is(errorOf(() => createCgroup(plan)).field, "/linux/resources/cpu.rt_runtime_us");
  assert.not(existsSync(join(top, "cpu/box")));
});

fake("refuses a cgroup in which processes run", ({ top }) => {
  fill(join(top, "memory/box/a/b"), { "cgroup.procs": "12\n13\n" });
  const error = errorOf(() => createCgroup(planFor(top, 1, ["memory"])));
  assert.match(error.message, "container's cgroup is not empty: 2 process(es) found");
  assert.ok(existsSync(join(top, "memory/box/a/b")));
});

fake("refuses a cgroup in which processes run in one hierarchy only", ({ top }) => {
  for (const name of ["devices", "memory", "cpu"]) fill(join(top, name, "box/a"), { "cgroup.procs": "" });
  fill(join(top, "cpu/box/a"), { "cgroup.procs": "12\n" });
  const error = errorOf(() => createCgroup(planFor(top, 1, ["devices", "memory", "cpu"])));
  assert.match(error.message, "container's cgroup is not empty: 1 process(es) found");
  assert.match(error.hint ?? "", join(top, "cpu/box/a"));
});

fake("refuses a frozen cgroup", ({ top }) => {
  fill(join(top, "freezer/box/a"), { "freezer.state": "FROZEN\n", "cgroup.procs": "" });
  assert.match(errorOf(() => createCgroup(planFor(top, 1, ["freezer"]))).message, "unexpectedly frozen");
});

fake("copies the cpuset of the parent down to each new directory", ({ top }) => {
  fill(join(top, "cpuset"), { "cpuset.cpus": "0-3\n", "cpuset.mems": "0\n" });
  // A directory does not get its files from mkdir here, so the first write fails; the kernel is tried in cgroup.test.ts.
  const error = errorOf(() => createCgroup(planFor(top, 1, ["cpuset"])));
  assert.match(error.message, `write(2) "0-3" to ${top}/cpuset/box/cpuset.cpus`);
});

fake("enables controllers from the top down, one by one when not all can be", ({ top }) => {
  fill(top, { "cgroup.controllers": "cpu memory\n", "cgroup.subtree_control": "" });
  fill(join(top, "box"), { "cgroup.controllers": "cpu memory\n", "cgroup.subtree_control": "" });
  fill(join(top, "box/a"), { "cgroup.controllers": "\n", "cgroup.procs": "", "cgroup.freeze": "0" });
  createCgroup({ ...planFor(top, 2, [""]), mountpoints: { "": top }, paths: { "": join(top, "box/a") } });
  assert.is(readFileSync(join(top, "cgroup.subtree_control"), "utf8"), "+cpu +memory");
  assert.is(readFileSync(join(top, "box/cgroup.subtree_control"), "utf8"), "+cpu +memory");
});

fake("leaves subtree_control alone when all controllers are there", ({ top }) => {
  fill(top, { "cgroup.controllers": "cpu memory\n", "cgroup.subtree_control": "" });
  fill(join(top, "a"), { "cgroup.controllers": "cpu memory\n", "cgroup.procs": "", "cgroup.freeze": "0" });
  createCgroup({ ...planFor(top, 2, [""]), mountpoints: { "": top }, paths: { "": join(top, "a") } });
  assert.is(readFileSync(join(top, "cgroup.subtree_control"), "utf8"), "");
});

fake("writes limits", ({ top }) => {
  fill(top, { "pids.max": "", "memory.max": "" });
  applyWrites(v2(top), [write("pids.max", "5"), write("memory.max", "100")]);
  assert.is(readFileSync(join(top, "pids.max"), "utf8"), "5");
  assert.is(readFileSync(join(top, "memory.max"), "utf8"), "100");
});

fake("writes one after the other into the same file", ({ top }) => {
  fill(top, { "devices.allow": "" });
  applyWrites({ driver: "cgroupfs", version: 1, paths: { devices: top } }, [
    write("devices.allow", "c 1:3 rwm;"),
    write("devices.allow", "c 1:5 rwm;"),
  ]);
  assert.is(readFileSync(join(top, "devices.allow"), "utf8"), "c 1:3 rwm;c 1:5 rwm;");
});

fake("writes the other file when the first is missing, or nothing", ({ top }) => {
  fill(top, { "io.weight": "" });
  applyWrites(v2(top), [
    write("io.bfq.weight", "500", { otherwise: write("io.weight", "4950") }),
    write("memory.swap.max", "max", { otherwise: "skip" }),
  ]);
  assert.is(readFileSync(join(top, "io.weight"), "utf8"), "4950");
});

fake("names the field and what to do when a controller is not enabled", ({ top }) => {
  fill(top, { "cgroup.controllers": "cpu memory\n" });
  const error = errorOf(() => applyWrites(v2(top), [write("pids.max", "5")]));
  assert.is(error.field, "/linux/resources/pids.max");
  assert.is(error.code, "ENOENT");
  assert.match(error.hint ?? "", "the pids controller is not enabled for this cgroup");
});

fake("says that a limit can not be set without a cgroup", () => {
  for (const version of [1, 2] as const) {
    const state: CgroupState = { driver: "disabled", version, paths: {} };
    const error = errorOf(() => applyWrites(state, [write("pids.max", "5")]));
    assert.is(error.message, "cannot set pids limit: container could not join or create cgroup");
    assert.match(error.hint ?? "", "permission");
  }
});

fake("goes without a cgroup that nobody asked for and nobody may make, and not without its limits", () => {
  // Nobody can make directories in sysfs, root neither.
  const plan = { ...planFor("/sys", 2, [""]), mountpoints: { "": "/sys/kernel" }, paths: { "": "/sys/kernel/a" } };
  const error = errorOf(() => createCgroup(plan));
  assert.equal([error.code, error.field], ["EPERM", "/linux/cgroupsPath"]);
  assert.match(error.hint ?? "", "run as root");
  const cgroup = createCgroup({ ...plan, optional: true });
  assert.equal(cgroup.state, { driver: "disabled", version: 2, paths: {} });
  cgroup.apply({ writes: [] });
  assert.match(errorOf(() => cgroup.apply({ writes: [write("pids.max", "1")] })).message, "cannot set pids limit");
  errorOf(() => createCgroup({ ...plan, optional: true, early: [write("cpuset.cpus", "0")] }));
});

fake("finds a controller that is mounted together with another", ({ top }) => {
  fill(top, { "cpu.shares": "" });
  applyWrites({ driver: "cgroupfs", version: 1, paths: { "cpu,cpuacct": top } }, [write("cpu.shares", "5")]);
  assert.is(readFileSync(join(top, "cpu.shares"), "utf8"), "5");
});

fake("refuses a limit below the present usage when asked to", ({ top }) => {
  fill(top, { "memory.max": "", "memory.current": "200\n" });
  const limit = write("memory.max", "100", { notBelow: "memory.current" });
  assert.match(
    errorOf(() => applyWrites(v2(top), [limit])).message,
    "unable to set memory limit to 100 (current usage: 200)",
  );
  applyWrites(v2(top), [{ ...limit, value: "200" }]);
});

fake("lists processes, those of sub-cgroups too", ({ top }) => {
  fill(top, { "cgroup.procs": "1\n2\n" });
  fill(join(top, "sub"), { "cgroup.procs": "3\n" });
  assert.equal(listPids(top, false), [1, 2]);
  assert.equal(listPids(top, true), [1, 2, 3]);
  assert.equal(listPids(join(top, "gone"), true), []);
});

fake("waits for nothing when a v2 cgroup is frozen at once", ({ top }) => {
  fill(top, { "cgroup.freeze": "", "cgroup.events": "populated 1\nfrozen 1\n" });
  freeze(v2(top));
  assert.ok(isFrozen(v2(top)));
});

fake("lets exec enter cgroups below, and none outside", ({ top }) => {
  const cgroup = openCgroup({ driver: "cgroupfs", version: 1, paths: { memory: join(top, "m"), cpu: join(top, "c") } });
  assert.equal(cgroup.below("/sub/").state.paths, { memory: join(top, "m/sub"), cpu: join(top, "c/sub") });
  assert.equal(cgroup.below({ memory: "x" }).state.paths, { memory: join(top, "m/x"), cpu: join(top, "c") });
  for (const path of ["../x", "/a/../..", ".."])
    assert.match(errorOf(() => cgroup.below(path)).message, "bad sub cgroup path");
});

fake("a container without a cgroup has no processes, and nothing to destroy", () => {
  const cgroup = createCgroup({ ...planFor("/nowhere", 2, []), driver: "disabled" });
  assert.equal(cgroup.pids(), []);
  assert.not(cgroup.exists());
  assert.not(cgroup.isFrozen());
  cgroup.attach(1);
  cgroup.attachSelf(false);
  cgroup.killAll(9);
  cgroup.destroy();
  assert.is(cgroup.openDirectory(), undefined);
});

fake("reads statistics of v2", ({ top }) => {
  fill(top, {
    "cpu.stat": "usage_usec 30\nuser_usec 10\nsystem_usec 20\nnr_periods 3\nnr_throttled 2\nthrottled_usec 7\n",
    "cpu.pressure": "some avg10=1.50 avg60=0.00 avg300=0.00 total=12\nfull avg10=0.00 avg60=0.00 avg300=0.25 total=3\n",
    "memory.stat": "anon 5\nfile 6\n",
    "memory.current": "100\n",
    "memory.max": "max\n",
    "memory.swap.current": "11\n",
    "memory.swap.max": "max\n",
    "memory.events": "low 0\nmax 4\noom 0\noom_kill 0\n",
    "pids.current": "2\n",
    "pids.max": "max\n",
    "io.stat": "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6\n",
    "cpuset.cpus": "0-2,5\n",
    "hugetlb.2MB.current": "2097152\n",
    "hugetlb.2MB.rsvd.current": "9\n",
    "hugetlb.2MB.events": "max 1\n",
  });
  const { cpu, memory, pids, blkio, cpuset, hugetlb } = readStats(v2(top));
  assert.equal(cpu.usage, { total: 30000, kernel: 20000, user: 10000 });
  assert.equal(cpu.throttling, { periods: 3, throttledPeriods: 2, throttledTime: 7000 });
  assert.equal([cpu.psi?.some.avg10, cpu.psi?.full.avg300, cpu.psi?.full.total], [1.5, 0.25, 3]);
  assert.equal([memory.cache, memory.usage.usage, memory.usage.failcnt, memory.swap.usage], [6, 100, 4, 111]);
  assert.ok(BigInt(memory.usage.limit) < 2n ** 63n && BigInt(memory.swap.limit) < 2n ** 63n);
  assert.equal(memory.raw, { anon: 5, file: 6 });
  assert.equal(pids, { current: 2, limit: 0 });
  assert.equal(cpuset.cpus, [0, 1, 2, 5]);
  assert.equal(hugetlb, { "2MB": { usage: 2097152, max: 0, failcnt: 1 } });
  assert.equal(
    blkio.ioServiceBytesRecursive.map(({ op, value }) => `${op} ${value}`),
    ["Read 1", "Write 2", "Discard 5"],
  );
  assert.equal(
    blkio.ioServicedRecursive.map(({ major, op, value }) => `${major} ${op} ${value}`),
    ["8 Read 3", "8 Write 4", "8 Discard 6"],
  );
});

fake("reads statistics of v1", ({ top }) => {
  fill(top, {
    "cpuacct.usage": "300\n",
    "cpuacct.usage_percpu": "100 200 \n",
    "cpuacct.usage_all": "cpu user system\n0 60 40\n1 150 50\n",
    "cpuacct.stat": "user 3\nsystem 2\n",
    "cpu.stat": "nr_periods 3\nnr_throttled 2\nthrottled_time 7\n",
    "memory.stat": "cache 6\nrss 5\n",
    "memory.usage_in_bytes": "100\n",
    "memory.limit_in_bytes": "9223372036854771712\n",
    "memory.memsw.failcnt": "8\n",
    "pids.max": "20\n",
    "blkio.throttle.io_service_bytes_recursive": "8:0 Read 1\n8:0 Total 1\nTotal 1\n",
    "blkio.bfq.io_serviced_recursive": "8:16 Write 3\nTotal 3\n",
    "hugetlb.1GB.limit_in_bytes": "0\n",
    "hugetlb.1GB.max_usage_in_bytes": "7\n",
  });
  const names = ["cpu,cpuacct", "memory", "pids", "blkio", "hugetlb"];
  const stats = readStats({
    driver: "cgroupfs",
    version: 1,
    paths: Object.fromEntries(names.map((name) => [name, top])),
  });
  assert.equal(stats.cpu.usage, {
    total: 300,
    percpu: [100, 200],
    percpu_kernel: [40, 50],
    percpu_user: [60, 150],
    kernel: 20_000_000,
    user: 30_000_000,
  });
  assert.equal([stats.memory.cache, stats.memory.usage.usage, stats.memory.swap.failcnt], [6, 100, 8]);
  assert.equal(stats.pids, { current: 0, limit: 20 });
  assert.equal(stats.blkio.ioServiceBytesRecursive, [
    { major: 8, minor: 0, op: "Read", value: 1 },
    { major: 8, minor: 0, op: "Total", value: 1 },
  ]);
  assert.equal(stats.blkio.ioServicedRecursive, [{ major: 8, minor: 16, op: "Write", value: 3 }]);
  assert.equal(stats.hugetlb, { "1GB": { usage: 0, max: 7, failcnt: 0 } });
});

fake.run();
