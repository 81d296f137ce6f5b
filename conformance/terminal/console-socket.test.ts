/** A terminal handed over by --console-socket, to a real receiver. Source: the protocol that containerd and conmon speak. */
import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { suite } from "uvu";
import type { Spec } from "../fixtures/bundle.ts";
import { type Fixture, withFixture } from "../fixtures/fixture.ts";
import { TOOLS } from "../paths.ts";
import { cgroups, mounting, needs, root } from "../testing.ts";

const console_ = suite("console socket");
const test = needs(console_, root, mounting, cgroups);

const TIMEOUT_MS = 20_000;

/** console-receiver.c, running. */
class Receiver {
  readonly socket: string;
  output = "";
  private readonly child: ChildProcess;

  constructor(fixture: Fixture) {
    this.socket = fixture.path("console.sock");
    this.child = spawn(join(TOOLS, "console-receiver"), [this.socket], { stdio: ["pipe", "pipe", "inherit"] });
    this.child.stdout?.on("data", (chunk: Buffer) => {
      this.output += chunk.toString();
    });
  }

  type(text: string): void {
    this.child.stdin?.write(text);
  }

  resize(rows: number, columns: number): void {
    this.type(`\x01${rows} ${columns}\n`);
  }

  /** Waits until the output holds the text. */
  async expect(text: string | RegExp): Promise<void> {
    const deadline = Date.now() + TIMEOUT_MS;
    while (typeof text === "string" ? !this.output.includes(text) : !text.test(this.output)) {
      if (Date.now() > deadline) throw new Error(`waited in vain for ${text}, got ${JSON.stringify(this.output)}`);
      await sleep(10);
    }
  }

  async ended(): Promise<void> {
    if (this.child.exitCode === null) await new Promise((resolve) => this.child.once("exit", resolve));
  }

  stop(): void {
    this.child.kill("SIGKILL");
  }
}

async function withReceiver(body: (fixture: Fixture, receiver: Receiver) => Promise<void>): Promise<void> {
  await withFixture(async (fixture) => {
    const receiver = new Receiver(fixture);
    try {
      await receiver.expect("listening\n");
      await body(fixture, receiver);
    } finally {
      receiver.stop();
    }
  });
}

const terminal = (spec: Spec) => {
  spec.process.terminal = true;
};

test("create sends the terminal, and the container is on its other side", () =>
  withReceiver(async (fixture, receiver) => {
    const bundle = fixture.shell("tty; read line; echo got $line; exit 0", terminal);
    const id = fixture.create(bundle, "--console-socket", receiver.socket);
    await receiver.expect(/received [1-9]\d* \S+\n/);
    fixture.succeed("start", id);
    await receiver.expect("/dev/pts/0\r\n");
    receiver.type("hello\n");
    await receiver.expect("got hello\r\n");
    await receiver.ended();
    fixture.waitForStatus(id, "stopped");
    fixture.succeed("delete", id);
    fixture.assertNothingLeft();
  }));

test("run --detach sends the terminal", () =>
  withReceiver(async (fixture, receiver) => {
    const args = ["run", "--detach", "--console-socket", receiver.socket];
    fixture.succeed(...args, "--bundle", fixture.shell("echo started; read line", terminal).path, fixture.id());
    await receiver.expect("started\r\n");
  }));

test("the terminal controls the container: Ctrl-C interrupts, /dev/console and /dev/tty are it", () =>
  withReceiver(async (fixture, receiver) => {
    const script =
      "trap 'echo interrupted' INT; echo on-console > /dev/console; echo on-tty > /dev/tty; echo ready; read line; read line";
    fixture.launch(fixture.shell(script, terminal), "--console-socket", receiver.socket);
    await receiver.expect("on-console\r\n");
    await receiver.expect("on-tty\r\n");
    await receiver.expect("ready\r\n");
    receiver.type("\x03");
    await receiver.expect("interrupted\r\n");
  }));

test("consoleSize is the size at the start, and a new size reaches the container", () =>
  withReceiver(async (fixture, receiver) => {
    const script = "trap 'stty size' WINCH; stty size; echo ready; while :; do sleep 0.05; done";
    const bundle = fixture.shell(script, (spec) => {
      terminal(spec);
      spec.process.consoleSize = { height: 31, width: 101 };
    });
    fixture.launch(bundle, "--console-socket", receiver.socket);
    await receiver.expect("31 101\r\n");
    await receiver.expect("ready\r\n");
    receiver.resize(40, 120);
    await receiver.expect("40 120\r\n");
  }));

test("stdin, stdout and stderr are the terminal, owned by the container's user", () =>
  withReceiver(async (fixture, receiver) => {
    const bundle = fixture.shell("test -t 0 && test -t 1 && test -t 2 && stat -c 'owner %u' /dev/pts/0", (spec) => {
      terminal(spec);
      spec.process.user = { uid: 1000, gid: 1000 };
    });
    fixture.launch(bundle, "--console-socket", receiver.socket);
    await receiver.expect("owner 1000\r\n");
  }));

test("a terminal without a socket is refused by create", () =>
  withFixture((fixture) => {
    const args = ["create", "--bundle", fixture.shell("true", terminal).path, fixture.id()];
    fixture.fail(/cannot allocate tty if \w+ will detach without setting console socket/, args);
    fixture.assertNothingLeft();
  }));

test("a socket without a terminal is refused", () =>
  withReceiver(async (fixture, receiver) => {
    const args = ["create", "--bundle", fixture.sleeper().path, "--console-socket", receiver.socket, fixture.id()];
    fixture.fail(/console.?socket/, args);
    fixture.assertNothingLeft();
  }));

test("a socket where nobody listens is refused, and undoes the create", () =>
  withFixture((fixture) => {
    const args = ["create", "--bundle", fixture.shell("true", terminal).path];
    fixture.fail(/no such file or directory/, [...args, "--console-socket", fixture.path("nobody"), fixture.id()]);
    fixture.assertNothingLeft();
  }));

console_.run();
