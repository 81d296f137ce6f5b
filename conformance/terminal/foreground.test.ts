/** `run` with a terminal, at a real terminal: tmux types the keys, changes the size and reads the screen. */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Bundle, Spec } from "../fixtures/bundle.ts";
import { type Fixture, pause, type Result, waitUntil, withFixture } from "../fixtures/fixture.ts";
import { cgroups, mounting, needs, program, root } from "../testing.ts";

const foreground = suite("terminal in the foreground");
const test = needs(foreground, root, mounting, cgroups, program("tmux"));

const TIMEOUT_MS = 20_000;

/** A tmux server of its own, with one window in which the runtime runs; its status appears at the end as `status=N`. */
class Screen {
  readonly id: string;
  private readonly socket: string;

  constructor(fixture: Fixture, bundle: Bundle, launch: (command: string) => string) {
    this.id = fixture.id();
    this.socket = fixture.path("tmux");
    const command = fixture.command("run", "--bundle", bundle.path, this.id).join(" ");
    const script = fixture.write("script", `${launch(command)}\necho status=$?\nstty -a\ncat\n`);
    this.tmux("-f", "/dev/null", "new-session", "-d", "-x", "100", "-y", "30", "sh", script);
  }

  type(...keys: string[]): void {
    this.tmux("send-keys", ...keys);
  }

  resize(columns: number, rows: number): void {
    this.tmux("resize-window", "-x", String(columns), "-y", String(rows));
  }

  content(): string {
    return this.tmux("capture-pane", "-p");
  }

  expect(text: string | RegExp): string {
    return waitUntil(
      `${text} on the screen, which shows:\n${this.content()}`,
      () => {
        const content = this.content();
        return (typeof text === "string" ? content.includes(text) : text.test(content)) && content;
      },
      TIMEOUT_MS,
    );
  }

  stop(): void {
    this.tmux("kill-server");
  }

  private tmux(...args: string[]): string {
    return spawnSync("tmux", ["-S", this.socket, ...args], { encoding: "utf8" }).stdout;
  }
}

function withTerminal(fixture: Fixture, script: string[], mounts: Spec["mounts"] = []): Bundle {
  return fixture.bundle(script, (spec) => {
    spec.process.terminal = true;
    spec.process.env.push("PS1=in-container$ ");
    spec.mounts.push(...mounts);
  });
}

/** A container with a terminal on a screen. */
function withScreen(
  script: string[],
  body: (screen: Screen, fixture: Fixture) => void,
  launch = (command: string) => command,
): Promise<void> {
  return withFixture((fixture) => {
    const bundle = withTerminal(fixture, script);
    const screen = new Screen(fixture, bundle, launch);
    try {
      body(screen, fixture);
    } finally {
      screen.stop();
    }
  });
}

test("keys reach the shell, and its exit status is kept", () =>
  withScreen(["/bin/sh"], (screen, fixture) => {
    screen.expect("in-container$");
    screen.type("echo $((6 * 7)) things", "Enter");
    screen.expect("42 things");
    screen.type("exit 9", "Enter");
    screen.expect("status=9");
    fixture.assertNothingLeft();
  }));

test("each line begins at the left", () =>
  withScreen(["/bin/sh", "-c", "printf 'first\\nsecond\\n'; exec sleep 1000"], (screen) => {
    assert.match(screen.expect("second"), /^first\nsecond$/m);
  }));

test("the container has the terminal's size, and learns of a new one", () =>
  withScreen(["/bin/sh"], (screen) => {
    screen.expect("in-container$");
    screen.type("stty size", "Enter");
    screen.expect("30 100");
    screen.resize(90, 20);
    screen.type("stty size", "Enter");
    screen.expect("20 90");
  }));

test("Ctrl-C interrupts the program in the container, not the runtime", () =>
  withScreen(["/bin/sh"], (screen) => {
    screen.expect("in-container$");
    // The quotes keep the typed line from being taken for the output.
    screen.type("sh -c 'echo beg''un; exec sleep 1000'", "Enter");
    screen.expect("begun");
    screen.type("C-c");
    screen.type("echo still $((1 + 1)) here", "Enter");
    const content = screen.expect("still 2 here");
    assert.not.match(content, "status=");
  }));

test("Ctrl-D ends the shell", () =>
  withScreen(["/bin/sh"], (screen, fixture) => {
    screen.expect("in-container$");
    screen.type("C-d");
    screen.expect("status=0");
    fixture.assertNothingLeft();
  }));

test("the terminal is as before when the container has ended", () =>
  withScreen(["/bin/sh", "-c", "stty -echo -icanon; exit 0"], (screen) => {
    screen.expect("status=0");
    const content = screen.expect("icanon");
    assert.match(content, /(^|\s)icanon/m);
    assert.match(content, /(^|\s)echo\s/m);
    assert.match(content, /(^|\s)opost/m);
  }));

test("a signal to the runtime reaches the container", () =>
  withScreen(
    ["/bin/sh", "-c", "trap 'echo got TERM; exit 3' TERM; echo ready; while :; do sleep 0.05; done"],
    (screen, fixture) => {
      screen.expect("ready");
      process.kill(fixture.runtimeOf(screen.id), "SIGTERM");
      screen.expect("got TERM");
      screen.expect("status=3");
    },
  ));

/** `before` is shell that gives the call its standard input. */
function runWithInput(fixture: Fixture, bundle: Bundle, before: string): Result {
  return fixture.host(
    "sh",
    "-c",
    `${before}"$@"`,
    "sh",
    ...fixture.command("run", "--bundle", bundle.path, fixture.id()),
  );
}

test("in the background it stops until it is brought to the front, and changes nothing of the terminal", () =>
  withScreen(
    ["/bin/sh", "-c", "echo in front; exit 5"],
    (screen, fixture) => {
      const runtime = fixture.runtimeOf(screen.id);
      waitUntil("the runtime is stopped", () => /\) T /.test(readFileSync(`/proc/${runtime}/stat`, "utf8")));
      screen.type("Enter");
      screen.expect("in front");
      screen.expect("status=5");
    },
    (command) => `set -m\n${command} &\nread go\nfg`,
  ));

test("a terminal that is hung up does not hold up the program", () =>
  withFixture((fixture) => {
    const progress = fixture.write("progress", "");
    const bundle = withTerminal(
      fixture,
      [
        "/bin/sh",
        "-c",
        "trap '' HUP; echo ready; read line; head -c 300000 /dev/zero; echo written >/progress; exec sleep 1000",
      ],
      [{ destination: "/progress", type: "none", source: progress, options: ["bind"] }],
    );
    const screen = new Screen(fixture, bundle, (command) => `trap '' HUP\n${command}`);
    screen.expect("ready");
    screen.stop();
    fixture.waitForText(progress, "written");
  }));

test("a program may close its terminal, and open it again later", () =>
  withFixture((fixture) => {
    const script =
      "exec </dev/null >/dev/null 2>&1; sleep 0.3; echo later >/dev/console; sleep 0.3; echo last >/dev/tty";
    const bundle = withTerminal(fixture, ["/bin/sh", "-c", script]);
    assert.match(fixture.reg("run", "--bundle", bundle.path, fixture.id()).stdout, /^later\r?\nlast\r?\n$/);
  }));

test("a line of the input that has no end is not waited for", () =>
  withFixture((fixture) => {
    const bundle = withTerminal(fixture, ["/bin/sh", "-c", "stty -echo; cat; echo end"]);
    assert.match(runWithInput(fixture, bundle, "printf line | ").stdout, /lineend/);
  }));

test("standard input may be for writing only, as nohup leaves it", () =>
  withFixture((fixture) => {
    const bundle = withTerminal(fixture, ["/bin/sh", "-c", "echo done; exit 3"]);
    assert.is(runWithInput(fixture, bundle, "0>/dev/null ").status, 3);
  }));

test("input that the container does not read does not hold up its end", () =>
  withFixture((fixture) => {
    const bundle = withTerminal(fixture, ["/bin/sh", "-c", "sleep 0.5; exit 6"]);
    assert.is(runWithInput(fixture, bundle, "yes | ").status, 6);
    fixture.assertNothingLeft();
  }));

test("output that nobody reads does not hold up signals; a second one ends the waiting for a reader", () =>
  withFixture(async (fixture) => {
    const ready = fixture.write("ready", "");
    const bundle = withTerminal(
      fixture,
      ["/bin/sh", "-c", "trap 'exit 3' TERM; yes & echo ready >/ready; wait"],
      [{ destination: "/ready", type: "none", source: ready, options: ["bind"] }],
    );
    const id = fixture.id();
    const [file = "", ...args] = fixture.command("run", "--bundle", bundle.path, id);
    const runtime = spawn(file, args, { stdio: ["ignore", "pipe", "inherit"] }); // nobody reads while this test waits
    const ended = once(runtime, "exit");
    try {
      fixture.waitForText(ready, "ready");
      pause(500); // the pipe is full long before
      runtime.kill("SIGTERM");
      fixture.waitForStatus(id, "stopped");
      runtime.kill("SIGTERM");
      assert.equal(await ended, [3, null]);
      fixture.assertNothingLeft();
    } finally {
      runtime.kill("SIGKILL");
    }
  }));

foreground.run();
