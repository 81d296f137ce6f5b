/** The library's example does what it says. It runs on Node, with the native binary as the containers' init. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { REG, TOP } from "./paths.ts";
import { cgroups, mounting, needs, root } from "./testing.ts";

const library = suite("library");
const test = needs(library, root, mounting, cgroups);

test("the example runs", () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(TOP, "dist/conformance/library-example.js")], {
    encoding: "utf8",
    timeout: 60_000,
    env: { ...process.env, REG_NATIVE: REG },
  });
  assert.is(stderr, "");
  assert.is(status, 0);
  assert.equal(stdout.trimEnd().split("\n"), [
    "mounts: /proc /dev /dev/pts /dev/shm /dev/mqueue /sys /sys/fs/cgroup",
    "after create: created",
    "after start: running",
    "exec: { code: 3 }",
    "processes: 1",
    "limit of processes: 17",
    "after pause: paused",
    "after resume: running",
    "events until its end: true",
    "after remove: 0 containers",
    "run: { code: 7 }",
    'error: ENOENT container "example" does not exist',
    "faults: /process/cwd /process/args /root",
  ]);
});

library.run();
