/** What the runtime's caller has, and the container must not: signals ignored, ambient capabilities, the session keyring. */
import { copyFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Bundle, Spec } from "../fixtures/bundle.ts";
import { type Fixture, withFixture } from "../fixtures/fixture.ts";
import { TOP } from "../paths.ts";
import { cgroups, mounting, needs, program, root } from "../testing.ts";

const inherited = suite("inherited");
const test = needs(inherited, root, mounting, cgroups);

/** Calls the runtime by a line of shell in which "$@" is the call. */
const by = (fixture: Fixture, line: string, ...args: string[]) =>
  fixture.host("bash", "-c", line, "bash", ...fixture.command(...args));

/** Without a shell, which ignores signals of its own. */
const STATUS = ["/bin/grep", "-E", "^(Sig(Blk|Ign)|Cap(Inh|Amb)):", "/proc/self/status"];
/** SIGHUP, SIGINT, SIGTERM, SIGCHLD and two real-time signals, one of which libc keeps to itself. */
const IGNORING = `trap '' HUP INT TERM CHLD 40; exec "$@"`;
const CLEAN = /^SigBlk:\t0{16}\nSigIgn:\t0{16}\n/;

test("run: signals that the caller ignores are the program's", () =>
  withFixture((fixture) => {
    const { path } = fixture.bundle(STATUS);
    const result = by(fixture, IGNORING, "run", "--bundle", path, fixture.id());
    assert.is(result.status, 0, result.stderr);
    assert.match(result.stdout, CLEAN);
  }));

test("exec: signals that the caller ignores are the program's", () =>
  withFixture((fixture) => {
    const id = fixture.launch(fixture.sleeper());
    const result = by(fixture, IGNORING, "exec", id, ...STATUS);
    assert.is(result.status, 0, result.stderr);
    assert.match(result.stdout, CLEAN);
  }));

test("a container started by nohup can be stopped by SIGTERM and SIGHUP", () =>
  withFixture((fixture) => {
    for (const signal of ["TERM", "HUP"]) {
      const id = fixture.id();
      // No pid namespace: the first process of one has no default action for signals.
      const { path } = fixture.sleeper((spec) => {
        spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== "pid");
        spec.mounts = spec.mounts.filter(({ destination }) => destination !== "/proc");
      });
      assert.is(by(fixture, `trap '' HUP TERM; exec "$@"`, "run", "--detach", "--bundle", path, id).status, 0);
      fixture.succeed("kill", id, signal);
      fixture.waitForStatus(id, "stopped");
      fixture.succeed("delete", id);
    }
    fixture.assertNothingLeft();
  }));

const withSetpriv = needs(inherited, root, mounting, cgroups, program("setpriv"));
const AMBIENT = `exec setpriv --inh-caps +net_raw,+chown --ambient-caps +net_raw,+chown "$@"`;
/** The program may have these, and inherit them, but they are not ambient. */
const inheriting = (spec: Spec) => {
  const names = ["CAP_NET_RAW", "CAP_CHOWN"];
  spec.process.capabilities = { bounding: names, effective: names, permitted: names, inheritable: names };
};
const NONE_AMBIENT = /CapAmb:\t0{16}\n/;

withSetpriv("run: the caller's ambient capabilities are not the program's", () =>
  withFixture((fixture) => {
    const { path } = fixture.bundle(STATUS, inheriting);
    const result = by(fixture, AMBIENT, "run", "--bundle", path, fixture.id());
    assert.is(result.status, 0, result.stderr);
    assert.match(result.stdout, NONE_AMBIENT);
  }),
);

withSetpriv("exec: the caller's ambient capabilities are not the program's", () =>
  withFixture((fixture) => {
    const id = fixture.launch(fixture.sleeper(inheriting));
    const result = by(fixture, AMBIENT, "exec", id, ...STATUS);
    assert.is(result.status, 0, result.stderr);
    assert.match(result.stdout, NONE_AMBIENT);
  }),
);

test("nothing is inheritable that was not asked for (CVE-2022-24769, CVE-2022-29162)", () =>
  withFixture((fixture) => {
    const { path } = fixture.bundle(STATUS);
    assert.match(fixture.succeed("run", "--bundle", path, fixture.id()), /CapInh:\t0{16}\n/);
    const id = fixture.launch(fixture.sleeper());
    assert.match(fixture.succeed("exec", id, ...STATUS), /CapInh:\t0{16}\n/);
    assert.match(fixture.succeed("exec", "--cap", "CAP_CHOWN", id, ...STATUS), /CapInh:\t0{16}\n/);
  }));

/** In a user namespace with ids that no other test has: the quota is counted by user. */
function mapped(spec: Spec): void {
  spec.linux.namespaces.push({ type: "user" });
  spec.linux.uidMappings = [{ containerID: 0, hostID: 777_000, size: 1000 }];
  spec.linux.gidMappings = [{ containerID: 0, hostID: 777_000, size: 1000 }];
}

function withKeys(bundle: Bundle): Bundle {
  copyFileSync(join(TOP, "build/tools/keys"), join(bundle.rootfs, "bin/keys"));
  return bundle;
}

test("a used-up quota of keys does not leave the next container in the caller's session keyring", () =>
  withFixture((fixture) => {
    const greedy = fixture.create(withKeys(fixture.bundle(["/bin/keys"], mapped)));
    const { stdout } = fixture.lastOutput();
    fixture.succeed("start", greedy);
    assert.match(fixture.waitForText(stdout, "errno"), "then errno 122");
    const { path } = withKeys(fixture.bundle(["/bin/keys", "a name"], mapped));
    const words = /keyctl\(2\) session keyring _ses\.\S+: disk quota exceeded \(EDQUOT\)\nhint: /;
    fixture.fail(words, ["run", "--bundle", path, fixture.id()]);
    fixture.fail(words, ["exec", greedy, "/bin/keys", "a name"], 255);
    fixture.succeed("delete", "--force", greedy);
    fixture.assertNothingLeft();
  }));

inherited.run();
