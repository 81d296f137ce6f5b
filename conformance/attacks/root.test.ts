/** Images whose links and files lie in wait for what the runtime does as root: they reach no file of the host, and stop nothing. */
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Spec } from "../fixtures/bundle.ts";
import { withFixture } from "../fixtures/fixture.ts";
import { cgroups, mounting, needs, root } from "../testing.ts";

const attacks = suite("root");
const test = needs(attacks, root, mounting, cgroups);

const withoutHome = (spec: Spec) => {
  spec.process.env = spec.process.env.filter((entry) => !entry.startsWith("HOME="));
};

test("/etc/passwd that is a link to the host's, through any descriptor, gives no HOME", () =>
  withFixture((fixture) => {
    const host = fixture.write("passwd", "root:x:0:0::/of/the/host:/bin/sh\n");
    const bundle = fixture.shell("echo $HOME", withoutHome);
    const sleeper = fixture.sleeper(withoutHome);
    const id = fixture.launch(sleeper);
    for (let fd = 0; fd < 12; fd++) {
      for (const { rootfs } of [bundle, sleeper]) {
        rmSync(join(rootfs, "etc/passwd"), { force: true });
        symlinkSync(`/proc/self/fd/${fd}/../../../../../../../..${host}`, join(rootfs, "etc/passwd"));
      }
      assert.is(fixture.succeed("run", "--bundle", bundle.path, fixture.id()), "/\n");
      assert.is(fixture.succeed("exec", id, "sh", "-c", "echo $HOME"), "/\n");
    }
  }));

test("/etc/passwd that is a FIFO, a folder, or 60 MB of line ends costs next to nothing", () =>
  withFixture((fixture) => {
    const bundle = fixture.shell("echo $HOME", withoutHome);
    const passwd = join(bundle.rootfs, "etc/passwd");
    const makers = [
      () => fixture.host("mkfifo", passwd),
      () => mkdirSync(passwd),
      () => writeFileSync(passwd, Buffer.alloc(60_000_000, "\n")),
      () => writeFileSync(passwd, ":0:".repeat(80_000)),
    ];
    for (const make of makers) {
      make();
      const begin = process.cpuUsage().user + Date.now();
      assert.is(fixture.succeed("run", "--bundle", bundle.path, fixture.id()), "/\n");
      assert.ok(process.cpuUsage().user + Date.now() - begin < 5_000_000);
      rmSync(passwd, { recursive: true, force: true });
    }
    writeFileSync(passwd, "daemon:x:1:1::/usr/sbin:\nroot:x:0:0:the root:/root:/bin/sh");
    assert.is(fixture.succeed("run", "--bundle", bundle.path, fixture.id()), "/root\n");
  }));

test("a volume on a link into /proc is refused, and starts nothing", () =>
  withFixture((fixture) => {
    const volume = fixture.path("volume");
    mkdirSync(volume);
    for (const entry of [
      { destination: "/data", type: "bind", source: volume, options: ["bind"] },
      { destination: "/data/self", type: "tmpfs", source: "tmpfs" },
      { destination: "/data/self/fd", type: "bind", source: volume, options: ["bind"] },
      {
        destination: "/data/sys/kernel/core_pattern",
        type: "bind",
        source: fixture.write("file", ""),
        options: ["bind"],
      },
    ]) {
      const bundle = fixture.bundle(["/bin/touch", "/tmp/ran"], (spec) => {
        spec.mounts.push(entry);
        spec.root.readonly = false;
      });
      symlinkSync("/proc", join(bundle.rootfs, "data"));
      const id = fixture.id();
      fixture.fail("it leads into a procfs", ["create", "--bundle", bundle.path, id]);
    }
    fixture.assertNothingLeft();
  }));

test("a container without /proc, or whose /proc is the image's, waits for start", () =>
  withFixture((fixture) => {
    const bundle = fixture.shell("echo ran", (spec) => {
      spec.mounts = spec.mounts.filter(({ destination }) => destination !== "/proc");
      delete spec.linux.maskedPaths;
      delete spec.linux.readonlyPaths;
    });
    mkdirSync(join(bundle.rootfs, "proc/self/fd"), { recursive: true });
    for (let fd = 0; fd < 20; fd++) writeFileSync(join(bundle.rootfs, `proc/self/fd/${fd}`), "");
    const id = fixture.create(bundle);
    const { stdout } = fixture.lastOutput();
    fixture.host("sleep", "0.1");
    assert.is(fixture.state(id).status, "created");
    assert.is(fixture.read(stdout.slice(fixture.folder.length + 1)), "");
    fixture.succeed("start", id);
    fixture.waitForText(stdout, "ran\n");
    fixture.waitForStatus(id, "stopped");
    fixture.succeed("delete", id);
  }));

test("the runtime's executable cannot be written through /proc (CVE-2019-5736)", () =>
  withFixture((fixture) => {
    // The program of exec is /proc/self/exe, as long as that is the runtime; a writer waits for it.
    const id = fixture.launch(
      fixture.shell(
        `while true; do
          for exe in /proc/[0-9]*/exe; do
            case $(readlink $exe) in /bin/*) ;; "") ;; *) (echo broken >>$exe) 2>>/tmp/said && echo $exe >>/tmp/written ;; esac
          done
        done`,
        (spec) => {
          spec.root.readonly = false;
          const names = ["CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE"];
          spec.process.capabilities = { bounding: names, effective: names, permitted: names };
        },
      ),
    );
    for (let round = 0; round < 20; round++) fixture.reg("exec", id, "/proc/self/exe", "--version");
    assert.is(fixture.reg("exec", id, "cat", "/tmp/written").status, 1, "the executable was written to");
    assert.is(fixture.succeed("--version").split("\n")[0]?.includes("version"), true);
  }));

test("exec --user takes numbers alone, and none that means another (CVE-2026-30892)", () =>
  withFixture((fixture) => {
    const id = fixture.launch(fixture.sleeper());
    for (const user of [
      "nobody",
      "1 ",
      " 1",
      "1x",
      "0x1",
      "",
      "-1",
      "1:",
      ":1",
      "4294967295",
      "4294967296",
      "1:4294967295",
    ])
      fixture.fail(/--user/, ["exec", "--user", user, id, "id"], 255);
    assert.match(fixture.succeed("exec", "--user", "1", id, "id"), /^uid=1 gid=0/);
    assert.match(fixture.succeed("exec", "--user", "1:2", id, "id"), /^uid=1 gid=2/);
  }));

attacks.run();
