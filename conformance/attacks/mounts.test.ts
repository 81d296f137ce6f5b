/**
 * What the mounts of a container could do to the host by the links of its image: the holes that runc and crun had, tried here. The
 * image, and whoever changes it while the container is made, is a stranger.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Bundle, Spec } from "../fixtures/bundle.ts";
import { type Fixture, withFixture } from "../fixtures/fixture.ts";
import { cgroupV1, mounting, needs, root } from "../testing.ts";

const mounts = suite("attacks: mounts");
const test = needs(mounts, root, mounting);
const onV1 = needs(mounts, root, mounting, cgroupV1);

/** A folder of the host, and a target of a link in the image that would lead there, were the image's root not the end of it. */
function outside(fixture: Fixture): { folder: string; link: string } {
  const folder = fixture.path("outside");
  mkdirSync(folder);
  writeFileSync(join(folder, "secret"), "of the host\n");
  return { folder, link: `/${"../".repeat(12)}${folder}` };
}

function replace(bundle: Bundle, name: string, target: string): void {
  rmSync(join(bundle.rootfs, name), { recursive: true, force: true });
  symlinkSync(target, join(bundle.rootfs, name));
}

const without =
  (...places: string[]) =>
  (spec: Spec) => {
    spec.root.readonly = false;
    spec.mounts = spec.mounts.filter(
      ({ destination }) => !places.some((place) => `${destination}/`.startsWith(`${place}/`)),
    );
  };

function run(fixture: Fixture, bundle: Bundle) {
  return fixture.reg("run", "--bundle", bundle.path, fixture.id());
}

const IN_PROC: [what: string, mount: object][] = [
  ["a tmpfs on /proc", { destination: "/proc", type: "tmpfs", source: "tmpfs" }],
  ["a tmpfs in /proc", { destination: "/proc/self/attr", type: "tmpfs", source: "tmpfs" }],
  ["a folder in /proc, by another name of it", { destination: "/sys/../proc/sys", type: "tmpfs", source: "tmpfs" }],
  [
    "a file of /proc on another",
    { destination: "/proc/sys/kernel/hostname", type: "bind", source: "/dev/null", options: ["bind"] },
  ],
];
for (const [what, mount] of IN_PROC)
  test(`${what} is refused (CVE-2019-16884, CVE-2019-19921, CVE-2025-52881)`, () =>
    withFixture((fixture) => {
      const bundle = fixture.bundle(["/bin/true"], (spec) => spec.mounts.push(mount as Spec["mounts"][number]));
      fixture.fail("/mounts/", ["run", "--bundle", bundle.path, fixture.id()]);
      fixture.assertNothingLeft();
    }));

test("a folder that is bound on /proc is refused, by whatever name (CVE-2019-16884, CVE-2025-52881)", () =>
  withFixture((fixture) => {
    const fake = fixture.path("fake");
    mkdirSync(join(fake, "self/attr"), { recursive: true });
    const bundle = fixture.bundle(["/bin/true"], (spec) => {
      spec.mounts.push({ destination: "/proc", type: "bind", source: fake, options: ["rbind"] });
      spec.linux.sysctl = { "net.ipv4.ip_forward": "1" };
    });
    const { status } = run(fixture, bundle);
    assert.is.not(status, 0);
    fixture.assertNothingLeft();
  }));

test("a parameter is written to the kernel's /proc, whatever the image and its volumes make of it (CVE-2025-52881)", () =>
  withFixture((fixture) => {
    const bundle = fixture.shell("cat /real/sys/net/ipv4/ip_forward", (spec) => {
      without("/proc")(spec);
      spec.mounts.push({ destination: "/real", type: "proc", source: "proc" });
      spec.linux.sysctl = { "net.ipv4.ip_forward": "1" };
      spec.linux.maskedPaths = [];
      spec.linux.readonlyPaths = [];
    });
    const fake = join(bundle.rootfs, "proc/sys/net/ipv4/ip_forward");
    mkdirSync(join(fake, ".."), { recursive: true });
    writeFileSync(fake, "untouched");
    assert.is(fixture.succeed("run", "--bundle", bundle.path, fixture.id()), "1\n");
    assert.is(readFileSync(fake, "utf8"), "untouched");
  }));

for (const place of ["proc", "sys"])
  test(`/${place} that is a link in the image is no place for its filesystem (CVE-2019-19921, CVE-2023-27561, CVE-2023-28642)`, () =>
    withFixture((fixture) => {
      const bundle = fixture.shell("mount", without());
      mkdirSync(join(bundle.rootfs, "elsewhere"));
      replace(bundle, place, "/elsewhere");
      fixture.fail("not a symlink", ["run", "--bundle", bundle.path, fixture.id()]);
      fixture.assertNothingLeft();
    }));

const TARGETS: [what: string, mount: object][] = [
  ["a tmpfs", { type: "tmpfs", source: "tmpfs" }],
  ["a bind mount", { type: "bind", source: "rootfs", options: ["rbind"] }],
  ["tmpcopyup", { type: "tmpfs", source: "tmpfs", options: ["tmpcopyup"] }],
];
for (const [what, mount] of TARGETS)
  test(`the place of ${what} is made inside the root, wherever links lead (CVE-2021-30465, CVE-2024-45310)`, () =>
    withFixture((fixture) => {
      const { folder, link } = outside(fixture);
      for (const destination of ["/link", "/link/new/deep"]) {
        // The image's own folder of that name is what is mounted on.
        const place = `${folder}${destination.slice("/link".length)}`;
        const bundle = fixture.shell(`cat /link/secret; grep -c " ${place} " /proc/self/mountinfo`, (spec) => {
          spec.root.readonly = false;
          spec.mounts.push({ destination, ...mount } as Spec["mounts"][number]);
        });
        symlinkSync(link, join(bundle.rootfs, "link"));
        const { stdout } = run(fixture, bundle);
        assert.is(stdout, "1\n");
        assert.equal(readdirSync(folder), ["secret"]);
      }
      fixture.assertNothingLeft();
    }));

test("a volume that is exchanged for a link while mounts are made leads nowhere (CVE-2021-30465, CVE-2024-45310)", () =>
  withFixture((fixture) => {
    const { folder, link } = outside(fixture);
    const bundle = fixture.shell("ls /volume/x/secret /volume/y/secret", (spec) => {
      spec.root.readonly = false;
      for (const name of ["x", "y"])
        spec.mounts.push({ destination: `/volume/${name}/new`, type: "tmpfs", source: "tmpfs" });
    });
    const volume = join(bundle.rootfs, "volume");
    const script =
      'const fs = require("fs"); const [volume, link] = process.argv.slice(1); ' +
      "fs.mkdirSync(volume); fs.mkdirSync(volume + '-dir'); fs.symlinkSync(link, volume + '-link'); " +
      "for (;;) { try { fs.renameSync(volume, volume + '-dir'); fs.renameSync(volume + '-link', volume); " +
      "fs.renameSync(volume, volume + '-link'); fs.renameSync(volume + '-dir', volume); } catch {} }";
    const racer = spawn(process.execPath, ["-e", script, volume, link], { stdio: "ignore" });
    try {
      for (let round = 0; round < 30; round++) {
        const { stdout } = run(fixture, bundle);
        assert.is(stdout, "");
        assert.equal(readdirSync(folder), ["secret"], `round ${round}`);
      }
    } finally {
      racer.kill("SIGKILL");
    }
    fixture.assertNothingLeft();
  }));

test("/dev that is a link in the image gets its devices inside the root (CVE-2026-41579, CVE-2026-47766)", () =>
  withFixture((fixture) => {
    const { folder, link } = outside(fixture);
    const bundle = fixture.shell("true", without("/dev"));
    replace(bundle, "dev", link);
    run(fixture, bundle);
    assert.equal(readdirSync(folder), ["secret"]);
    fixture.assertNothingLeft();
  }));

test("a device of the image that is a link, or another device, is not written through (CVE-2025-31133, CVE-2026-41579)", () =>
  withFixture((fixture) => {
    const { folder, link } = outside(fixture);
    const secret = join(folder, "secret");
    for (const target of [`${link}/secret`, "/proc/sys/kernel/core_pattern"]) {
      const bundle = fixture.shell("echo written > /dev/null; cat /proc/kcore", without("/dev"));
      symlinkSync(target, join(bundle.rootfs, "dev/null"));
      fixture.fail("the rootfs has something else there", ["run", "--bundle", bundle.path, fixture.id()]);
      assert.is(readFileSync(secret, "utf8"), "of the host\n");
    }
    fixture.assertNothingLeft();
  }));

test("what is masked shows nothing, whatever /dev/null of the image is (CVE-2025-31133)", () =>
  withFixture((fixture) => {
    const bundle = fixture.shell("cat /masked; ls -A /hidden; cat /proc/kcore", (spec) => {
      spec.root.readonly = false;
      spec.mounts.push({ destination: "/dev", type: "bind", source: join(fixture.folder, "dev"), options: ["rbind"] });
      spec.mounts = spec.mounts.filter(({ destination }) => !destination.startsWith("/dev/"));
      spec.linux.maskedPaths = ["/masked", "/hidden", "/proc/kcore"];
    });
    const dev = fixture.path("dev");
    mkdirSync(dev);
    writeFileSync(join(bundle.rootfs, "masked"), "secret\n");
    mkdirSync(join(bundle.rootfs, "hidden"));
    writeFileSync(join(bundle.rootfs, "hidden/secret"), "");
    writeFileSync(join(bundle.rootfs, "exposed"), "secret\n");
    symlinkSync("/exposed", join(dev, "null"));
    const { stdout } = run(fixture, bundle);
    assert.is(stdout, "");
    fixture.assertNothingLeft();
  }));

test("a terminal is bound on /dev/console of the root, not where a link there leads (CVE-2025-52565)", () =>
  withFixture((fixture) => {
    const { folder, link } = outside(fixture);
    const bundle = fixture.shell("true", (spec) => {
      without("/dev")(spec);
      spec.mounts.push({
        destination: "/dev/pts",
        type: "devpts",
        source: "devpts",
        options: ["newinstance", "ptmxmode=0666"],
      });
      spec.process.terminal = true;
    });
    symlinkSync(`${link}/made`, join(bundle.rootfs, "dev/console"));
    run(fixture, bundle);
    assert.equal(readdirSync(folder), ["secret"]);
    assert.not(existsSync(join(folder, "made")));
    fixture.assertNothingLeft();
  }));

onV1("cgroups that are mounted read-only are so for the root of a user namespace (CVE-2023-25809)", () =>
  withFixture((fixture) => {
    const script =
      "for own in /sys/fs/cgroup /sys/fs/cgroup/*; do mkdir $own/made && echo made; echo 0 > $own/cgroup.procs && echo joined; done 2>/dev/null; true";
    const bundle = fixture.shell(script, (spec) => {
      spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== "cgroup");
      spec.linux.namespaces.push({ type: "user" });
      spec.linux.uidMappings = spec.linux.gidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
      spec.mounts.push({
        destination: "/sys/fs/cgroup",
        type: "cgroup",
        source: "cgroup",
        options: ["ro", "nosuid", "nodev", "noexec"],
      });
    });
    assert.is(fixture.succeed("run", "--bundle", bundle.path, fixture.id()), "");
    fixture.assertNothingLeft();
  }),
);

mounts.run();
