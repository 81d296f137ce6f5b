/** The state directory's lock: held while a container's state changes, and no longer. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Bundle } from "../fixtures/bundle.ts";
import { type Fixture, pause, waitUntil, withFixture } from "../fixtures/fixture.ts";
import { cgroups, mounting, needs, root } from "../testing.ts";

const lock = suite("lock");
const test = needs(lock, root, mounting, cgroups);

/** A call of the runtime that goes on beside the test. */
function background(fixture: Fixture, ...args: string[]): ChildProcess {
  const [command = "", ...rest] = fixture.command(...args);
  return spawn(command, rest, { stdio: "ignore" });
}

/** `run` in the foreground; returns when its program runs. */
function runSleeper(fixture: Fixture): { id: string; ended: Promise<number | null> } {
  const id = fixture.id();
  const child = background(fixture, "run", "--bundle", fixture.sleeper().path, id);
  const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
  waitUntil(`${id} runs`, () => {
    const { status, stdout } = fixture.reg("state", id);
    return status === 0 && JSON.parse(stdout).status === "running";
  });
  return { id, ended };
}

test("while a container runs in the foreground, others pause, resume, update and delete it", () =>
  withFixture(async (fixture) => {
    const { id, ended } = runSleeper(fixture);
    const begin = Date.now();
    fixture.succeed("update", "--pids-limit", "20", id);
    fixture.succeed("pause", id);
    fixture.succeed("resume", id);
    fixture.succeed("delete", "--force", id);
    assert.ok(Date.now() - begin < 5000);
    assert.is(await ended, 128 + 9);
    fixture.assertNothingLeft();
  }));

test("the id of a container that was deleted while it ran in the foreground is free, and stays its new owner's", () =>
  withFixture(async (fixture) => {
    const { id, ended } = runSleeper(fixture);
    fixture.succeed("delete", "--force", id);
    fixture.succeed("create", "--bundle", fixture.sleeper().path, id);
    await ended;
    assert.is(fixture.state(id).status, "created");
  }));

/** A hook that says that it has begun, and then takes its time. */
function slow(fixture: Fixture) {
  return [
    { path: "/bin/sh", args: ["sh", "-c", `touch ${fixture.path("begun")}; exec sleep 1000 # ${fixture.mark}-`] },
  ];
}

function waitForHook(fixture: Fixture): void {
  waitUntil("the hook has begun", () => existsSync(fixture.path("begun")));
}

test("a container can be deleted while its poststart hook runs", () =>
  withFixture((fixture) => {
    const bundle = fixture.sleeper((spec) => {
      spec.hooks = { poststart: slow(fixture) };
    });
    const id = fixture.create(bundle);
    const start = background(fixture, "start", id);
    waitForHook(fixture);
    fixture.succeed("delete", "--force", id);
    start.kill("SIGKILL");
  }));

test("start of a container that is being created says so, at once", () =>
  withFixture((fixture) => {
    const id = fixture.id();
    mkdirSync(join(fixture.root, id), { recursive: true });
    const state = { ociVersion: "1.0.2", id, bundle: "/", rootfs: "/", created: "", annotations: {}, ownerUid: 0 };
    const cgroup = { driver: "disabled", version: 1, paths: {} };
    writeFileSync(join(fixture.root, id, "creating.json"), JSON.stringify({ ...state, cgroup, hooks: {} }));
    fixture.fail("cannot start a container in the creating state", ["start", id]);
  }));

for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const)
  test(`${signal} ends a run that is still building its container, and nothing is left`, () =>
    withFixture(async (fixture) => {
      const bundle = fixture.sleeper((spec) => {
        spec.hooks = { createRuntime: slow(fixture) };
      });
      const child = background(fixture, "run", "--bundle", bundle.path, fixture.id());
      const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
      waitForHook(fixture);
      child.kill(signal);
      assert.is(await ended, 1);
      fixture.assertNothingLeft();
    }));

test("SIGTERM ends a run whose init waits for a hook, without a pid namespace too", () =>
  withFixture(async (fixture) => {
    const bundle = fixture.sleeper((spec) => {
      spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== "pid");
      spec.hooks = { createContainer: slow(fixture) };
    });
    const child = background(fixture, "run", "--bundle", bundle.path, fixture.id());
    const ended = new Promise<number | null>((resolve) => child.once("exit", resolve));
    waitForHook(fixture);
    child.kill("SIGTERM");
    assert.is(await ended, 1);
    fixture.assertNothingLeft();
  }));

test("delete removes the state directory, whatever has got into it", () =>
  withFixture((fixture) => {
    const id = fixture.create(fixture.sleeper());
    mkdirSync(join(fixture.root, id, "a/b/c"), { recursive: true });
    writeFileSync(join(fixture.root, id, "a/b/file"), "");
    fixture.succeed("delete", "--force", id);
    fixture.assertNothingLeft();
  }));

/** Leaves a cgroup that the test made. */
function stoppedCreate(fixture: Fixture, bundle: Bundle): void {
  assert.is.not(fixture.reg("create", "--bundle", bundle.path, fixture.id()).status, 0);
  pause(50);
}

test("a cgroup that was there before and is refused stays", () =>
  withFixture((fixture) => {
    const path = `/sys/fs/cgroup/${existsSync("/sys/fs/cgroup/freezer") ? "freezer/" : ""}${fixture.mark}-mine`;
    const version2 = existsSync("/sys/fs/cgroup/cgroup.controllers");
    mkdirSync(path);
    writeFileSync(join(path, version2 ? "cgroup.freeze" : "freezer.state"), version2 ? "1" : "FROZEN");
    try {
      stoppedCreate(
        fixture,
        fixture.sleeper((spec) => {
          spec.linux.cgroupsPath = `/${fixture.mark}-mine`;
        }),
      );
      assert.ok(existsSync(path), "it is not the runtime's to remove");
    } finally {
      if (existsSync(path))
        writeFileSync(join(path, version2 ? "cgroup.freeze" : "freezer.state"), version2 ? "0" : "THAWED");
      rmSync(path, { recursive: true, force: true });
    }
  }));

lock.run();
