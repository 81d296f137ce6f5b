/** What a container sees of its host, and what it is limited to. */
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Spec } from "../fixtures/bundle.ts";
import { findCgroups } from "../fixtures/cgroups.ts";
import { type Fixture, withFixture } from "../fixtures/fixture.ts";
import { cgroups, cgroupV2, mounting, needs, root } from "../testing.ts";

const isolation = suite("isolation");
const test = needs(isolation, root, mounting, cgroups);

/** Output of a shell line in a container. */
function outputOf(fixture: Fixture, script: string, change?: (spec: Spec) => void): string {
  const { status, stdout, stderr } = fixture.reg("run", "--bundle", fixture.shell(script, change).path, fixture.id());
  assert.is(status, 0, stderr);
  return stdout;
}

/** A control file of the container's cgroup. */
function readCgroup(fixture: Fixture, file: string): string {
  for (const path of findCgroups(fixture.mark))
    try {
      return readFileSync(join(path, file), "utf8").trim();
    } catch {
      // Another hierarchy.
    }
  throw new Error(`${file} is in no cgroup of the container`);
}

test("the program has no descriptor but its three", () =>
  withFixture((fixture) => {
    // The fourth is the folder that ls reads.
    assert.equal(outputOf(fixture, "ls /proc/self/fd").trim().split(/\s+/), ["0", "1", "2", "3"]);
  }));

test("--preserve-fds hands on nothing of the runtime's own, however many it asks for", () =>
  withFixture((fixture) => {
    const bundle = fixture.shell("ls /proc/self/fd");
    const { status, stdout } = fixture.reg("run", "--preserve-fds", "600", "--bundle", bundle.path, fixture.id());
    assert.is(status, 0);
    const descriptors = stdout.trim().split("\n").map(Number);
    // The caller of the tests may have left some open, at lower numbers than those that the runtime keeps over its own start.
    assert.equal(
      descriptors.filter((fd) => fd >= 500),
      [],
    );
  }));

test("--preserve-fds hands on descriptors", () =>
  withFixture((fixture) => {
    const file = fixture.write("handed", "from the host\n");
    const descriptor = openSync(file, "r");
    try {
      const args = ["run", "--preserve-fds", "1", "--bundle", fixture.shell("cat <&3").path, fixture.id()];
      const { stdout } = fixture.regWith({ stdio: ["ignore", "pipe", "pipe", descriptor] }, ...args);
      assert.is(stdout, "from the host\n");
    } finally {
      closeSync(descriptor);
    }
  }));

test("the program is process 1 and sees only its own", () =>
  withFixture((fixture) => {
    assert.is(outputOf(fixture, "echo $$ /proc/[0-9]*"), "1 /proc/1\n");
  }));

test("the hostname is the configured one", () =>
  withFixture((fixture) => assert.is(outputOf(fixture, "hostname"), "reg\n")));

test("the root is read-only and /dev is not the host's", () =>
  withFixture((fixture) => {
    // /dev/core is there where the kernel has /proc/kcore.
    const script = "touch /x 2>/dev/null || echo read-only; ls /dev | grep -v '^core$' | tr '\\n' ' '";
    assert.is(
      outputOf(fixture, script),
      "read-only\nfd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero ",
    );
  }));

test("masked and read-only paths are so", () =>
  withFixture((fixture) => {
    const script =
      "wc -c < /proc/timer_list; ls -A /sys/firmware | wc -l; echo 1 2>/dev/null > /proc/sys/kernel/panic || echo no";
    assert.is(outputOf(fixture, script), "0\n0\nno\n");
  }));

test("capabilities are those of the config, and nothing else", () =>
  withFixture((fixture) => {
    const text = outputOf(fixture, "cat /proc/self/status");
    const set = (name: string) => new RegExp(`^${name}:\\s*(\\w+)`, "m").exec(text)?.[1];
    assert.equal(["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map(set), [
      "0000000000000000",
      "0000000020000420",
      "0000000020000420",
      "0000000020000420",
      "0000000000000000",
    ]);
    assert.is(set("NoNewPrivs"), "1");
  }));

test("user, groups, umask, cwd and environment are those of the config", () =>
  withFixture((fixture) => {
    const text = outputOf(
      fixture,
      "id -u; id -g; id -G; umask; pwd; echo $COLOUR; touch /tmp/x; stat -c %a /tmp/x",
      (spec) => {
        spec.process.user = { uid: 1000, gid: 100, additionalGids: [7, 9], umask: 0o027 };
        spec.process.cwd = "/tmp";
        spec.process.env.push("COLOUR=green");
        spec.mounts.push({ destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["mode=1777"] });
      },
    );
    assert.equal(text.split("\n"), ["1000", "100", "100 7 9", "0027", "/tmp", "green", "640", ""]);
  }));

test("rlimits are those of the config", () =>
  withFixture((fixture) => {
    const text = outputOf(fixture, "ulimit -Sn; ulimit -Hn; ulimit -c", (spec) => {
      spec.process.rlimits = [
        { type: "RLIMIT_NOFILE", soft: 256, hard: 512 },
        { type: "RLIMIT_CORE", soft: 0, hard: 0 },
      ];
    });
    assert.is(text, "256\n512\n0\n");
  }));

test("a container with a limit of 4 MB of memory starts", () =>
  withFixture((fixture) => {
    const limit = 4 * 1024 * 1024;
    const id = fixture.launch(
      fixture.sleeper((spec) => {
        spec.linux.resources = { ...spec.linux.resources, memory: { limit } };
      }),
    );
    assert.is(fixture.state(id).status, "running");
    assert.is(readCgroup(fixture, cgroupV2.met ? "memory.max" : "memory.limit_in_bytes"), String(limit));
    assert.is(fixture.state(id).status, "running");
  }));

test("the limit of processes holds", () =>
  withFixture((fixture) => {
    const bundle = fixture.shell("sleep 1 & sleep 1 & sleep 1 & sleep 1 & wait", (spec) => {
      spec.linux.resources = { ...spec.linux.resources, pids: { limit: 3 } };
    });
    const { stderr } = fixture.reg("run", "--bundle", bundle.path, fixture.id());
    assert.match(stderr, /can't fork/);
  }));

test("devices that are not allowed can not be opened", () =>
  withFixture((fixture) => {
    const script = "mknod /tmp/kmsg c 1 11 && (cat /tmp/kmsg >/dev/null) 2>&1; echo x > /dev/null && echo null works";
    const text = outputOf(fixture, script, (spec) => {
      const kept = ["CAP_MKNOD"];
      spec.process.capabilities = { bounding: kept, effective: kept, permitted: kept };
      spec.mounts.push({ destination: "/tmp", type: "tmpfs", source: "tmpfs" });
    });
    assert.match(text, /Operation not permitted/);
    assert.match(text, "null works");
  }));

test("a bind mount is read-only when asked, and shows the host's file", () =>
  withFixture((fixture) => {
    fixture.write("file", "content\n");
    const text = outputOf(fixture, "cat /mnt/file; echo x 2>/dev/null > /mnt/file || echo refused", (spec) => {
      spec.mounts.push({ destination: "/mnt", type: "bind", source: fixture.folder, options: ["rbind", "ro"] });
    });
    assert.is(text, "content\nrefused\n");
    assert.is(fixture.read("file"), "content\n");
  }));

isolation.run();
