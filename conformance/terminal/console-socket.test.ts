/** A terminal handed over by --console-socket, to a real receiver. Source: the protocol that containerd and conmon speak. */
import { suite } from "uvu";
import type { Spec } from "../fixtures/bundle.ts";
import { withFixture } from "../fixtures/fixture.ts";
import { withReceiver } from "../fixtures/receiver.ts";
import { cgroups, mounting, needs, root } from "../testing.ts";

const console_ = suite("console socket");
const test = needs(console_, root, mounting, cgroups);

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
