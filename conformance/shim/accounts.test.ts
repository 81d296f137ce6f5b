/** What a container uses, and what is told of it: Stats against the kernel's files, kills for memory, process ids, Kill of all. On both versions of cgroups. */
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { decode, type MessageTable } from "../../runtime/linux/protobuf.ts";
import {
  CPU_V2,
  MEMORY_EVENTS,
  MEMORY_V1,
  MEMORY_V2,
  METRICS_V1,
  METRICS_V2,
} from "../../runtime/shim/proto/metrics.ts";
import { type ShimFixture, sleep, type Tasks, withShim } from "../fixtures/shim-fixture.ts";
import { cgroups, cgroupV1, cgroupV2, mounting, needs, root } from "../testing.ts";

const accounts = suite("shim: accounts");
const test = needs(accounts, root, mounting, cgroups);
const onV1 = needs(accounts, root, mounting, cgroupV1);
const onV2 = needs(accounts, root, mounting, cgroupV2);

const SIGKILL = 9;
const MIB = 1024 * 1024;

const spec = (...args: string[]) => ({
  typeUrl: "",
  value: Buffer.from(JSON.stringify({ args, cwd: "/", env: ["PATH=/bin"], user: { uid: 0, gid: 0 } })),
});

/** The directory of a process's cgroup: of a controller on cgroup v1, of all on v2. */
function directoryOf(pid: number, controller: string): string {
  const v2 = existsSync("/sys/fs/cgroup/cgroup.controllers");
  for (const line of readFileSync(`/proc/${pid}/cgroup`, "utf8").split("\n")) {
    const [, names = "", path = ""] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (v2 && names === "") return join("/sys/fs/cgroup", path);
    if (!v2 && names.split(",").includes(controller)) return join("/sys/fs/cgroup", names, path);
  }
  throw new Error(`process ${pid} has no cgroup of ${controller}`);
}

/** A file of numbers: `name number` lines, or one number, which then has no name. "max" is as much as 64 bits hold, if it is to be told so. */
function numbers(directory: string, file: string, max = 0): Record<string, number> {
  const path = join(directory, file);
  const found: Record<string, number> = {};
  if (!existsSync(path)) return found;
  for (const line of readFileSync(path, "utf8").trim().split("\n")) {
    const [name, value] = line.includes(" ") ? line.split(" ") : ["", line];
    found[name ?? ""] = value === "max" ? max : Number(value);
  }
  return found;
}

type Numbers = Readonly<Record<string, unknown>>;

/** The fields of a message that are numbers. */
function counters(message: unknown): Record<string, number> {
  const found: Record<string, number> = {};
  for (const [name, value] of Object.entries((message ?? {}) as Numbers))
    if (typeof value === "number" || typeof value === "bigint") found[name] = Number(value);
  return found;
}

/** Those of a file that a message has fields for; the others of these fields are 0. */
function expected(table: MessageTable, values: Record<string, number>): Record<string, number> {
  const names = Object.keys(table).filter((name) => table[name]?.[1] === "uint");
  return Object.fromEntries(names.map((name) => [name, values[name] ?? 0]));
}

/** Calls Stats of a container that does nothing, until `read` has given the same before and after. */
async function statsBetween<T>(tasks: Tasks, id: string, table: MessageTable, read: () => T) {
  for (let attempt = 0; attempt < 50; attempt++) {
    const before = read();
    const { stats } = await tasks.call("Stats", { id });
    if (JSON.stringify(before) !== JSON.stringify(read())) continue;
    return { files: before, told: decode(table, stats?.value ?? new Uint8Array(0)) as Record<string, Numbers> };
  }
  throw new Error("the files change all the time");
}

/** A container that has worked, has limits, and is paused. */
async function paused(shim: ShimFixture) {
  const bundle = shim.bundle(
    "seq 1 20000 >/tmp/numbers; cat /tmp/numbers >/dev/null; echo ready >/tmp/ready; exec sleep 1000",
    (config) => {
      config.root.readonly = false;
      config.linux.resources = {
        memory: { limit: 256 * MIB },
        pids: { limit: 77 },
        cpu: { quota: 50_000, period: 100_000 },
      };
    },
  );
  const { id, tasks, started } = await shim.create(bundle);
  const { pid } = await tasks.call("Start", { id });
  const ready = join(bundle.rootfs, "tmp/ready");
  for (let waited = 0; !existsSync(ready); waited++) {
    assert.ok(waited < 1000, `${ready} is not there`);
    await sleep(10);
  }
  await tasks.call("Pause", { id });
  return { id, tasks, started, pid };
}

onV2("Stats on cgroup v2: each field is what its file says", () =>
  withShim(async (shim) => {
    const { id, tasks, started, pid } = await paused(shim);
    const directory = directoryOf(pid, "");
    const noLimit = 2 ** 64;
    const { files, told } = await statsBetween(tasks, id, METRICS_V2, () => {
      const one = (file: string, max = noLimit) => numbers(directory, file, max)[""] ?? 0;
      return {
        pids: { current: one("pids.current"), limit: one("pids.max") },
        cpu: expected(CPU_V2, numbers(directory, "cpu.stat")),
        memory: {
          ...expected(MEMORY_V2, numbers(directory, "memory.stat")),
          usage: one("memory.current"),
          usageLimit: one("memory.max"),
          swapUsage: one("memory.swap.current"),
          swapLimit: one("memory.swap.max"),
          maxUsage: one("memory.peak"),
          swapMaxUsage: one("memory.swap.peak"),
        },
        memoryEvents: expected(MEMORY_EVENTS, numbers(directory, "memory.events")),
        io: existsSync(join(directory, "io.stat")) ? readFileSync(join(directory, "io.stat"), "utf8") : "",
      };
    });
    for (const name of ["pids", "cpu", "memory", "memoryEvents"] as const)
      assert.equal(counters(told[name]), files[name], name);
    assert.equal([files.pids.limit, files.memory.usageLimit], [77, 256 * MIB]);
    assert.ok(files.cpu.usage_usec !== undefined && files.cpu.usage_usec > 0);
    assert.ok(files.memory.usage > 0);
    const devices = (told.io?.usage ?? []) as readonly Numbers[];
    const lines = devices.map(
      ({ major, minor, rbytes, wbytes, rios, wios }) =>
        `${major}:${minor} rbytes=${rbytes} wbytes=${wbytes} rios=${rios} wios=${wios}`,
    );
    for (const [index, line] of files.io.trim().split("\n").entries())
      if (line !== "") assert.ok(line.startsWith(lines[index] ?? "?"), `${line}: ${lines[index]}`);
    await shim.finish(id, tasks, started);
  }),
);

onV1("Stats on cgroup v1: each field is what its file says", () =>
  withShim(async (shim) => {
    const { id, tasks, started, pid } = await paused(shim);
    const { files, told } = await statsBetween(tasks, id, METRICS_V1, () => {
      const one = (controller: string, file: string) => numbers(directoryOf(pid, controller), file)[""] ?? 0;
      const entry = (name: string) => ({
        limit: one("memory", `memory.${name}limit_in_bytes`),
        usage: one("memory", `memory.${name}usage_in_bytes`),
        max: one("memory", `memory.${name}max_usage_in_bytes`),
        failcnt: one("memory", `memory.${name}failcnt`),
      });
      const ticks = numbers(directoryOf(pid, "cpuacct"), "cpuacct.stat");
      const throttling = numbers(directoryOf(pid, "cpu"), "cpu.stat");
      return {
        pids: { current: one("pids", "pids.current"), limit: one("pids", "pids.max") },
        usage: {
          total: one("cpuacct", "cpuacct.usage"),
          kernel: (ticks.system ?? 0) * 1e7,
          user: (ticks.user ?? 0) * 1e7,
        },
        perCpu: readFileSync(join(directoryOf(pid, "cpuacct"), "cpuacct.usage_percpu"), "utf8")
          .trim()
          .split(" "),
        throttling: {
          periods: throttling.nr_periods,
          throttledPeriods: throttling.nr_throttled,
          throttledTime: throttling.throttled_time,
        },
        memory: expected(MEMORY_V1, numbers(directoryOf(pid, "memory"), "memory.stat")),
        entries: [entry(""), entry("memsw."), entry("kmem."), entry("kmem.tcp.")],
      };
    });
    const { pids, cpu, memory } = told;
    assert.equal(counters(pids), files.pids);
    assert.equal(counters(cpu?.usage), files.usage);
    assert.equal(((cpu?.usage ?? {}) as { perCpu?: readonly number[] }).perCpu?.map(String), files.perCpu);
    assert.equal(counters(cpu?.throttling), files.throttling);
    assert.equal(counters(memory), files.memory);
    assert.equal([memory?.usage, memory?.swap, memory?.kernel, memory?.kernelTcp].map(counters), files.entries);
    assert.equal([files.pids.limit, files.entries[0]?.limit], [77, 256 * MIB]);
    assert.ok(files.usage.total > 0 && (files.entries[0]?.usage ?? 0) > 0);
    await shim.finish(id, tasks, started);
  }),
);

test("Pids while all are frozen", () =>
  withShim(async (shim) => {
    const { id, tasks, started, pid } = await paused(shim);
    assert.equal(
      (await tasks.call("Pids", { id })).processes.map((each) => each.pid),
      [pid],
    );
    await shim.finish(id, tasks, started);
  }));

test("a kill for memory is told, whether of a child or of an added process, and the container goes on", () =>
  withShim(async (shim) => {
    const bundle = shim.bundle("sleep 0.1; tail /dev/zero; exec sleep 1000", (config) => {
      config.linux.resources = { memory: { limit: 16 * MIB, swap: 16 * MIB } };
    });
    const { id, tasks, started } = await shim.create(bundle);
    const { pid } = await tasks.call("Start", { id });
    const [directory, file] = existsSync("/sys/fs/cgroup/cgroup.controllers")
      ? [directoryOf(pid, ""), "memory.current"]
      : [directoryOf(pid, "memory"), "memory.usage_in_bytes"];
    await shim.event("/tasks/oom");
    assert.is((await tasks.call("State", { id })).status, 2);
    // It is told before the kernel has taken the memory back, and what comes until then may be what it kills next.
    const inUse = () => numbers(directory, file)[""] ?? 0;
    for (let waited = 0; inUse() > 8 * MIB; waited++) {
      assert.ok(waited < 1000, `${inUse()} bytes are in use`);
      await sleep(10);
    }
    const before = shim.events.length;
    await tasks.call("Exec", { id, execId: "a", spec: spec("tail", "/dev/zero") });
    await tasks.call("Start", { id, execId: "a" });
    assert.is((await tasks.call("Wait", { id, execId: "a" })).exitStatus, 137);
    await shim.event("/tasks/exit");
    const told = shim.topics().slice(before);
    assert.ok(told.includes("/tasks/oom") && told.indexOf("/tasks/oom") < told.indexOf("/tasks/exit"), told.join(" "));
    const { stats } = await tasks.call("Stats", { id });
    const v2 = stats?.typeUrl.includes(".v2.") ?? false;
    const { memoryEvents, memoryOomControl } = decode(
      v2 ? METRICS_V2 : (METRICS_V1 as MessageTable),
      stats?.value ?? new Uint8Array(0),
    ) as Record<string, { oom_kill?: number; oomKill?: number }>;
    assert.is(v2 ? memoryEvents?.oom_kill : memoryOomControl?.oomKill, 2);
    await shim.finish(id, tasks, started);
  }));

test("Kill of all in a shared pid namespace reaches what init has left behind", () =>
  withShim(async (shim) => {
    const bundle = shim.bundle("sleep 1000 & sleep 1001 & exec sleep 1002", (config) => {
      config.linux.namespaces = config.linux.namespaces.filter(({ type }) => type !== "pid");
    });
    const { id, tasks, started } = await shim.create(bundle);
    await tasks.call("Start", { id });
    const pids = async () => (await tasks.call("Pids", { id })).processes.map(({ pid }) => pid);
    for (let waited = 0; (await pids()).length < 3 && waited < 500; waited++) await sleep(10);
    const all = await pids();
    assert.is(all.length, 3);
    await tasks.call("Kill", { id, signal: SIGKILL, all: true });
    assert.is((await tasks.call("Wait", { id })).exitStatus, 137);
    for (let waited = 0; all.some((pid) => existsSync(`/proc/${pid}`)) && waited < 500; waited++) await sleep(10);
    assert.equal(
      all.filter((pid) => existsSync(`/proc/${pid}`)),
      [],
    );
    await shim.finish(id, tasks, started);
  }));

accounts.run();
