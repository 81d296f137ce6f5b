/**
 * Every limit of linux.resources, set when a container is created and by `update`, by a file and by an option: it stands in the control file of
 * the container's cgroup, where it did not before. On cgroup v1 and v2, with reg's own driver and systemd's.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Spec } from "../fixtures/bundle.ts";
import { type Fixture, waitUntil, withFixture } from "../fixtures/fixture.ts";
import { cgroups, cgroupV1, cgroupV2, mounting, need, needs, root, systemd } from "../testing.ts";

const limits = suite("resources");
const onV1 = needs(limits, root, mounting, cgroupV1);
const onV2 = needs(limits, root, mounting, cgroupV2);

/** A control file, and what it holds. */
type Shown = readonly [file: string, content: string | RegExp];

interface Limit {
  /** Below linux.resources. */
  readonly name: string;
  readonly resources: Record<string, unknown>;
  readonly v1?: Shown;
  readonly v2?: Shown;
  /** Options of `update` that say the same. */
  readonly options?: readonly string[];
  /** What more it takes. */
  readonly met?: boolean;
}

const MB = 1 << 20;
const device = blockDevice();
const [major, minor] = (device ?? "0:0").split(":").map(Number);
const huge = hugePages();

/** "MAJOR:MINOR" of a whole disk. */
function blockDevice(): string | undefined {
  if (!existsSync("/sys/block")) return undefined;
  const names = readdirSync("/sys/block").filter((name) => /^(vd|sd|nvme|loop)/.test(name));
  return names.length === 0 ? undefined : readFileSync(`/sys/block/${names.sort().at(-1)}/dev`, "utf8").trim();
}

/** A size of huge pages, as files are named by it. */
function hugePages(): string | undefined {
  return existsSync("/sys/kernel/mm/hugepages/hugepages-2048kB") ? "2MB" : undefined;
}

const throttle = (name: string, v1: string, v2: string): Limit => ({
  name: `blockIO.${name}`,
  resources: { blockIO: { [name]: [{ major, minor, rate: 1048576 }] } },
  v1: [`blkio.throttle.${v1}_device`, `${device} 1048576`],
  v2: ["io.max", new RegExp(`^${device} .*${v2}=1048576`)],
  met: device !== undefined,
});

// biome-ignore format: one limit, one line
const LIMITS: readonly Limit[] = [
  { name: "memory.limit", resources: { memory: { limit: 64 * MB } }, v1: ["memory.limit_in_bytes", `${64 * MB}`], v2: ["memory.max", `${64 * MB}`], options: ["--memory=64m"] },
  { name: "memory.reservation", resources: { memory: { reservation: 32 * MB } }, v1: ["memory.soft_limit_in_bytes", `${32 * MB}`], v2: ["memory.low", `${32 * MB}`], options: ["--memory-reservation=32m"] },
  { name: "memory.swap", resources: { memory: { limit: 64 * MB, swap: 96 * MB } }, v1: ["memory.memsw.limit_in_bytes", `${96 * MB}`], v2: ["memory.swap.max", `${32 * MB}`], options: ["--memory=64m", "--memory-swap=96m"] },
  { name: "memory.swappiness", resources: { memory: { swappiness: 7 } }, v1: ["memory.swappiness", "7"] },
  { name: "memory.disableOOMKiller", resources: { memory: { disableOOMKiller: true } }, v1: ["memory.oom_control", /oom_kill_disable 1/] },
  { name: "memory.kernelTCP", resources: { memory: { kernelTCP: 8 * MB } }, v1: ["memory.kmem.tcp.limit_in_bytes", `${8 * MB}`] },
  { name: "cpu.shares", resources: { cpu: { shares: 512 } }, v1: ["cpu.shares", "512"], v2: ["cpu.weight", "59"], options: ["--cpu-share=512"] },
  { name: "cpu.quota, cpu.period", resources: { cpu: { quota: 25000, period: 50000 } }, v1: ["cpu.cfs_quota_us", "25000"], v2: ["cpu.max", "25000 50000"], options: ["--cpu-quota=25000", "--cpu-period=50000"] },
  { name: "cpu.period", resources: { cpu: { quota: 25000, period: 40000 } }, v1: ["cpu.cfs_period_us", "40000"], v2: ["cpu.max", "25000 40000"], options: ["--cpu-quota=25000", "--cpu-period=40000"] },
  { name: "cpu.burst", resources: { cpu: { quota: 25000, period: 50000, burst: 10000 } }, v1: ["cpu.cfs_burst_us", "10000"], v2: ["cpu.max.burst", "10000"], options: ["--cpu-quota=25000", "--cpu-period=50000", "--cpu-burst=10000"] },
  { name: "cpu.idle", resources: { cpu: { idle: 1 } }, v1: ["cpu.idle", "1"], v2: ["cpu.idle", "1"], options: ["--cpu-idle=1"] },
  { name: "cpu.cpus", resources: { cpu: { cpus: "0" } }, v1: ["cpuset.cpus", "0"], v2: ["cpuset.cpus", "0"], options: ["--cpuset-cpus=0"], met: existsSync("/sys/devices/system/cpu/cpu1") },
  { name: "cpu.mems", resources: { cpu: { mems: "0" } }, v2: ["cpuset.mems", "0"], options: ["--cpuset-mems=0"] }, // v1 copies them from its parent in any case
  { name: "pids.limit", resources: { pids: { limit: 44 } }, v1: ["pids.max", "44"], v2: ["pids.max", "44"], options: ["--pids-limit=44"] },
  { name: "blockIO.weight", resources: { blockIO: { weight: 200 } }, v1: ["blkio.bfq.weight", "200"], v2: ["io.bfq.weight", /200/], options: ["--blkio-weight=200"] },
  { name: "blockIO.weight without BFQ", resources: { blockIO: { weight: 200 } }, v1: ["blkio.weight", "200"], v2: ["io.weight", "default 1920"], options: ["--blkio-weight=200"] },
  throttle("throttleReadBpsDevice", "read_bps", "rbps"), throttle("throttleWriteBpsDevice", "write_bps", "wbps"),
  throttle("throttleReadIOPSDevice", "read_iops", "riops"), throttle("throttleWriteIOPSDevice", "write_iops", "wiops"),
  { name: "hugepageLimits", resources: { hugepageLimits: [{ pageSize: huge ?? "", limit: 4 * MB }] }, v1: [`hugetlb.${huge}.limit_in_bytes`, `${4 * MB}`], v2: [`hugetlb.${huge}.max`, `${4 * MB}`], met: huge !== undefined },
  { name: "hugepageLimits, reserved", resources: { hugepageLimits: [{ pageSize: huge ?? "", limit: 4 * MB }] }, v1: [`hugetlb.${huge}.rsvd.limit_in_bytes`, `${4 * MB}`], v2: [`hugetlb.${huge}.rsvd.max`, `${4 * MB}`], met: huge !== undefined },
  { name: "network.classID", resources: { network: { classID: 1048577 } }, v1: ["net_cls.classid", "1048577"] },
  { name: "network.priorities", resources: { network: { priorities: [{ name: "lo", priority: 5 }] } }, v1: ["net_prio.ifpriomap", /^lo 5$/m] },
  { name: "unified", resources: { unified: { "memory.high": `${48 * MB}` } }, v2: ["memory.high", `${48 * MB}`] },
];

/** Every control file that a cgroup has here, from one that is made to look. */
function findControlFiles(): ReadonlySet<string> {
  if (!root.met || !mounting.met || !cgroups.met) return new Set();
  const mounts = readFileSync("/proc/self/mounts", "utf8").matchAll(/^\S+ (\S+) cgroup(2?) (\S+)/gm);
  const found = [...mounts].flatMap(([, mountpoint = "", unified]) => {
    const enabled = unified === "2" ? controllersOf(mountpoint) : [];
    const probe = join(mountpoint, `reg-test-${process.pid}-probe`);
    try {
      mkdirSync(probe);
      const files = readdirSync(probe);
      rmdirSync(probe);
      return [...files, ...enabled];
    } catch {
      return []; // a hierarchy that is read-only here
    }
  });
  return new Set(found);
}

/** On v2 the files of a controller that nobody has enabled yet are not there: those of this test are looked for by their controller. */
function controllersOf(mountpoint: string): string[] {
  const available = readFileSync(join(mountpoint, "cgroup.controllers"), "utf8").trim().split(" ");
  const files = LIMITS.flatMap(({ v2 }) => (v2 === undefined ? [] : [v2[0]]));
  const optional = ["io.bfq.weight", "io.weight", "cpu.max.burst", "cpu.idle"];
  return files.filter((file) => available.includes(file.split(".")[0] ?? "") && !optional.includes(file));
}
const controlFiles = findControlFiles();

/** What a control file of the container's cgroup holds. */
function control(pid: number, file: string): string {
  const own = readFileSync(`/proc/${pid}/cgroup`, "utf8").matchAll(/^\d+:([^:]*):(.*)$/gm);
  for (const [, controllers = "", path = ""] of own) {
    const hierarchy = controllers.replace(/^name=/, "");
    const names = hierarchy === "" ? ["", "unified"] : [hierarchy, ...hierarchy.split(",")];
    for (const name of names) {
      const found = join("/sys/fs/cgroup", name, path, file);
      if (existsSync(found)) return readFileSync(found, "utf8").trim();
    }
  }
  return "no such file";
}

interface Driver {
  readonly name: string;
  /** Options before the command. */
  readonly options: readonly string[];
  readonly path: (fixture: Fixture) => string | undefined;
}
const DRIVERS: readonly Driver[] = [
  { name: "cgroupfs", options: [], path: () => undefined },
  { name: "systemd", options: ["--systemd-cgroup"], path: ({ mark }) => `:reg-test:${mark}` },
];

/** A container that sleeps, and its pid. */
function launch(fixture: Fixture, driver: Driver, resources: Record<string, unknown>): { id: string; pid: number } {
  const bundle = fixture.sleeper((spec: Spec) => {
    spec.linux.resources = { ...spec.linux.resources, ...resources };
    const path = driver.path(fixture);
    if (path !== undefined) spec.linux.cgroupsPath = path;
  });
  const id = fixture.id();
  fixture.succeed(...driver.options, "create", "--bundle", bundle.path, id);
  return { id, pid: fixture.state(id).pid };
}

const holds = (content: string | RegExp, text: string) =>
  typeof content === "string" ? content === text : content.test(text);

for (const driver of DRIVERS.filter(({ name }) => name === "cgroupfs" || systemd.met))
  for (const { name, resources, v1, v2, options, met = true } of LIMITS) {
    const shown = cgroupV2.met ? v2 : v1;
    if (shown === undefined) continue;
    const [file, content] = shown;
    const test = needs(limits, root, mounting, cgroups, need(`${file} in a cgroup`, met && controlFiles.has(file)));

    test(`${name} of a new container, by ${driver.name}: ${file}`, () =>
      withFixture((fixture) => {
        const without = control(launch(fixture, driver, {}).pid, file);
        assert.not.ok(holds(content, without), `without it: ${without}`);
        const text = control(launchAgain(fixture, driver, resources).pid, file);
        assert.ok(holds(content, text), `${file}: ${text}`);
      }));

    test(`${name} by update, by ${driver.name}: ${file}`, () =>
      withFixture((fixture) => {
        const { id, pid } = launch(fixture, driver, {});
        assert.not.ok(holds(content, control(pid, file)), `before: ${control(pid, file)}`);
        fixture.succeed("update", "--resources", fixture.write("resources", JSON.stringify(resources)), id);
        assert.ok(holds(content, control(pid, file)), `${file}: ${control(pid, file)}`);
      }));

    if (options !== undefined)
      test(`${options.join(" ")} of update, by ${driver.name}: ${file}`, () =>
        withFixture((fixture) => {
          const { id, pid } = launch(fixture, driver, {});
          fixture.succeed("update", ...options, id);
          assert.ok(holds(content, control(pid, file)), `${file}: ${control(pid, file)}`);
        }));
  }

/** Without the first one, whose scope has the same name. */
function launchAgain(fixture: Fixture, driver: Driver, resources: Record<string, unknown>) {
  fixture.succeed("delete", "--force", `${fixture.mark}-1`);
  return launch(fixture, driver, resources);
}

needs(
  limits,
  root,
  mounting,
  cgroups,
)("memory.checkBeforeUpdate refuses a limit below what is in use", () =>
  withFixture((fixture) => {
    // 8 MB of shared memory that stay.
    const id = fixture.launch(
      fixture.shell("dd if=/dev/zero of=/dev/shm/x bs=1M count=8 2>/dev/null; touch /dev/shm/made; sleep 100000"),
    );
    const { pid } = fixture.state(id);
    waitUntil("the memory is in use", () => existsSync(`/proc/${pid}/root/dev/shm/made`));
    const resources = JSON.stringify({ memory: { limit: MB, checkBeforeUpdate: true } });
    fixture.fail("checkBeforeUpdate is set", ["update", "--resources", fixture.write("limits", resources), id]);
    assert.is(fixture.state(id).status, "running");
  }),
);

onV1("unified has no meaning on cgroup v1, and is an error", () =>
  withFixture((fixture) => {
    const bundle = fixture.sleeper((spec) => {
      spec.linux.resources = { unified: { "memory.high": "1000000" } };
    });
    fixture.fail("cannot use unified on cgroup v1", ["create", "--bundle", bundle.path, fixture.id()]);
    fixture.assertNothingLeft();
  }),
);

onV2("events tells of pressure, where the kernel measures it", () =>
  withFixture((fixture) => {
    const { id } = launch(fixture, DRIVERS[0] as Driver, {});
    const { data } = JSON.parse(fixture.succeed("events", "--stats", id));
    const measured = existsSync("/proc/pressure/memory") && spawnSync("cat", ["/proc/pressure/memory"]).status === 0;
    for (const resource of ["cpu", "memory", "blkio"] as const)
      if (measured)
        assert.ok(data[resource].psi?.some?.total !== undefined, `${resource}: ${JSON.stringify(data[resource])}`);
  }),
);

limits.run();
