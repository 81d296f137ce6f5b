/** sd_notify(3): a container's READY=1 reaches the service manager. */
import { spawn } from "node:child_process";
import { closeSync, copyFileSync, existsSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Bundle, Spec } from "../fixtures/bundle.ts";
import { type Fixture, waitUntil, withFixture } from "../fixtures/fixture.ts";
import { TOOLS } from "../paths.ts";
import { cgroups, mounting, needs, root } from "../testing.ts";

const notify = suite("sd_notify");
const test = needs(notify, root, mounting, cgroups);
const TOOL = join(TOOLS, "notify");

interface Manager {
  readonly env: Record<string, string>;
  /** Waits for this text among the messages, and returns them all. */
  said(text: string): string;
  /** From now on it reads nothing. */
  stop(): void;
}

/** Runs the test with a manager that takes three messages: READY, MAINPID and BARRIER. */
async function withManager(test: (fixture: Fixture, manager: Manager) => void): Promise<void> {
  await withFixture(async (fixture) => {
    const socket = fixture.path("manager.sock");
    const messages = fixture.path("messages");
    const output = openSync(messages, "w");
    const child = spawn(TOOL, ["receive", socket, "3"], { stdio: ["ignore", output, "inherit"] });
    closeSync(output);
    try {
      waitUntil("the manager listens", () => existsSync(socket));
      test(fixture, {
        env: { ...process.env, NOTIFY_SOCKET: socket } as Record<string, string>,
        said: (text) => fixture.waitForText(messages, text),
        stop: () => child.kill("SIGSTOP"),
      });
    } finally {
      child.kill("SIGKILL");
    }
  });
}

/** A container that says it is ready after a while, and goes on. */
function service(fixture: Fixture, script: string, change?: (spec: Spec) => void): Bundle {
  const bundle = fixture.shell(script, change);
  copyFileSync(TOOL, join(bundle.rootfs, "bin/notify"));
  return bundle;
}

const READY = "notify send STATUS=soon; sleep 0.2; notify send READY=1";

test("start waits until the container is ready, and says which process it is", () =>
  withManager((fixture, { env, said }) => {
    const bundle = service(fixture, `${READY}; touch /dev/shm/ready; exec sleep 100000`);
    const id = fixture.id();
    assert.is(fixture.regWith({ env }, "create", "-b", bundle.path, id).status, 0);
    assert.is(fixture.regWith({ env }, "start", id).status, 0);
    const { pid } = fixture.state(id);
    assert.is(said("BARRIER"), `READY=1\nMAINPID=${pid}\nBARRIER=1\n`);
  }));

test("run --detach waits too", () =>
  withManager((fixture, { env, said }) => {
    const bundle = service(fixture, `${READY}; exec sleep 100000`);
    const id = fixture.id();
    assert.is(fixture.regWith({ env }, "run", "--detach", "-b", bundle.path, id).status, 0);
    assert.is(said("BARRIER"), `READY=1\nMAINPID=${fixture.state(id).pid}\nBARRIER=1\n`);
  }));

test("run in the foreground is the process to watch", () =>
  withManager((fixture, { env, said }) => {
    const bundle = service(fixture, `${READY}; exit 7`);
    assert.is(fixture.regWith({ env }, "run", "-b", bundle.path, fixture.id()).status, 7);
    assert.match(said("MAINPID"), /^READY=1\nMAINPID=\d+\n$/);
  }));

test("a manager that does not read holds up nobody in the foreground", () =>
  withManager((fixture, { env, stop }) => {
    const bundle = service(fixture, `trap 'exit 7' TERM; ${READY}; echo said; while :; do sleep 0.05; done`);
    stop();
    const id = fixture.id();
    const script = `"$@" & while ! grep -q said "$OUT"; do sleep 0.05; done; kill -TERM $!; wait $!`;
    const out = fixture.write("out", "");
    const command = ["sh", "-c", `exec >"$OUT"; ${script}`, "sh", ...fixture.command("run", "-b", bundle.path, id)];
    assert.is(fixture.hostWith({ env: { ...env, OUT: out } }, ...command).status, 7);
  }));

test("a user who is not root can say it", () =>
  withManager((fixture, { env, said }) => {
    const bundle = service(fixture, READY, (spec) => {
      spec.process.user = { uid: 1000, gid: 1000 };
    });
    assert.is(fixture.regWith({ env }, "run", "-b", bundle.path, fixture.id()).status, 0);
    said("MAINPID");
  }));

test("start returns when the container ends without a word, and nothing stays after delete", () =>
  withManager((fixture, { env }) => {
    const id = fixture.id();
    assert.is(fixture.regWith({ env }, "create", "-b", service(fixture, "exit 3").path, id).status, 0);
    assert.is(fixture.regWith({ env }, "start", id).status, 0);
    fixture.waitForStatus(id, "stopped");
    fixture.succeed("delete", id);
    assert.not(existsSync(join(fixture.root, id)));
  }));

test("a manager that is gone is a warning, and the container goes on", () =>
  withFixture((fixture) => {
    const env = { ...process.env, NOTIFY_SOCKET: fixture.path("nobody.sock") };
    const bundle = service(fixture, "notify send READY=1; sleep 0.2; exit 7");
    const { status, stderr } = fixture.regWith({ env }, "run", "-b", bundle.path, fixture.id());
    assert.is(status, 7);
    assert.match(stderr, "NOTIFY_SOCKET: connect(2)");
  }));

test("without NOTIFY_SOCKET the container has neither the variable nor the mount", () =>
  withFixture((fixture) => {
    const bundle = fixture.shell("echo $NOTIFY_SOCKET; ls -d /run/notify 2>/dev/null; true");
    const { NOTIFY_SOCKET: _, ...env } = process.env;
    fixture.regWith({ env }, "run", "-b", bundle.path, fixture.id());
    assert.is(readFileSync(fixture.lastOutput().stdout, "utf8"), "\n");
  }));

notify.run();
