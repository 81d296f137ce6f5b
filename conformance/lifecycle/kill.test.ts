/** Whom `kill` reaches: all of a container that shares its pids, one that was only created, one without a cgroup. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Spec } from "../fixtures/bundle.ts";
import { type Fixture, waitUntil, withFixture } from "../fixtures/fixture.ts";
import { cgroups, mounting, needs, root } from "../testing.ts";

const kill = suite("kill");
const test = needs(kill, root, mounting, cgroups);

function shareHostPids(spec: Spec): void {
  spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== "pid");
}

const processes = (fixture: Fixture) => fixture.leftovers().filter((line) => line.startsWith("process "));

function waitForProcesses(fixture: Fixture, count: number): void {
  waitUntil(`${count} processes`, () => processes(fixture).length === count);
}

test("KILL ends all processes of a container in the host's pid namespace", () =>
  withFixture((fixture) => {
    const id = fixture.launch(fixture.shell("sleep 100000 & sleep 100001 & wait", shareHostPids));
    waitForProcesses(fixture, 3);
    fixture.succeed("kill", id, "KILL");
    waitForProcesses(fixture, 0);
    fixture.waitForStatus(id, "stopped");
    fixture.fail("container not running", ["kill", id, "KILL"]);
  }));

test("also when its init has gone already", () =>
  withFixture((fixture) => {
    const id = fixture.launch(fixture.shell("sleep 100000 & exit 0", shareHostPids));
    fixture.waitForStatus(id, "stopped");
    waitForProcesses(fixture, 1);
    fixture.fail("container not running", ["kill", id, "TERM"]);
    fixture.succeed("kill", id, "KILL");
    waitForProcesses(fixture, 0);
  }));

for (const signal of ["TERM", "INT", "RTMIN+3"])
  test(`${signal} stops a container that is created but not started`, () =>
    withFixture((fixture) => {
      const id = fixture.create(fixture.sleeper());
      fixture.succeed("kill", id, signal);
      fixture.waitForStatus(id, "stopped");
      fixture.succeed("delete", id);
      fixture.assertNothingLeft();
    }));

test("a signal that does no harm leaves a created container as it is", () =>
  withFixture((fixture) => {
    const id = fixture.create(fixture.sleeper());
    for (const signal of ["WINCH", "CONT", "0"]) fixture.succeed("kill", id, signal);
    assert.is(fixture.state(id).status, "created");
    fixture.succeed("start", id);
    assert.match(readFileSync(`/proc/${fixture.state(id).pid}/cmdline`, "utf8"), /sleep/);
  }));

test("ps and kill --all of a container without a cgroup say why they cannot", () =>
  withFixture((fixture) => {
    const id = fixture.id();
    const create = ["--cgroup-manager", "disabled", "create", "--bundle", fixture.sleeper().path, id];
    fixture.succeed(...create);
    fixture.fail("was created without a cgroup", ["ps", id]);
    fixture.fail("was created without a cgroup", ["kill", "--all", id, "KILL"]);
    fixture.succeed("kill", id, "KILL");
    fixture.waitForStatus(id, "stopped");
  }));

kill.run();
