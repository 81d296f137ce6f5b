/** SIGKILL of the runtime at any moment: afterwards `delete --force` clears everything. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, constants, openSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Bundle } from "../fixtures/bundle.ts";
import { type Fixture, pause, waitUntil, withFixture } from "../fixtures/fixture.ts";
import { cgroups, mounting, needs, root } from "../testing.ts";

const interrupted = suite("interrupted");
const test = needs(interrupted, root, mounting, cgroups);

const TIMES = Number(process.env.INTERRUPTIONS ?? 200);

/** Runs a command to its end and returns how long that took, in ms; ends it by SIGKILL after `killAfterMs` when that comes first. */
async function runFor([command = "", ...args]: string[], killAfterMs?: number): Promise<number> {
  const begin = performance.now();
  const child = spawn(command, args, { stdio: "ignore" });
  const end = new Promise((resolve) => child.once("exit", resolve));
  if (killAfterMs !== undefined) {
    // Timers are too coarse for moments within a few milliseconds.
    while (performance.now() - begin < killAfterMs);
    child.kill("SIGKILL");
  }
  await end;
  return performance.now() - begin;
}

/** How long the command takes undisturbed. */
async function durationOf(fixture: Fixture, bundle: Bundle, verb: string): Promise<number> {
  const id = fixture.id();
  const durationMs = await runFor(fixture.command(verb, "--bundle", bundle.path, id));
  fixture.succeed("delete", "--force", id);
  return durationMs;
}

/** Kills `verb` at moments spread over its whole duration, in random order. */
function survives(verb: "create" | "run", times: number): () => Promise<void> {
  return () =>
    withFixture(async (fixture) => {
      const bundle = verb === "create" ? fixture.sleeper() : fixture.bundle(["/bin/true"]);
      await durationOf(fixture, bundle, verb);
      const durationMs = await durationOf(fixture, bundle, verb);
      for (let time = 0; time < times; time++) {
        const id = fixture.id();
        const moment = Math.random() * durationMs * 1.1;
        await runFor(fixture.command(verb, "--bundle", bundle.path, id), moment);
        const { status, stderr } = fixture.reg("delete", "--force", id);
        const when = `killed after ${moment.toFixed(2)} of ${durationMs.toFixed(2)} ms`;
        assert.is(status, 0, `${when}: ${stderr}`);
        for (let tries = 0; tries < 100 && fixture.leftovers().length > 0; tries++) pause(10);
        assert.equal(fixture.leftovers(), [], when);
      }
    });
}

test(
  `create, killed ${TIMES} times at random moments, leaves nothing that delete --force does not clear`,
  survives("create", TIMES),
);
test("run, killed at random moments, leaves nothing that delete --force does not clear", survives("run", TIMES / 4));

/** Opens a pipe for writing, once somebody has it open for reading. */
function openIfRead(pipe: string): number | undefined {
  try {
    return openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
}

test("run can be interrupted while it reads its configuration", () =>
  withFixture(async (fixture) => {
    const bundle = fixture.sleeper();
    const config = join(bundle.path, "pipe");
    fixture.host("mkfifo", config);
    const [command = "", ...args] = fixture.command("run", "--bundle", bundle.path, "--config", "pipe", fixture.id());
    const runtime = spawn(command, args, { stdio: "ignore", timeout: 10_000, killSignal: "SIGKILL" });
    const ended = once(runtime, "exit");
    try {
      const writer = waitUntil("it reads the pipe", () => openIfRead(config));
      runtime.kill("SIGTERM");
      assert.equal(await ended, [null, "SIGTERM"]);
      closeSync(writer);
    } finally {
      runtime.kill("SIGKILL");
    }
  }));

test("an id whose create was killed can be used again after delete --force", () =>
  withFixture(async (fixture) => {
    const bundle = fixture.sleeper();
    const durationMs = await durationOf(fixture, bundle, "create");
    const id = fixture.id();
    await runFor(fixture.command("create", "--bundle", bundle.path, id), durationMs / 2);
    fixture.succeed("delete", "--force", id);
    fixture.succeed("create", "--bundle", bundle.path, id);
    assert.is(fixture.state(id).status, "created");
  }));

test("two creates of one id: one succeeds, the other says that the id is taken", () =>
  withFixture(async (fixture) => {
    const bundle = fixture.sleeper();
    for (let time = 0; time < 20; time++) {
      const id = fixture.id();
      const statuses = await Promise.all(
        [1, 2].map(
          () =>
            new Promise<number | null>((resolve) => {
              const [command = "", ...args] = fixture.command("create", "--bundle", bundle.path, id);
              spawn(command, args, { stdio: "ignore" }).once("exit", (status) => resolve(status));
            }),
        ),
      );
      assert.equal(statuses.toSorted(), [0, 1]);
      assert.is(fixture.state(id).status, "created");
      fixture.succeed("delete", "--force", id);
      fixture.assertNothingLeft();
    }
  }));

interrupted.run();
