/** What the test suites of runc and crun ask for, and callers of theirs rely on. */
import { chmodSync, copyFileSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Bundle, Spec } from "../fixtures/bundle.ts";
import { type Fixture, type Result, withFixture } from "../fixtures/fixture.ts";
import { cgroups, mounting, needs, program, root } from "../testing.ts";

const peers = suite("as the peers");
const test = needs(peers, root, mounting, cgroups);
const withSetpriv = needs(peers, root, mounting, cgroups, program("setpriv"));

function run(fixture: Fixture, bundle: Bundle, ...options: string[]): Result {
  return fixture.reg("run", ...options, "--bundle", bundle.path, fixture.id());
}

function capabilities(spec: Spec, ...names: string[]): void {
  spec.process.capabilities = {
    bounding: names,
    permitted: names,
    effective: names,
    inheritable: names,
    ambient: names,
  };
}

for (const option of [[], ["--no-pivot"]])
  test(`a process of the container cannot mount another procfs without what is masked in its own${option.map((name) => `, with ${name}`)}`, () =>
    withFixture((fixture) => {
      const script = "unshare -mrpf mount -t proc proc /tmp && cat /tmp/version";
      const bundle = fixture.shell(script, (spec) => {
        spec.mounts = spec.mounts.filter(({ destination }) => !destination.startsWith("/sys"));
        spec.process.args = ["/bin/busybox", "sh", "-c", script.replace("unshare", "busybox unshare")];
      });
      const { status, stdout, stderr } = run(fixture, bundle, ...option);
      assert.is.not(status, 0, stdout);
      assert.match(stderr, /permission denied|not permitted/i);
    }));

test("who may override permissions executes what root alone may", () =>
  withFixture((fixture) => {
    const bundle = fixture.bundle(["/bin/busybox-root", "echo", "runs"], (spec) => {
      spec.process.user = { uid: 1000, gid: 1000 };
      capabilities(spec, "CAP_DAC_OVERRIDE");
    });
    copyFileSync(join(bundle.rootfs, "bin/busybox"), join(bundle.rootfs, "bin/busybox-root"));
    chmodSync(join(bundle.rootfs, "bin/busybox-root"), 0o744);
    const { status, stdout, stderr } = run(fixture, bundle);
    assert.is(status, 0, stderr);
    assert.is(stdout, "runs\n");
  }));

withSetpriv("the annotation of podman's keep-groups keeps the caller's supplementary groups, in exec too", () =>
  withFixture((fixture) => {
    const bundle = fixture.shell("id -G; exec sleep 100000", (spec) => {
      spec.annotations = { "run.oci.keep_original_groups": "1" };
    });
    const id = fixture.id();
    const as = (...args: string[]) => fixture.host("setpriv", "--groups", "777,778", ...fixture.command(...args));
    const { status, stdout, stderr } = as("exec", "--help");
    assert.is(status, 0, stderr + stdout);
    assert.is(as("run", "--detach", "--bundle", bundle.path, id).status, 0);
    const groups = (text: string) =>
      text
        .trim()
        .split(" ")
        .map(Number)
        .filter((gid) => gid > 0);
    assert.equal(
      groups(/^Groups:(.*)$/m.exec(readFileSync(`/proc/${fixture.state(id).pid}/status`, "utf8"))?.[1] ?? ""),
      [777, 778],
    );
    assert.equal(groups(as("exec", id, "id", "-G").stdout), [777, 778]);
    assert.equal(
      groups(fixture.succeed("exec", id, "id", "-G")),
      process.getgroups?.().filter((gid) => gid > 0),
    );
  }),
);

test("a path that is masked twice is mounted over once", () =>
  withFixture((fixture) => {
    const bundle = fixture.shell(
      "grep -c ' /proc/version ' /proc/self/mounts; grep -c ' /proc/irq ' /proc/self/mounts",
      (spec) => {
        spec.linux.maskedPaths = ["/proc/version", "/proc//version", "/proc/version"];
        spec.linux.readonlyPaths = ["/proc/irq", "/proc/irq/"];
      },
    );
    assert.is(run(fixture, bundle).stdout, "1\n1\n");
  }));

test("a read-only root without a mount namespace is a wish that is not fulfilled", () =>
  withFixture((fixture) => {
    const bundle = fixture.bundle(["/bin/true"], (spec) => {
      spec.mounts = [];
      spec.linux.maskedPaths = [];
      spec.linux.readonlyPaths = [];
      spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== "mount");
    });
    const { status, stderr } = run(fixture, bundle);
    assert.is(status, 0, stderr);
    assert.match(stderr, /root.readonly is ignored/);
  }));

function withListenerPath(path: string): (spec: Spec) => void {
  return (spec) => {
    spec.linux.seccomp = { defaultAction: "SCMP_ACT_ALLOW", listenerPath: path };
  };
}

test("listenerPath without SCMP_ACT_NOTIFY: nobody need listen", () =>
  withFixture((fixture) => {
    const { status, stderr } = run(fixture, fixture.bundle(["/bin/true"], withListenerPath(fixture.path("nobody"))));
    assert.is(status, 0, stderr);
  }));

test("and who listens all the same does not wait for ever", () =>
  withFixture(async (fixture) => {
    const path = fixture.path("listener");
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(path, resolve));
    const ended = new Promise<void>((resolve) =>
      server.once("connection", (socket) => {
        socket.resume().once("end", resolve);
      }),
    );
    try {
      assert.is(run(fixture, fixture.bundle(["/bin/true"], withListenerPath(path))).status, 0);
      await ended;
    } finally {
      server.close();
    }
  }));

peers.run();
