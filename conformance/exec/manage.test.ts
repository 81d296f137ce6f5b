/** `ps`, `pause`, `resume`, `update` and `events`, from the outside. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { findCgroups } from "../fixtures/cgroups.ts";
import { type Fixture, waitUntil, withFixture } from "../fixtures/fixture.ts";
import { cgroups, cgroupV1, mounting, needs, program, root } from "../testing.ts";

const manage = suite("ps, pause, resume, update, events");
const test = needs(manage, root, mounting, cgroups);
const v1 = needs(manage, root, mounting, cgroupV1);

/** A file of the container's cgroup v1. */
function control(fixture: Fixture, id: string, controller: string, file: string): string {
  const own = readFileSync(`/proc/${fixture.state(id).pid}/cgroup`, "utf8");
  const [, hierarchy, path] = new RegExp(`^\\d+:((?:\\S+,)?${controller}(?:,\\S+)?):(.*)$`, "m").exec(own) ?? [];
  return readFileSync(`/sys/fs/cgroup/${hierarchy}${path}/${file}`, "utf8").trim();
}

test("ps lists the container's processes and no others", () =>
  withFixture((fixture) => {
    const id = fixture.launch(fixture.shell("sleep 100000 & sleep 100001 & wait"));
    const { pid } = fixture.state(id);
    const pids = waitUntil("the shell has started its two programs", () => {
      const found: number[] = JSON.parse(fixture.succeed("ps", "--format", "json", id));
      return found.length === 3 && found;
    });
    assert.ok(pids.includes(pid));
    fixture.succeed("kill", id, "KILL");
    fixture.waitForStatus(id, "stopped");
    assert.is(fixture.succeed("ps", "-f", "json", id), "[]\n");
    fixture.fail("does not exist", ["ps", `${id}x`]);
  }));

needs(
  manage,
  root,
  mounting,
  cgroups,
  program("ps"),
)("ps takes options for ps(1)", () =>
  withFixture((fixture) => {
    const id = fixture.launch(fixture.sleeper());
    const { pid } = fixture.state(id);
    const [header = "", line = "", ...rest] = fixture.succeed("ps", id).split("\n");
    assert.match(header, /^UID +PID +PPID/);
    assert.match(line, `${pid}`);
    assert.equal(rest, [""]);
    assert.is(fixture.succeed("ps", id, "-e", "-o", "pid=PID,comm=NAME").trim().split("\n").length, 2);
    fixture.fail("no column PID", ["ps", id, "-e", "-o", "comm"]);
    fixture.fail("exit status", ["ps", id, "--nonsense"]);
  }),
);

test("pause stops the container, exec refuses it, and resume lets it go on", () =>
  withFixture((fixture) => {
    const id = fixture.launch(fixture.sleeper());
    fixture.fail("container not paused", ["resume", id]);
    fixture.succeed("pause", id);
    assert.is(fixture.state(id).status, "paused");
    fixture.fail("container not running", ["pause", id]);
    fixture.fail("cannot exec in a paused container", ["exec", id, "true"], 255);
    fixture.succeed("resume", id);
    assert.is(fixture.state(id).status, "running");
    assert.is(fixture.succeed("exec", "--ignore-paused", id, "echo", "on"), "on\n");
    fixture.succeed("pause", id);
    fixture.succeed("delete", "--force", id);
    fixture.assertNothingLeft();
    fixture.fail("does not exist", ["pause", id]);
    fixture.fail("does not exist", ["resume", id]);
  }));

test("a process that is killed while exec makes it is named, with what may have killed it, and the container goes on", () =>
  withFixture(async (fixture) => {
    const id = fixture.launch(fixture.sleeper());
    fixture.succeed("pause", id); // so that the process stops in the middle of it, when it joins the cgroup
    const [command = "", ...args] = fixture.command("exec", "--ignore-paused", id, "true");
    const exec = spawn(command, args, { stdio: ["ignore", "ignore", "pipe"], timeout: 10_000, killSignal: "SIGKILL" });
    const ended = Promise.all([once(exec, "exit"), text(exec.stderr)]);
    try {
      const members = () =>
        findCgroups(fixture.mark).flatMap((path) => readFileSync(join(path, "cgroup.procs"), "utf8").split("\n"));
      const pid = waitUntil("the process is in the container's cgroup", () => {
        const child = Number(readFileSync(`/proc/${exec.pid}/task/${exec.pid}/children`, "utf8"));
        return child > 0 && members().includes(`${child}`) && child;
      });
      process.kill(pid, "SIGKILL");
      fixture.succeed("resume", id);
      const [status, message] = await ended;
      assert.equal(status, [255, null]);
      assert.match(message, "the process was killed by signal 9 before it was ready");
      assert.match(message, "is linux.resources.memory.limit too small?");
      assert.is(fixture.succeed("exec", id, "echo", "on"), "on\n");
    } finally {
      exec.kill("SIGKILL");
    }
    fixture.succeed("delete", "--force", id);
    fixture.assertNothingLeft();
  }));

v1("update sets the limits that options name", () =>
  withFixture((fixture) => {
    const id = fixture.launch(fixture.sleeper());
    const options = ["--memory", "64m", "--memory-reservation", "32M", "--pids-limit", "50"];
    fixture.succeed("update", ...options, "--cpu-share", "512", "--cpu-period", "50000", "--cpu-quota", "25000", id);
    assert.is(control(fixture, id, "memory", "memory.limit_in_bytes"), `${64 << 20}`);
    assert.is(control(fixture, id, "memory", "memory.soft_limit_in_bytes"), `${32 << 20}`);
    assert.is(control(fixture, id, "pids", "pids.max"), "50");
    assert.is(control(fixture, id, "cpu", "cpu.shares"), "512");
    assert.is(control(fixture, id, "cpu", "cpu.cfs_quota_us"), "25000");
    fixture.succeed("update", "--cpuset-cpus", "0", "--pids-limit=-1", id);
    assert.is(control(fixture, id, "cpuset", "cpuset.cpus"), "0");
    assert.is(control(fixture, id, "pids", "pids.max"), "max");
    assert.is(control(fixture, id, "memory", "memory.limit_in_bytes"), `${64 << 20}`);
    fixture.fail("expected a size", ["update", "--memory", "many", id]);
    fixture.fail("is in no resctrl group", ["update", "--l3-cache-schema", "L3:0=f", id]);
  }),
);

v1("update reads the limits from a file or standard input", () =>
  withFixture((fixture) => {
    const id = fixture.launch(fixture.sleeper());
    const limit = (bytes: number) => fixture.write("resources.json", JSON.stringify({ memory: { limit: bytes } }));
    fixture.succeed("update", "--resources", limit(96 << 20), id);
    assert.is(control(fixture, id, "memory", "memory.limit_in_bytes"), `${96 << 20}`);
    const command = fixture.command("update", "--resources=-", id).join(" ");
    const { status, stderr } = fixture.host("sh", "-c", `${command} <${limit(48 << 20)}`);
    assert.is(status, 0, stderr);
    assert.is(control(fixture, id, "memory", "memory.limit_in_bytes"), `${48 << 20}`);
    fixture.fail("/memory/limit", ["update", "-r", fixture.write("bad.json", '{"memory":{"limit":"x"}}'), id]);
    const devices = fixture.write("devices.json", '{"devices":[{"allow":true,"access":"rwm"}]}');
    const before = control(fixture, id, "devices", "devices.list");
    const given = fixture.reg("update", "-r", devices, id);
    assert.is(given.status, 0, given.stderr);
    assert.match(given.stderr, "warning: devices has no effect");
    assert.is(control(fixture, id, "devices", "devices.list"), before);
    fixture.succeed("kill", id, "KILL");
    fixture.waitForStatus(id, "stopped");
    fixture.fail("container not running", ["update", "--pids-limit", "5", id]);
  }),
);

test("events --stats prints one object", () =>
  withFixture((fixture) => {
    const id = fixture.launch(fixture.sleeper());
    const event = JSON.parse(fixture.succeed("events", "--stats", id));
    assert.equal([event.type, event.id], ["stats", id]);
    assert.ok(event.data.cpu.usage.total >= 0);
    assert.ok(event.data.pids.current >= 1);
    fixture.fail("expected a duration", ["events", "--interval", "soon", id]);
    fixture.succeed("kill", id, "KILL");
    fixture.waitForStatus(id, "stopped");
    fixture.fail("container not running", ["events", "--stats", id]);
  }));

test("events tells when memory ran out, and ends with the container", () =>
  withFixture(async (fixture) => {
    const bundle = fixture.shell("sleep 0.3; tail /dev/zero", (spec) => {
      spec.linux.resources = { memory: { limit: 16 << 20, swap: 16 << 20 } };
    });
    const id = fixture.create(bundle);
    const [program = "", ...args] = fixture.command("events", "--interval", "100ms", id);
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    child.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    fixture.succeed("start", id);
    assert.is(await new Promise((resolve) => child.once("close", resolve)), 0);
    const types = text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).type);
    assert.ok(types.includes("oom"), text);
    assert.is(types[0], "stats");
    fixture.succeed("delete", id);
    fixture.assertNothingLeft();
  }));

manage.run();
