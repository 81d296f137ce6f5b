/**
 * Eight programs of Debian do a real task in environments that were generated for them, and in the full root: both say the same. How large each
 * environment is, which is only worth something then, is printed.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { withFixture } from "../fixtures/fixture.ts";
import { BUILD, TOP } from "../paths.ts";
import { cgroups, mounting, need, needs, program, root } from "../testing.ts";
import { environment, fullRoot } from "./place.ts";
import { makeWorld, TASKS } from "./tasks.ts";

const programs = suite("programs in their environments");
const DEBIAN = join(BUILD, "debian");
const test = needs(
  programs,
  root,
  mounting,
  cgroups,
  program("openssl"),
  need("make debian", existsSync(join(DEBIAN, ".complete"))),
);

const REG_ENV = join(TOP, "dist/runtime/reg-env/main.js");

interface Volume {
  readonly files: number;
  readonly bytes: number;
}

/** Each inode once. */
function volumeOf(folder: string, seen = new Set<number>()): Volume {
  let files = 0;
  let bytes = 0;
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const stats = lstatSync(path);
    if (stats.isDirectory()) {
      const below = volumeOf(path, seen);
      files += below.files;
      bytes += below.bytes;
    } else if (stats.isFile() && !seen.has(stats.ino)) {
      seen.add(stats.ino);
      files += 1;
      bytes += stats.size;
    }
  }
  return { files, bytes };
}

const show = ({ files, bytes }: Volume) => `${files} files, ${(bytes / 1e6).toFixed(1)} MB`;

for (const task of TASKS)
  test(`${task.program} does the same as in the full root`, () =>
    withFixture(async (fixture) => {
      const folder = fixture.path("task");
      mkdirSync(folder);
      chmodSync(folder, 0o755);
      const store = fixture.path("store");
      const name = `${task.program}@1`;
      const generate = spawnSync(
        process.execPath,
        [REG_ENV, "generate", name, "--store", store, "--root", DEBIAN, "--program", task.program, ...task.generate],
        {
          encoding: "utf8",
        },
      );
      assert.is(generate.status, 0, generate.stderr);
      const tree = join(store, "default/environments", name, "tree");
      const volume = volumeOf(tree);
      const world = await makeWorld(folder);
      try {
        const full = await task.run(fullRoot(fixture, DEBIAN, folder), world);
        const own = await task.run(environment(fixture, store, name, folder), world);
        assert.is(own, full);
        assert.not.match(full, /^status \d/);
        const whole = volumeOf(DEBIAN);
        console.log(`${task.program}: ${show(volume)}; the full root: ${show(whole)}`);
        assert.ok(volume.files < whole.files / 5 && volume.bytes < whole.bytes / 3);
      } finally {
        world.close();
      }
    }));

programs.run();
