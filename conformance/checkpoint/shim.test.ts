/** Checkpoint and Create from one, by containerd's shim: as containerd, and Docker through it, ask for them. */
import { execFileSync } from "node:child_process";
import { createReadStream, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { encode } from "../../runtime/linux/protobuf.ts";
import { CHECKPOINT_OPTIONS } from "../../runtime/shim/proto/options.ts";
import { type ShimFixture, sleep, withShim } from "../fixtures/shim-fixture.ts";
import { cgroups, mounting, needs, root } from "../testing.ts";
import { CRIU, criu } from "./criu.ts";

const checkpoints = suite("shim: checkpoint");
const test = needs(checkpoints, root, mounting, cgroups, criu);

// The shim finds CRIU as containerd would have it: by $PATH.
process.env.PATH = `${dirname(CRIU ?? "/")}:${process.env.PATH}`;

function fifo(shim: ShimFixture, name: string): string {
  const path = shim.fixture.path(name);
  execFileSync("mkfifo", ["-m", "700", path]);
  return path;
}

/** Collects what comes out of a fifo, for as long as the test lasts. */
function collect(path: string): { text: string } {
  const collected = { text: "" };
  createReadStream(path).on("data", (part) => {
    collected.text += String(part);
  });
  return collected;
}

async function until(what: string, ask: () => boolean): Promise<void> {
  for (let waited = 0; waited < 20_000; waited += 20) {
    if (ask()) return;
    await sleep(20);
  }
  throw new Error(`waited in vain: ${what}`);
}

const options = (given: Parameters<typeof encode<typeof CHECKPOINT_OPTIONS>>[1]) => ({
  typeUrl: "containerd.runc.v1.CheckpointOptions",
  value: encode(CHECKPOINT_OPTIONS, given),
});

const COUNT = "i=0; while :; do i=$((i+1)); echo $i; sleep 0.02; done";

const writable: Parameters<ShimFixture["bundle"]>[1] = (spec) => {
  spec.root.readonly = false;
};

test("a container goes on in another, with streams of its own", () =>
  withShim(async (shim) => {
    const bundle = shim.bundle(COUNT, writable);
    const first = collect(fifo(shim, "first"));
    const { id, tasks, started } = await shim.create(bundle, { stdout: shim.fixture.path("first") });
    await tasks.call("Start", { id });
    await until("it counts", () => first.text.includes("\n5\n"));
    const images = shim.fixture.path("images");
    const waited = tasks.call("Wait", { id });
    await tasks.call("Checkpoint", { id, path: images, options: options({ exit: true }) });
    assert.is((await waited).exitStatus, 137);
    await shim.event("/tasks/checkpointed");
    await tasks.call("Delete", { id });
    const last = Number(first.text.trimEnd().split("\n").at(-1));

    const second = collect(fifo(shim, "second"));
    const from = { checkpoint: images, stdout: shim.fixture.path("second") };
    const created = await tasks.call("Create", { id, bundle: bundle.path, options: shim.options(), ...from });
    assert.is(created.pid, 0, "its process is made by Start");
    assert.is((await tasks.call("State", { id })).status, 1);
    const { pid } = await tasks.call("Start", { id });
    assert.ok(pid > 0);
    await until("it goes on", () => second.text.split("\n").length > 5);
    const [next] = second.text.split("\n").map(Number);
    assert.ok(next === last || next === last + 1, `it was at ${last}, and goes on with ${next}`);
    const { status, pid: told } = await tasks.call("State", { id });
    assert.equal([status, told], [2, pid]);
    await tasks.call("Pause", { id });
    await tasks.call("Resume", { id });
    await shim.finish(id, tasks, started);
  }));

test("without options it goes on running; what CRIU refuses is told, and changes nothing", () =>
  withShim(async (shim) => {
    const bundle = shim.bundle(COUNT, writable);
    const output = collect(fifo(shim, "out"));
    const { id, tasks, started } = await shim.create(bundle, { stdout: shim.fixture.path("out") });
    const images = shim.fixture.path("images");
    const refused = async (request: { path: string }, words: RegExp) => {
      try {
        await tasks.call("Checkpoint", { id, ...request });
      } catch (error) {
        return assert.match(String(error), words);
      }
      throw new Error("it was not refused");
    };
    await refused({ path: images }, /cannot checkpoint a container that is not running/);
    await tasks.call("Start", { id });
    await until("it counts", () => output.text.includes("\n5\n"));
    await refused({ path: "" }, /no path is given/);
    await refused({ path: "/proc/nowhere/images" }, /OCI runtime checkpoint failed: --image-path: .*no such file/);
    await tasks.call("Checkpoint", { id, path: images });
    assert.ok(readFileSync(join(images, "inventory.img")).length > 0);
    const length = output.text.length;
    await until("it goes on", () => output.text.length > length + 10);
    await shim.finish(id, tasks, started);
  }));

test("a task from a checkpoint that is never started, or cannot be restored, is deleted as any other", () =>
  withShim(async (shim) => {
    const bundle = shim.bundle(COUNT, writable);
    const images = shim.fixture.path("images");
    mkdirSync(images);
    const { id, tasks, started } = await shim.create(bundle, { checkpoint: images });
    let said = "";
    await tasks.call("Start", { id }).catch((error) => {
      said = String(error);
    });
    assert.match(said, /OCI runtime start failed: the checkpoint has no file descriptors.json/);
    assert.is((await tasks.call("Delete", { id })).exitStatus, 137);
    await tasks.call("Shutdown", { id });
    await tasks.client.closed;
    assert.ok(started.socket.length > 0);
    shim.assertNothingLeft();
  }));

checkpoints.run();
