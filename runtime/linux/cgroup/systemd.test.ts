/** The real systemd: the system's when root, otherwise the user's own. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { need, needs, systemd as running } from "../../../conformance/testing.ts";
import type { Config, LinuxResources } from "../../oci/config.ts";
import { planCgroup, planUpdate } from "../../oci/plan/cgroup/plan.ts";
import * as planner from "../../oci/plan/cgroup/systemd.ts";
import { type Cgroup, createCgroup, openCgroup } from "./cgroup.ts";
import { detectCgroups } from "./host.ts";
import { openSystemd } from "./systemd.ts";

const rootless = process.getuid?.() !== 0;
const bus = rootless ? `${process.env.XDG_RUNTIME_DIR}/bus` : "/run/dbus/system_bus_socket";

const systemd = suite("cgroup by systemd");
const test = needs(systemd, running, need(`a bus at ${bus}`, existsSync(bus)));
const children: ChildProcess[] = [];
const cgroups: Cgroup[] = [];
let count = 0;

systemd.after.each(async () => {
  for (const child of children) child.kill("SIGKILL");
  await Promise.all(children.map(exited));
  for (const cgroup of cgroups) cgroup.destroy();
  children.length = cgroups.length = 0;
});

function exited(child: ChildProcess): Promise<void> {
  return child.exitCode !== null || child.signalCode !== null
    ? Promise.resolve()
    : new Promise((resolve) => child.once("exit", () => resolve()));
}

function show(unit: string, property: string): string {
  const scope = rootless ? ["--user"] : [];
  return execFileSync("systemctl", [...scope, "show", "--value", `--property=${property}`, unit], {
    encoding: "utf8",
  }).trim();
}

interface Box {
  readonly cgroup: Cgroup;
  readonly unit: string;
  readonly pid: number;
}

function box(resources: LinuxResources, more: { path?: string; annotations?: Record<string, string> } = {}): Box {
  const unit = `reg-test-${process.pid}-${++count}.scope`;
  const config: Config = {
    ociVersion: "1.0.0",
    annotations: more.annotations ?? {},
    linux: { cgroupsPath: more.path ?? `:reg-test-${process.pid}:${count}`, resources },
  };
  const host = detectCgroups(true);
  const plan = planCgroup(config, { id: "test", cgroupManager: "systemd", rootless, systemd: planner }, host);
  const cgroup = createCgroup(plan, openSystemd());
  cgroups.push(cgroup);
  const child = spawn("sleep", ["1000"], { stdio: "ignore" });
  children.push(child);
  const pid = child.pid ?? 0;
  cgroup.attach(pid);
  cgroup.apply(plan);
  return { cgroup, unit: plan.unit?.name ?? unit, pid };
}

const MiB = 1024 * 1024;
const MEMORY = detectCgroups().mode === "v2" ? "MemoryMax" : "MemoryLimit";

test("a process is in a scope of its own, which is found again by its state", () => {
  const { cgroup, unit, pid } = box({});
  assert.match(readFileSync(`/proc/${pid}/cgroup`, "utf8"), `/${unit}`);
  assert.is(show(unit, "ActiveState"), "active");
  assert.is(show(unit, "Delegate"), "yes");
  assert.is(show(unit, "Slice"), rootless ? "user.slice" : "system.slice");
  const again = openCgroup(JSON.parse(JSON.stringify(cgroup.state)), openSystemd());
  assert.equal(again.pids(), [pid]);
  again.freeze();
  assert.ok(again.isFrozen());
  again.thaw();
});

test("limits are known to systemd, and in force", () => {
  const { cgroup, unit } = box({
    memory: { limit: 64 * MiB, reservation: MiB },
    pids: { limit: 20 },
    cpu: { shares: 512, quota: 50000 },
  });
  assert.is(show(unit, MEMORY), String(64 * MiB));
  assert.is(show(unit, "TasksMax"), "20");
  assert.is(show(unit, "CPUQuotaPerSecUSec"), "500ms");
  const path = cgroup.state.paths[""];
  if (path === undefined) return;
  assert.is(show(unit, "CPUWeight"), "59");
  assert.is(readFileSync(`${path}/memory.max`, "utf8").trim(), String(64 * MiB));
  assert.is(readFileSync(`${path}/pids.max`, "utf8").trim(), "20");
});

test("an update is told to systemd", () => {
  const { cgroup, unit } = box({ pids: { limit: 20 } });
  const update = openCgroup(cgroup.state, openSystemd());
  update.apply(planUpdate({ pids: { limit: 30 }, memory: { limit: 32 * MiB } }, cgroup.state, planner));
  assert.is(show(unit, "TasksMax"), "30");
  assert.is(show(unit, MEMORY), String(32 * MiB));
  if (!rootless) execFileSync("systemctl", ["daemon-reload"]);
  if (cgroup.state.version === 2)
    assert.is(readFileSync(`${cgroup.state.paths[""]}/pids.max`, "utf8").trim(), "30", "after a reload");
});

test("annotations set properties", () => {
  const { unit } = box(
    {},
    {
      annotations: {
        "org.systemd.property.CollectMode": "'inactive-or-failed'",
        "org.systemd.property.TimeoutStopSec": "uint64 7",
        "org.systemd.property.Description": "'told by an annotation'",
      },
    },
  );
  assert.is(show(unit, "CollectMode"), "inactive-or-failed");
  assert.is(show(unit, "TimeoutStopUSec"), "7s");
  assert.is(show(unit, "Description"), "told by an annotation");
});

test("a property that systemd does not know is an error, and nothing stays behind", () => {
  assert.throws(
    () => box({}, { annotations: { "org.systemd.property.NoSuchThing": "true" } }),
    /unable to start unit .*NoSuchThing/,
  );
  const name = cgroups.at(-1)?.state.unit ?? "";
  assert.is(show(name, "ActiveState"), "inactive");
});

test("a unit of the same name is an error", () => {
  const { unit } = box({});
  assert.throws(
    () => box({}, { path: `:${unit.replace(/-\d+\.scope$/, "")}:${count}` }),
    /unable to start unit .*UnitExists/,
  );
  cgroups.pop(); // it is the first one's
});

test("destroy stops the unit, twice is no error", async () => {
  const { cgroup, unit } = box({});
  cgroup.killAll(9);
  cgroup.destroy();
  await Promise.all(children.map(exited));
  assert.is(show(unit, "ActiveState"), "inactive");
  assert.not(cgroup.exists());
  cgroup.destroy();
});

test("devices are told to systemd", () => {
  const { unit } = box({ devices: [{ allow: false, access: "rwm" }] });
  assert.is(show(unit, "DevicePolicy"), "strict");
  assert.match(show(unit, "DeviceAllow"), "char-pts rwm");
});

test("a slice below another is made with it", () => {
  const slice = `regtest${process.pid}.slice`;
  const { unit, pid } = box({}, { path: `${slice}:p:n` });
  assert.is(show(unit, "Slice"), slice);
  assert.match(readFileSync(`/proc/${pid}/cgroup`, "utf8"), `/${slice}/p-n.scope`);
});

systemd.run();
