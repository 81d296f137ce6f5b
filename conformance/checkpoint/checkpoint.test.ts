/** `reg checkpoint` and `reg restore`: a container goes on where it was, and what fails changes nothing. */
import { chmodSync, cpSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Result, waitUntil, withFixture } from "../fixtures/fixture.ts";
import { cgroups, mounting, needs, root } from "../testing.ts";
import {
  assertCounts,
  checkpoint,
  checkpointed,
  count,
  counter,
  criu,
  imageDirectory,
  launchCounter,
  ok,
  restore,
  withCriu,
} from "./criu.ts";

/** "" while there is none. */
function readText(path: string): string {
  return existsSync(path) ? readFileSync(path, "utf8").trim() : "";
}

const checkpoints = suite("checkpoint and restore");
const test = needs(checkpoints, root, mounting, cgroups, criu);

test("a counter goes on where it was saved, again and again", () =>
  withFixture((fixture) => {
    const bundle = counter(fixture);
    const id = launchCounter(fixture, bundle);
    for (const round of [1, 2]) {
      const images = imageDirectory(fixture, `images-${round}`);
      ok(checkpoint(fixture, id, images));
      fixture.fail("does not exist", ["state", id]);
      const saved = count(bundle);
      // One that began anew would show a smaller number.
      ok(restore(fixture, id, bundle, images));
      assertCounts(bundle, saved);
    }
    const { pid, status } = fixture.state(id);
    assert.is(status, "running");
    assert.is(fixture.succeed("exec", id, "/bin/cat", "/proc/1/comm"), "sh\n");
    assert.match(fixture.succeed("ps", id), new RegExp(`\\b${pid}\\b`));
    fixture.succeed("pause", id);
    assert.is(fixture.state(id).status, "paused");
    fixture.succeed("resume", id);
    fixture.succeed("kill", id, "KILL");
    fixture.waitForStatus(id, "stopped");
    fixture.succeed("delete", id);
    fixture.assertNothingLeft();
  }));

test("it is restored under another name, from another root filesystem", () =>
  withFixture((fixture) => {
    const bundle = counter(fixture);
    const id = launchCounter(fixture, bundle);
    const images = imageDirectory(fixture, "images");
    ok(checkpoint(fixture, id, images));
    const saved = count(bundle);
    const other = counter(fixture);
    // What the container wrote to its root is not in the checkpoint, but a file that is open just then is looked for by its name and size.
    cpSync(join(bundle.rootfs, "tmp"), join(other.rootfs, "tmp"), { recursive: true });
    const name = fixture.id();
    ok(restore(fixture, name, other, images));
    assertCounts(other, saved);
    fixture.succeed("delete", "--force", name);
    fixture.assertNothingLeft();
  }));

test("--leave-running lets it go on, and it can be restored all the same", () =>
  withFixture((fixture) => {
    // It writes only when it is asked to: of a file that is open in the checkpoint CRIU wants to find the name and the size as they were, and the
    // container that goes on would change them.
    const answer = "[ ! -e /tmp/ask ] || { echo $i > /tmp/new; mv /tmp/new /tmp/count; rm /tmp/ask; }";
    const bundle = fixture.shell(`i=0; while :; do ${answer}; i=$((i+1)); sleep 0.02; done`, (spec) => {
      spec.root.readonly = false;
    });
    const id = fixture.launch(bundle);
    const ask = join(bundle.rootfs, "tmp/ask");
    const number = () => {
      writeFileSync(ask, "");
      waitUntil("it answers", () => !existsSync(ask));
      return count(bundle);
    };
    const images = imageDirectory(fixture, "images");
    const { pid } = fixture.state(id);
    waitUntil("it counts", () => number() > 2);
    ok(checkpoint(fixture, id, images, "--leave-running"));
    assert.equal([fixture.state(id).status, fixture.state(id).pid], ["running", pid]);
    const first = number();
    const last = waitUntil("it goes on", () => {
      const now = number();
      return now > first + 20 && now;
    });
    fixture.succeed("delete", "--force", id);
    ok(restore(fixture, id, bundle, images));
    const next = number();
    assert.ok(next > 2 && next <= last, `it was at ${last} when it ended, and goes on with ${next}`);
    waitUntil("it goes on after the restore", () => number() > next);
    fixture.succeed("delete", "--force", id);
    fixture.assertNothingLeft();
  }));

test("a process that waits in vfork(2) most of the time is saved in a moment when it does not", () =>
  withFixture((fixture) => {
    const bundle = checkpointed(fixture, ["vfork", "/tmp/count"]);
    const id = fixture.launch(bundle);
    waitUntil("it makes children", () => existsSync(join(bundle.rootfs, "tmp/count")) && count(bundle) > 2);
    for (const before of ["running", "running", "paused"] as const) {
      if (before === "paused") fixture.succeed("pause", id);
      const images = imageDirectory(fixture, `images-${count(bundle)}`);
      ok(checkpoint(fixture, id, images));
      const saved = count(bundle);
      ok(restore(fixture, id, bundle, images));
      assertCounts(bundle, saved);
    }
    fixture.succeed("delete", "--force", id);
    fixture.assertNothingLeft();
  }));

test("in the foreground, restore ends as the container does, which is then gone", () =>
  withFixture((fixture) => {
    const bundle = fixture.shell("while [ ! -e /tmp/end ]; do sleep 0.02; done; exit 7", (spec) => {
      spec.root.readonly = false;
    });
    const id = fixture.launch(bundle);
    const images = imageDirectory(fixture, "images");
    ok(checkpoint(fixture, id, images));
    writeFileSync(join(bundle.rootfs, "tmp/end"), "");
    const where = ["--bundle", bundle.path, "--image-path", images];
    assert.is(fixture.regWith({ timeout: 60_000, env: withCriu.env }, "restore", ...where, id).status, 7);
    fixture.fail("does not exist", ["state", id]);
    fixture.assertNothingLeft();
  }));

test("a checkpoint that CRIU refuses leaves the container as it was, running or paused", () =>
  withFixture((fixture) => {
    const bundle = checkpointed(fixture, ["lock", "/tmp/lock"]);
    const id = fixture.launch(bundle);
    waitUntil("it has the lock", () => existsSync(join(bundle.rootfs, "tmp/lock")));
    const { pid } = fixture.state(id);
    for (const status of ["running", "paused"] as const) {
      if (status === "paused") fixture.succeed("pause", id);
      const images = imageDirectory(fixture, `images-${status}`);
      const { status: failed, stderr } = checkpoint(fixture, id, images);
      assert.is(failed, 1);
      assert.match(
        stderr,
        /CRIU could not save container ".*": .*file-locks.*\nhint: its log is .*images-\w+\/dump.log\n$/,
      );
      assert.equal([fixture.state(id).status, fixture.state(id).pid], [status, pid]);
    }
    fixture.succeed("resume", id);
    const images = imageDirectory(fixture, "images");
    ok(checkpoint(fixture, id, images, "--file-locks"));
    ok(restore(fixture, id, bundle, images, "--file-locks"));
    assert.match(fixture.reg("exec", id, "/bin/checkpointed", "lock", "/tmp/lock").stderr, /temporarily unavailable/);
    fixture.succeed("delete", "--force", id);
    fixture.assertNothingLeft();
  }));

test("a restore that fails leaves nothing", () =>
  withFixture((fixture) => {
    const bundle = counter(fixture);
    const id = launchCounter(fixture, bundle);
    const images = imageDirectory(fixture, "images");
    ok(checkpoint(fixture, id, images));
    const memory = readFileSync(join(images, "mm-1.img"));
    writeFileSync(join(images, "mm-1.img"), memory.subarray(0, 64));
    const failed = restore(fixture, id, bundle, images);
    assert.is(failed.status, 1);
    assert.match(failed.stderr, /CRIU could not restore container ".*": .*\nhint: its log is .*restore.log\n$/);
    fixture.fail("does not exist", ["state", id]);
    fixture.assertNothingLeft();
    writeFileSync(join(images, "mm-1.img"), memory);
    // CRIU would ask for the rest for ever.
    const pages = readFileSync(join(images, "pages-1.img"));
    writeFileSync(join(images, "pages-1.img"), pages.subarray(0, pages.length - 1));
    const short = restore(fixture, id, bundle, images);
    assert.is(short.status, 1);
    assert.match(short.stderr, `pages-1.img was cut off: it has ${pages.length - 1} bytes of ${pages.length}`);
    fixture.assertNothingLeft();
    writeFileSync(join(images, "pages-1.img"), pages);
    // And nothing is in the way of another try.
    ok(restore(fixture, id, bundle, images));
    fixture.succeed("delete", "--force", id);
    fixture.assertNothingLeft();
  }));

test("a process that has ended has no memory, whatever an earlier checkpoint in the same directory had of it", () =>
  withFixture((fixture) => {
    const large = 'x=$(head -c 1000000 /dev/zero | tr "\\0" a); echo $$ > /tmp/pid; sleep 1000; :';
    // Who waits for none of its children.
    const bundle = fixture.shell(`sh -c '${large}' & sleep 1000 & exec sleep 100000`, (spec) => {
      spec.root.readonly = false;
    });
    const id = fixture.launch(bundle);
    const images = imageDirectory(fixture, "images");
    const pid = waitUntil("it is large", () => readText(join(bundle.rootfs, "tmp/pid")) || undefined);
    ok(checkpoint(fixture, id, images));
    ok(restore(fixture, id, bundle, images));
    fixture.succeed("exec", id, "/bin/kill", "-9", pid);
    ok(checkpoint(fixture, id, images));
    ok(restore(fixture, id, bundle, images));
    assert.match(fixture.succeed("exec", id, "/bin/cat", `/proc/${pid}/stat`), "(sh) Z");
    fixture.succeed("delete", "--force", id);
    fixture.assertNothingLeft();
  }));

test("what cannot be saved or restored is said before anything is done", () =>
  withFixture((fixture) => {
    const bundle = counter(fixture);
    const created = fixture.create(bundle);
    const images = imageDirectory(fixture, "images");
    const refused = (result: Result, words: RegExp) => {
      assert.is(result.status, 1);
      assert.match(result.stderr, words);
    };
    refused(checkpoint(fixture, created, images), /cannot be checkpointed in created state/);
    refused(checkpoint(fixture, "nobody", images), /container "nobody" does not exist/);
    fixture.succeed("start", created);
    refused(checkpoint(fixture, created, images, "--parent-path", "/tmp"), /--parent-path \/tmp: it must be relative/);
    refused(checkpoint(fixture, created, images, "--parent-path", "no"), /--parent-path: .*no such file or directory/);
    refused(restore(fixture, fixture.id(), bundle, images), /no file descriptors.json: no such file or directory/);
    refused(restore(fixture, fixture.id(), bundle, `${images}/no`), /--image-path: .*no such file or directory/);
    refused(restore(fixture, created, bundle, images), /no file descriptors.json/);
    const missing = fixture.reg("--criu", "/nowhere/criu", "checkpoint", "--image-path", images, created);
    refused(missing, /^reg: \/nowhere\/criu: executable file not found in \$PATH\nhint: .*install the package criu/);
    // Ends at once, as an old CRIU does on a new kernel.
    const broken = fixture.write("criu", "#!/bin/sh\necho 'Error (criu/vdso.c:381): Unexpected rt vDSO' >&2\nexit 1\n");
    chmodSync(broken, 0o755);
    const useless = fixture.reg("--criu", broken, "checkpoint", "--image-path", images, created);
    refused(useless, /CRIU at .* ended with status 1: Unexpected rt vDSO\nhint: .*criu check says what is missing/);
    // Is killed, and leaves a child that has its end of the conversation.
    const pidFile = fixture.path("pid");
    const killed = fixture.write("killed", `#!/bin/sh\nsleep 1000 &\necho $! > ${pidFile}\nkill -9 $$\n`);
    chmodSync(killed, 0o755);
    try {
      const silent = fixture.reg("--criu", killed, "checkpoint", "--image-path", images, created);
      refused(silent, /CRIU at .* was killed by signal 9\nhint: /);
    } finally {
      process.kill(Number(readFileSync(pidFile, "utf8").trim() || Number.NaN), "SIGKILL"); // throws for no number
    }
    assert.is(fixture.state(created).status, "running");
  }));

checkpoints.run();
