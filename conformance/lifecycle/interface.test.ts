/** What callers parse: list, spec, features, error records, exit statuses. Source: the contracts of containerd, Podman and Buildah. */
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { withFixture } from "../fixtures/fixture.ts";
import { cgroups, mounting, needs, root } from "../testing.ts";

const surface = suite("interface");
const test = needs(surface, root, mounting, cgroups);

test("list shows a table", () =>
  withFixture((fixture) => {
    const bundle = fixture.sleeper();
    const id = fixture.create(bundle);
    const [header = "", line = "", ...rest] = fixture.succeed("list").trimEnd().split("\n");
    assert.equal(header.split(/\s{2,}/).filter(Boolean), ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"]);
    const [name, pid, status, path, , owner] = line.split(/\s{2,}/);
    assert.equal(
      { name, pid, status, path, owner: owner?.trim() },
      { name: id, pid: String(fixture.state(id).pid), status: "created", path: bundle.path, owner: "root" },
    );
    assert.equal(rest, []);
  }));

test("list --format json is an array of states", () =>
  withFixture((fixture) => {
    const ids = [fixture.create(fixture.sleeper()), fixture.launch(fixture.sleeper())];
    const states = JSON.parse(fixture.succeed("list", "--format", "json"));
    assert.equal(
      states.map(({ id, status, owner }: Record<string, string>) => ({ id, status, owner })),
      [
        { id: ids[0], status: "created", owner: "root" },
        { id: ids[1], status: "running", owner: "root" },
      ],
    );
  }));

test("list --quiet shows one id per line", () =>
  withFixture((fixture) => {
    const ids = [fixture.create(fixture.sleeper()), fixture.create(fixture.sleeper())];
    assert.is(fixture.succeed("list", "-q"), `${ids.join("\n")}\n`);
  }));

test("list of a state folder that does not exist is empty", () =>
  withFixture((fixture) => {
    assert.is(fixture.succeed("list", "--quiet"), "");
  }));

test("spec writes a config that runs", () =>
  withFixture((fixture) => {
    const bundle = fixture.sleeper();
    const path = fixture.path("spec");
    mkdirSync(path);
    fixture.succeed("spec", "--bundle", path);
    const file = join(path, "config.json");
    const spec = JSON.parse(readFileSync(file, "utf8"));
    assert.equal(spec.process.args, ["sh"]);
    spec.process.terminal = false;
    spec.process.args = ["sh", "-c", "exit 5"];
    spec.root.path = bundle.rootfs;
    writeFileSync(file, JSON.stringify(spec));
    assert.is(fixture.reg("run", "--bundle", path, fixture.id()).status, 5);
  }));

test("spec does not overwrite a config", () =>
  withFixture((fixture) => {
    const bundle = fixture.sleeper();
    const before = readFileSync(join(bundle.path, "config.json"), "utf8");
    fixture.fail(/config\.json.* (already )?exists/, ["spec", "--bundle", bundle.path]);
    assert.is(readFileSync(join(bundle.path, "config.json"), "utf8"), before);
  }));

test("features is JSON with what callers look for", () =>
  withFixture((fixture) => {
    const features = JSON.parse(fixture.succeed("features"));
    assert.match(features.ociVersionMin, /^1\.0/);
    assert.ok(features.hooks.includes("startContainer"));
    assert.ok(features.mountOptions.includes("rbind"));
    assert.ok(features.linux.namespaces.includes("network"));
    assert.ok(features.linux.capabilities.includes("CAP_SYS_ADMIN"));
    assert.is(features.linux.cgroup.v1, true);
  }));

test("--version names the version and the specification", () =>
  withFixture((fixture) => {
    const [first = "", ...rest] = fixture.succeed("--version").split("\n");
    assert.match(first, /^\S+ version \d+\.\d+/);
    assert.ok(rest.some((line) => /^spec: 1\./.test(line)));
  }));

test("--log with --log-format json gets one record, and stderr the message", () =>
  withFixture((fixture) => {
    const log = fixture.path("log.json");
    const { status, stderr } = fixture.reg("--log", log, "--log-format", "json", "state", fixture.id());
    assert.is(status, 1);
    const lines = readFileSync(log, "utf8").trimEnd().split("\n");
    assert.is(lines.length, 1);
    const record = JSON.parse(lines[0] ?? "");
    assert.is(record.level, "error");
    assert.match(record.msg, "does not exist");
    assert.match(record.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d/);
    assert.match(stderr, "does not exist");
    assert.not.match(stderr, /^\{/);
  }));

test("--log as text gets the message", () =>
  withFixture((fixture) => {
    const log = fixture.path("log");
    fixture.reg("--log", log, "state", fixture.id());
    assert.match(readFileSync(log, "utf8"), "does not exist");
  }));

/** What Podman and Docker look for in the message when a program can not be run. */
const EXEC_FAILURES: [name: string, args: string[], message: RegExp][] = [
  ["an absolute path that is missing", ["/nope"], /\/nope.*no such file or directory/],
  ["a name that is not in PATH", ["nope"], /nope.*executable file not found in \$PATH/],
  ["a file that is not executable", ["/etc/plain"], /\/etc\/plain.*permission denied/i],
  ["a folder", ["/etc"], /\/etc.*(is a directory|permission denied)/i],
];
for (const [name, args, message] of EXEC_FAILURES)
  test(`create explains ${name}`, () =>
    withFixture((fixture) => {
      const bundle = fixture.bundle(args);
      writeFileSync(join(bundle.rootfs, "etc/plain"), "text\n", { mode: 0o644 });
      fixture.fail(message, ["create", "--bundle", bundle.path, fixture.id()]);
      fixture.assertNothingLeft();
      fixture.fail(message, ["run", "--bundle", bundle.path, fixture.id()]);
      fixture.assertNothingLeft();
    }));

test("a bundle without config.json is named", () =>
  withFixture((fixture) => {
    mkdirSync(fixture.path("empty"));
    fixture.fail(/config\.json/, ["create", "--bundle", fixture.path("empty"), fixture.id()]);
    fixture.fail(/no such file or directory/, ["create", "--bundle", fixture.path("missing"), fixture.id()]);
    fixture.assertNothingLeft();
  }));

test("an unknown command and an unknown option fail", () =>
  withFixture((fixture) => {
    assert.is.not(fixture.reg("no-such-command").status, 0);
    assert.is.not(fixture.reg("state", "--no-such-option", "x").status, 0);
  }));

test("a pid file may be a pipe, which is written to", () =>
  withFixture((fixture) => {
    const pipe = fixture.path("pipe");
    const bundle = fixture.shell("exit 0");
    const script = `mkfifo "$0"; timeout 5 cat "$0" & "$@"; wait`;
    const command = fixture.command("run", "--bundle", bundle.path, "--pid-file", pipe, fixture.id());
    assert.match(fixture.host("sh", "-c", script, pipe, ...command).stdout, /^\d+$/);
    assert.ok(statSync(pipe).isFIFO());
  }));

test("a pid file that can not be written undoes the create", () =>
  withFixture((fixture) => {
    const pidFile = fixture.path("missing/pid");
    fixture.fail(/pid/, ["create", "--bundle", fixture.sleeper().path, "--pid-file", pidFile, fixture.id()]);
    assert.not(existsSync(pidFile));
    fixture.assertNothingLeft();
  }));

surface.run();
