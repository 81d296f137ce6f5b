/** The runtime without root: as a user, and as root of a user namespace, which is how rootless Podman calls it. */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Spec } from "../fixtures/bundle.ts";
import { type Fixture, type Result, withFixture } from "../fixtures/fixture.ts";
import { REG } from "../paths.ts";
import { need, needs, program, root } from "../testing.ts";

const USER = 65534;
const AS_USER = ["setpriv", `--reuid=${USER}`, `--regid=${USER}`, "--clear-groups"];
const AS_MAPPED_ROOT = [...AS_USER, "unshare", "--user", "--map-root-user", "--mount"];

function mayMakeUserNamespaces(): boolean {
  const [file = "", ...args] = [...AS_MAPPED_ROOT, "true"];
  return spawnSync(file, args).status === 0;
}

const rootless = suite("rootless");
const namespaces = need("user namespaces for users", mayMakeUserNamespaces());
const test = needs(rootless, root, program("setpriv"), program("unshare"), namespaces);

interface Scene {
  readonly bundle: string;
  /** Runs the runtime with this command before it. */
  call(before: readonly string[], ...args: string[]): Result;
}

/** A bundle, the runtime and a folder for its state that the user can reach. The config is that of `spec --rootless`, changed. */
function makeScene(fixture: Fixture, script: string, change: (spec: Spec) => void): Scene {
  chmodSync(fixture.folder, 0o711);
  const { path: bundle, rootfs } = fixture.shell("true");
  const runtime = fixture.path("reg");
  copyFileSync(REG, runtime);
  chmodSync(runtime, 0o755);
  const home = fixture.path("home");
  mkdirSync(home);
  chownSync(home, USER, USER);
  const call = (before: readonly string[], ...args: string[]) =>
    fixture.host(
      "env",
      "-C",
      bundle,
      "-u",
      "XDG_RUNTIME_DIR",
      ...before,
      runtime,
      "--root",
      join(home, "state"),
      ...args,
    );
  const own = join(home, "bundle");
  mkdirSync(own);
  chownSync(own, USER, USER);
  const made = call(AS_USER, "spec", "--rootless", "--bundle", own);
  assert.is(made.status, 0, made.stderr);
  const spec: Spec = JSON.parse(readFileSync(join(own, "config.json"), "utf8"));
  spec.process.terminal = false;
  spec.process.args = ["/bin/sh", "-c", script];
  spec.process.env.push(`MARK=${fixture.mark}`);
  change(spec);
  writeFileSync(join(bundle, "config.json"), JSON.stringify(spec));
  cpSync(rootfs, join(own, "rootfs"), { recursive: true, verbatimSymlinks: true });
  return { bundle, call };
}

const keep = () => undefined;

test("a user runs the bundle of spec --rootless", () =>
  withFixture((fixture) => {
    const { call } = makeScene(fixture, "id -u; cat /proc/self/uid_map", keep);
    const { status, stdout, stderr } = call(AS_USER, "run", fixture.id());
    assert.is(status, 0, stderr);
    assert.equal(stdout.trim().split(/\s+/), ["0", "0", String(USER), "1"]);
  }));

test("a user creates, starts, looks at, and deletes a container", () =>
  withFixture((fixture) => {
    const { call } = makeScene(fixture, "sleep 100000", keep);
    const id = fixture.id();
    const succeed = (...args: string[]) => {
      const { status, stdout, stderr } = call(AS_USER, ...args);
      assert.is(status, 0, `${args.join(" ")}: ${stderr}`);
      return stdout;
    };
    succeed("create", id);
    succeed("start", id);
    assert.is(JSON.parse(succeed("state", id)).status, "running");
    assert.is(succeed("exec", id, "id", "-u"), "0\n");
    succeed("delete", "--force", id);
    assert.match(succeed("list"), /^ID +PID [^\n]*\n$/);
  }));

/** The namespace is there already, with one user in it; its root may not mount the host's sysfs. */
function withoutUserNamespace(spec: Spec): void {
  const kept = spec.linux.namespaces.filter(({ type }) => type !== "user");
  spec.linux.namespaces = [...kept, { type: "network" }];
  delete spec.linux.uidMappings;
  delete spec.linux.gidMappings;
  spec.mounts = spec.mounts.filter(({ destination }) => !destination.startsWith("/sys"));
}

test("root of a user namespace runs a container with a network of its own", () =>
  withFixture((fixture) => {
    const { call } = makeScene(fixture, "id -u; grep -c : /proc/net/dev", withoutUserNamespace);
    const { status, stdout, stderr } = call(AS_MAPPED_ROOT, "run", fixture.id());
    assert.is(status, 0, stderr);
    assert.is(stdout, "0\n1\n");
  }));

test("root of a user namespace keeps its state with the user's", () =>
  withFixture((fixture) => {
    const { bundle } = makeScene(fixture, "true", withoutUserNamespace);
    const home = fixture.path("home");
    const environment = ["env", "-C", bundle, "-u", "USER", `XDG_RUNTIME_DIR=${home}`];
    const run = ["run", "--keep", fixture.id()];
    const { status, stderr } = fixture.host(...environment, ...AS_MAPPED_ROOT, fixture.path("reg"), ...run);
    assert.is(status, 0, stderr);
    assert.equal(readdirSync(join(home, "reg")), run.slice(-1));
  }));

rootless.run();
