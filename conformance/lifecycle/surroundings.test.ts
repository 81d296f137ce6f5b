/** What a container gets from around it: its standard descriptors, its place among the cgroups, the clocks of a user namespace. */
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Spec } from "../fixtures/bundle.ts";
import { type Fixture, type Result, withFixture } from "../fixtures/fixture.ts";
import { withReceiver } from "../fixtures/receiver.ts";
import { cgroups, cgroupV1, mounting, need, needs, root } from "../testing.ts";

const surroundings = suite("surroundings");
const test = needs(surroundings, root, mounting, cgroups);
const onCpusetV1 = needs(
  surroundings,
  root,
  mounting,
  cgroupV1,
  need("cpuset v1", existsSync("/sys/fs/cgroup/cpuset")),
);
const withTime = needs(
  surroundings,
  root,
  mounting,
  cgroups,
  need("time namespaces", existsSync("/proc/self/ns/time")),
);

/** Runs a line of the host's shell, in which `$reg` is the runtime and `$run` runs the bundle. */
function onHost(fixture: Fixture, line: string, script: string, change?: (spec: Spec) => void): Result {
  const reg = fixture.command().join(" ");
  const run = `${reg} run --bundle ${fixture.shell(script, change).path} ${fixture.id()}`;
  return fixture.host("sh", "-c", `reg="${reg}"; run="${run}"; ${line}`);
}

test("a null device of the caller's that was opened for reading alone can be written to", () =>
  withFixture((fixture) => {
    const { stdout } = onHost(
      fixture,
      "$run 2</dev/null </dev/null",
      "echo lost >&2; echo $?; readlink /proc/self/fd/0",
    );
    assert.is(stdout, "0\n/dev/null\n");
  }));

test("it is the container's own", () =>
  withFixture((fixture) => {
    const { stdout } = onHost(
      fixture,
      "$run 2>&1 </dev/null",
      "stat -L -c %d /proc/self/fd/0 /dev/null | uniq | wc -l",
      (spec) => {
        spec.process.env.push("PATH=/bin");
      },
    );
    assert.is(stdout.trim(), "1");
  }));

test("closed standard input is no obstacle", () =>
  withFixture((fixture) => {
    const { status, stdout, stderr } = onHost(fixture, "$run <&-", "echo runs");
    assert.is(status, 0, stderr);
    assert.is(stdout, "runs\n");
  }));

function mapped(uid: number): (spec: Spec) => void {
  return (spec) => {
    spec.linux.namespaces.push({ type: "user" });
    spec.linux.uidMappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
    spec.linux.gidMappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
    spec.process.user = { uid, gid: uid };
  };
}

for (const uid of [0, 1000])
  test(`user ${uid} of a user namespace opens /dev/stdout, /dev/stderr and /dev/stdin again`, () =>
    withFixture((fixture) => {
      const script = "echo out > /dev/stdout; echo err > /dev/stderr; cat < /dev/stdin";
      const { stdout, stderr } = onHost(fixture, "echo in | $run 2>&1 | cat", script, mapped(uid));
      assert.is(stdout, "out\nerr\nin\n", stderr);
    }));

test("so does a process of exec", () =>
  withFixture((fixture) => {
    const id = fixture.launch(fixture.sleeper(mapped(1000)));
    const reg = fixture.command("exec", id, "sh", "-c", "'echo out > /dev/stdout; echo err > /dev/stderr'").join(" ");
    assert.is(fixture.host("sh", "-c", `${reg} 2>&1 | cat`).stdout, "out\nerr\n");
  }));

withTime("a user namespace has clocks of its own", () =>
  withFixture((fixture) => {
    const bundle = fixture.shell("cat /proc/self/timens_offsets", (spec) => {
      mapped(0)(spec);
      spec.linux.namespaces.push({ type: "time" });
      spec.linux.timeOffsets = { boottime: { secs: 1_000_000 } };
    });
    const { status, stdout, stderr } = fixture.reg("run", "--bundle", bundle.path, fixture.id());
    assert.is(status, 0, stderr);
    assert.match(stdout, /boottime +1000000 +0/);
  }),
);

onCpusetV1("a cgroup below empty cpusets, as mkdir leaves them, gets its processors from further above", () =>
  withFixture((fixture) => {
    const pod = `${fixture.mark}-pod/inner`;
    mkdirSync(join("/sys/fs/cgroup/cpuset", pod), { recursive: true });
    const bundle = fixture.bundle(["/bin/true"], (spec) => {
      spec.linux.cgroupsPath = `/${pod}/${fixture.mark}-1`;
    });
    const { status, stderr } = fixture.reg("run", "--bundle", bundle.path, fixture.id());
    assert.is(status, 0, stderr);
    const cpus = (path: string) => readFileSync(join("/sys/fs/cgroup/cpuset", path, "cpuset.cpus"), "utf8");
    assert.is(cpus(pod), cpus("."));
  }),
);

// So many rules that the runtime is still writing them when init opens its terminal.
test("init does not meet a cgroup whose devices are half configured", () =>
  withReceiver(async (fixture, receiver) => {
    const bundle = fixture.shell("echo started; read line", (spec) => {
      spec.process.terminal = true;
      const rules = Array.from({ length: 2000 }, (_, minor) => ({
        allow: true,
        type: "c",
        major: 240,
        minor,
        access: "rw",
      }));
      spec.linux.resources = { ...spec.linux.resources, devices: [{ allow: false, access: "rwm" }, ...rules] };
    });
    const id = fixture.create(bundle, "--console-socket", receiver.socket);
    fixture.succeed("start", id);
    await receiver.expect("started\r\n");
  }));

test("a socket may have a longer path than an address", () =>
  withReceiver(async (fixture, receiver) => {
    const folder = fixture.path("long-".repeat(40));
    mkdirSync(folder);
    fixture.host("ln", receiver.socket, join(folder, "console.sock"));
    const bundle = fixture.shell("echo started; read line", (spec) => {
      spec.process.terminal = true;
    });
    fixture.launch(bundle, "--console-socket", join(folder, "console.sock"));
    await receiver.expect("started\r\n");
  }));

surroundings.run();
