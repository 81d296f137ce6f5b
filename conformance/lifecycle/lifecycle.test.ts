/** From create to delete: what callers see of a container's life. Source: runtime-spec runtime.md, and what runc's callers match. */
import { existsSync, readFileSync, readlinkSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { withFixture } from "../fixtures/fixture.ts";
import { cgroups, mounting, needs, root } from "../testing.ts";

const lifecycle = suite("lifecycle");
const test = needs(lifecycle, root, mounting, cgroups);

test("run shows the output and keeps the exit status", () =>
  withFixture((fixture) => {
    const bundle = fixture.shell("echo out; echo err >&2; exit 7");
    const { status, stdout, stderr } = fixture.reg("run", "--bundle", bundle.path, fixture.id());
    assert.equal({ status, stdout, stderr }, { status: 7, stdout: "out\n", stderr: "err\n" });
    fixture.assertNothingLeft();
  }));

test("run reads the container's input", () =>
  withFixture((fixture) => {
    const bundle = fixture.shell("read line; echo got $line");
    fixture.write("script", `echo hello | "$@"`);
    const command = fixture.command("run", "--bundle", bundle.path, fixture.id());
    const { stdout } = fixture.host("sh", fixture.path("script"), ...command);
    assert.is(stdout, "got hello\n");
  }));

test("run of a program that a signal ends returns 128 and the signal", () =>
  withFixture((fixture) => {
    // Process 1 of a pid namespace can not be killed from inside.
    const bundle = fixture.shell("kill -9 $$; exit 3", (spec) => {
      spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== "pid");
    });
    assert.is(fixture.reg("run", "--bundle", bundle.path, fixture.id()).status, 137);
    fixture.assertNothingLeft();
  }));

test("run uses the current folder as the bundle", () =>
  withFixture((fixture) => {
    const bundle = fixture.shell("exit 4");
    assert.is(fixture.regWith({ cwd: bundle.path }, "run", fixture.id()).status, 4);
  }));

test("run --detach returns while the container runs", () =>
  withFixture((fixture) => {
    const id = fixture.id();
    fixture.succeed("run", "--detach", "--bundle", fixture.sleeper().path, id);
    assert.is(fixture.state(id).status, "running");
  }));

test("a container goes from created to running to stopped", () =>
  withFixture((fixture) => {
    const id = fixture.create(fixture.sleeper());
    const created = fixture.state(id);
    assert.is(created.status, "created");
    assert.ok(existsSync(`/proc/${created.pid}`));
    fixture.succeed("start", id);
    const running = fixture.state(id);
    assert.is(running.status, "running");
    assert.is(running.pid, created.pid);
    fixture.succeed("kill", id, "KILL");
    assert.is(fixture.waitForStatus(id, "stopped").pid, 0);
    fixture.succeed("delete", id);
    fixture.fail("does not exist", ["state", id]);
    fixture.assertNothingLeft();
  }));

test("create does not run the program, start does", () =>
  withFixture((fixture) => {
    const bundle = fixture.shell("echo ran > /out/ran", (spec) => {
      spec.mounts.push({ destination: "/out", type: "bind", source: fixture.folder, options: ["bind"] });
    });
    const id = fixture.create(bundle);
    assert.not(existsSync(fixture.path("ran")));
    fixture.succeed("start", id);
    fixture.waitForStatus(id, "stopped");
    assert.is(fixture.read("ran"), "ran\n");
  }));

test("the program writes to the output that create was given", () =>
  withFixture((fixture) => {
    const id = fixture.id();
    fixture.succeed("create", "--bundle", fixture.shell("echo out; echo err >&2").path, id);
    const output = fixture.lastOutput();
    fixture.succeed("start", id);
    fixture.waitForStatus(id, "stopped");
    assert.is(readFileSync(output.stdout, "utf8"), "out\n");
    assert.is(readFileSync(output.stderr, "utf8"), "err\n");
  }));

test("state says who, where and since when", () =>
  withFixture((fixture) => {
    const bundle = fixture.sleeper((spec) => {
      spec.annotations = { "org.example.key": "value" };
    });
    const id = fixture.create(bundle);
    const state = fixture.state(id);
    assert.is(state.id, id);
    assert.is(state.bundle, bundle.path);
    assert.match(state.ociVersion, /^1\./);
    assert.match(state.created ?? "", /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
    assert.is(state.annotations?.["org.example.key"], "value");
  }));

test("the pid file holds the pid and nothing else", () =>
  withFixture((fixture) => {
    const file = fixture.path("pid");
    const id = fixture.create(fixture.sleeper(), "--pid-file", file);
    assert.is(readFileSync(file, "utf8"), String(fixture.state(id).pid));
  }));

test("each of the namespaces is a new one", () =>
  withFixture((fixture) => {
    const id = fixture.launch(fixture.sleeper());
    const { pid } = fixture.state(id);
    for (const name of ["pid", "net", "ipc", "uts", "mnt", "cgroup"])
      assert.is.not(readlinkSync(`/proc/${pid}/ns/${name}`), readlinkSync(`/proc/self/ns/${name}`), name);
    assert.is(readlinkSync(`/proc/${pid}/ns/user`), readlinkSync("/proc/self/ns/user"));
  }));

test("an id is taken until its container is deleted", () =>
  withFixture((fixture) => {
    const bundle = fixture.sleeper();
    const id = fixture.create(bundle);
    fixture.fail("container with given ID already exists", ["create", "--bundle", bundle.path, id]);
    assert.is(fixture.state(id).status, "created", "the first container is untouched");
    fixture.succeed("delete", "--force", id);
    fixture.succeed("create", "--bundle", bundle.path, id);
  }));

for (const command of ["start", "state", "kill", "delete"])
  test(`${command} of an unknown container fails`, () =>
    withFixture((fixture) => {
      fixture.fail("does not exist", [command, fixture.id()]);
    }));

test("delete --force of an unknown container succeeds", () =>
  withFixture((fixture) => {
    fixture.succeed("delete", "--force", fixture.id());
  }));

test("start of a running container fails", () =>
  withFixture((fixture) => {
    const id = fixture.launch(fixture.sleeper());
    fixture.fail("cannot start an already running container", ["start", id]);
  }));

test("start of a stopped container fails", () =>
  withFixture((fixture) => {
    const id = fixture.launch(fixture.bundle(["/bin/true"]));
    fixture.waitForStatus(id, "stopped");
    fixture.fail("cannot start a container that has stopped", ["start", id]);
  }));

test("delete of a running container fails, and leaves it running", () =>
  withFixture((fixture) => {
    const id = fixture.launch(fixture.sleeper());
    fixture.fail(/cannot delete container \S+ that is not stopped: running/, ["delete", id]);
    assert.is(fixture.state(id).status, "running");
  }));

test("delete --force ends a running container", () =>
  withFixture((fixture) => {
    const id = fixture.launch(fixture.sleeper());
    fixture.succeed("delete", "--force", id);
    fixture.assertNothingLeft();
  }));

test("delete of a created container ends its init", () =>
  withFixture((fixture) => {
    const id = fixture.create(fixture.sleeper());
    fixture.succeed("delete", id);
    fixture.assertNothingLeft();
  }));

test("delete --force ends all processes of a container without a pid namespace", () =>
  withFixture((fixture) => {
    const bundle = fixture.shell("sleep 100000 & sleep 100001 & wait", (spec) => {
      spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== "pid");
    });
    const id = fixture.launch(bundle);
    fixture.succeed("delete", "--force", id);
    fixture.assertNothingLeft();
  }));

test("kill of a stopped container fails, and with --all it does not", () =>
  withFixture((fixture) => {
    const id = fixture.launch(fixture.bundle(["/bin/true"]));
    fixture.waitForStatus(id, "stopped");
    fixture.fail("container not running", ["kill", id, "KILL"]);
    fixture.succeed("kill", "--all", id, "KILL");
  }));

for (const signal of ["9", "KILL", "SIGKILL", "kill"])
  test(`kill takes the signal as ${signal}`, () =>
    withFixture((fixture) => {
      const id = fixture.launch(fixture.sleeper());
      fixture.succeed("kill", id, signal);
      fixture.waitForStatus(id, "stopped");
    }));

test("kill sends TERM when no signal is named", () =>
  withFixture((fixture) => {
    const id = fixture.id();
    const bundle = fixture.shell("trap 'echo got TERM; exit 0' TERM; echo ready; while :; do sleep 0.05; done");
    fixture.succeed("create", "--bundle", bundle.path, id);
    const { stdout } = fixture.lastOutput();
    fixture.succeed("start", id);
    fixture.waitForText(stdout, "ready\n");
    fixture.succeed("kill", id);
    fixture.waitForText(stdout, "got TERM\n");
  }));

test("kill of an unknown signal fails", () =>
  withFixture((fixture) => {
    const id = fixture.create(fixture.sleeper());
    fixture.fail(/unknown signal \\?"FOO\\?"/, ["kill", id, "FOO"]);
  }));

test("kill reaches a container that is created but not started", () =>
  withFixture((fixture) => {
    const id = fixture.create(fixture.sleeper());
    fixture.succeed("kill", id, "KILL");
    fixture.waitForStatus(id, "stopped");
    fixture.succeed("delete", id);
    fixture.assertNothingLeft();
  }));

const BAD_IDS = [".", "..", "a/b", "../a", "a b", "ä", "a\nb", "a*", "/"];
for (const id of BAD_IDS)
  test(`the id ${JSON.stringify(id)} is refused`, () =>
    withFixture((fixture) => {
      fixture.fail(/invalid container ID format/, ["create", "--bundle", fixture.sleeper().path, id]);
      fixture.assertNothingLeft();
    }));

test("an empty id is refused", () =>
  withFixture((fixture) => {
    fixture.fail(/container id cannot be empty|invalid container ID format/i, [
      "create",
      "--bundle",
      fixture.sleeper().path,
      "",
    ]);
  }));

test("ids may hold letters, digits and _+-.", () =>
  withFixture((fixture) => {
    const id = `${fixture.mark}_A+b-9.c`;
    fixture.succeed("create", "--bundle", fixture.sleeper().path, id);
    assert.is(fixture.state(id).id, id);
  }));

lifecycle.run();
