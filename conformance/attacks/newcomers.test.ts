/**
 * Processes that come into a container's namespaces from the host, under the eyes of one that is there already: at no moment may they
 * show it a file of the host, be traceable with the runtime's rights, or have more capabilities than the container (CVE-2016-9962).
 */
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Spec } from "../fixtures/bundle.ts";
import { type Fixture, withFixture } from "../fixtures/fixture.ts";
import { TOP } from "../paths.ts";
import { cgroups, mounting, needs, root } from "../testing.ts";

const newcomers = suite("newcomers");
const test = needs(newcomers, root, mounting, cgroups);

const ROUNDS = 30;
/** CAP_SYS_PTRACE, and what the default config has: CAP_KILL, CAP_NET_BIND_SERVICE, CAP_AUDIT_WRITE. */
const CAPABILITIES = (1n << 19n) | (1n << 5n) | (1n << 10n) | (1n << 29n);

interface Report {
  readonly seen: number;
  readonly host: number;
  readonly traced: number;
  readonly capabilities: bigint;
}

/** With CAP_SYS_PTRACE, in the host's user namespace. */
function tracing(spec: Spec): void {
  const names = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_SYS_PTRACE"];
  spec.process.capabilities = { bounding: names, effective: names, permitted: names };
}

function inUserNamespace(spec: Spec): void {
  spec.linux.namespaces.push({ type: "user" });
  spec.linux.uidMappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
  spec.linux.gidMappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
}

/** What a watcher in the container reports of newcomers; each call of `come` brings one. */
function watch(fixture: Fixture, change: (spec: Spec) => void, come: (attacked: string, pid: number) => void): Report {
  const canary = fixture.write("canary", "of the host");
  const bundle = fixture.bundle(["/bin/watcher", canary], change);
  copyFileSync(join(TOP, "build/tools/watcher"), join(bundle.rootfs, "bin/watcher"));
  const id = fixture.create(bundle);
  const { stdout } = fixture.lastOutput();
  fixture.succeed("start", id);
  fixture.waitForText(stdout, "ready");
  const { pid } = fixture.state(id);
  for (let round = 0; round < ROUNDS; round++) come(id, pid);
  fixture.succeed("kill", id, "TERM");
  const text = fixture.waitForText(stdout, "seen");
  const [, seen, host, traced, capabilities] = /seen (\d+) host (\d+) traced (\d+) capabilities (\w+)/.exec(text) ?? [];
  fixture.waitForStatus(id, "stopped");
  fixture.succeed("delete", id);
  return {
    seen: Number(seen),
    host: Number(host),
    traced: Number(traced),
    capabilities: BigInt(`0x${capabilities}`),
  };
}

/** A container that joins namespaces of a process, and a new one of each other kind. */
function joining(fixture: Fixture, pid: number, types: readonly string[], change: (spec: Spec) => void): void {
  const id = fixture.launch(
    fixture.bundle(["/bin/true"], (spec) => {
      change(spec);
      const files: Readonly<Record<string, string>> = { pid: "pid", user: "user" };
      spec.linux.namespaces = spec.linux.namespaces.map(({ type }) =>
        types.includes(type) ? { type, path: `/proc/${pid}/ns/${files[type]}` } : { type },
      );
    }),
  );
  fixture.waitForStatus(id, "stopped");
  fixture.succeed("delete", id);
}

test("exec shows nothing of the host to a process that may trace, nor capabilities that the container has not", () =>
  withFixture((fixture) => {
    const report = watch(fixture, tracing, (id) => fixture.succeed("exec", id, "/bin/true"));
    assert.ok(report.seen > 5, `only ${report.seen} seen`);
    assert.is(report.host, 0, `${report.host} of ${report.seen} led to the host`);
    assert.is(report.capabilities & ~CAPABILITIES, 0n, report.capabilities.toString(16));
    fixture.assertNothingLeft();
  }));

test("create in another's pid namespace shows nothing of the host to a process that may trace there", () =>
  withFixture((fixture) => {
    const report = watch(fixture, tracing, (_id, pid) => joining(fixture, pid, ["pid"], () => undefined));
    assert.ok(report.seen > 5, `only ${report.seen} seen`);
    assert.is(report.host, 0, `${report.host} of ${report.seen} led to the host`);
    assert.is(report.capabilities & ~CAPABILITIES, 0n, report.capabilities.toString(16));
    fixture.assertNothingLeft();
  }));

test("create in another's pid and user namespace cannot be traced there", () =>
  withFixture((fixture) => {
    const both = (spec: Spec) => {
      tracing(spec);
      inUserNamespace(spec);
    };
    const report = watch(fixture, both, (_id, pid) =>
      joining(fixture, pid, ["pid", "user"], (spec) => {
        spec.linux.namespaces.push({ type: "user" });
      }),
    );
    assert.ok(report.seen > 5, `only ${report.seen} seen`);
    assert.equal([report.host, report.traced], [0, 0]);
    fixture.assertNothingLeft();
  }));

test("create in another's pid namespace with a user namespace of its own cannot be traced there", () =>
  withFixture((fixture) => {
    const plain = (spec: Spec) => {
      spec.process.capabilities = {};
    };
    const report = watch(fixture, plain, (_id, pid) =>
      joining(fixture, pid, ["pid"], (spec) => {
        inUserNamespace(spec);
        // A procfs of that pid namespace belongs to the user namespace outside: nobody mounts it from a new one.
        spec.mounts = spec.mounts.filter(({ destination }) => destination !== "/proc");
        delete spec.linux.maskedPaths;
        delete spec.linux.readonlyPaths;
      }),
    );
    assert.ok(report.seen > 5, `only ${report.seen} seen`);
    assert.equal([report.host, report.traced], [0, 0]);
    fixture.assertNothingLeft();
  }));

test("exec into a user namespace cannot be traced there", () =>
  withFixture((fixture) => {
    const both = (spec: Spec) => {
      tracing(spec);
      inUserNamespace(spec);
    };
    const report = watch(fixture, both, (id) => fixture.succeed("exec", id, "/bin/true"));
    assert.ok(report.seen > 5, `only ${report.seen} seen`);
    assert.equal([report.host, report.traced], [0, 0]);
    fixture.assertNothingLeft();
  }));

newcomers.run();
