/** The library's functions: on Node, the native binary is what becomes CRIU. */

import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { checkpoint, remove, restore, state } from "../../runtime/index.ts";
import type { Bundle } from "../fixtures/bundle.ts";
import { type Fixture, waitUntil, withFixture } from "../fixtures/fixture.ts";
import { cgroups, mounting, needs, root } from "../testing.ts";
import { assertCounts, CRIU, checkpointed, count, counter, criu, imageDirectory } from "./criu.ts";

const library = suite("checkpoint: library");
const test = needs(library, root, mounting, cgroups, criu);

const options = { criu: CRIU ?? "criu", tcpEstablished: true };

/** With a standard output that leads nowhere: Node's own is a socket, of which CRIU knows nothing. */
function launch(fixture: Fixture, bundle: Bundle): string {
  const id = fixture.id();
  const command = fixture.command("run", "--detach", "--bundle", bundle.path, id).join(" ");
  fixture.host("sh", "-c", `${command} >/dev/null 2>&1`);
  return id;
}

test("a Node program saves a container and lets it go on", () =>
  withFixture((fixture) => {
    const bundle = counter(fixture);
    const id = launch(fixture, bundle);
    waitUntil("it counts", () => existsSync(join(bundle.rootfs, "tmp/count")) && count(bundle) > 2);
    const imagePath = imageDirectory(fixture, "images");
    const where = { root: fixture.root };
    checkpoint(id, { ...where, ...options, imagePath });
    assert.throws(() => state(id, where), /does not exist/);
    const saved = count(bundle);
    assert.is(restore({ ...where, ...options, id, bundle: bundle.path, imagePath, detach: true }), undefined);
    assertCounts(bundle, saved);
    assert.is(state(id, where).status, "running");
    remove(id, { ...where, force: true });
    fixture.assertNothingLeft();
  }));

test("connections over the loopback interface of its own network go on", () =>
  withFixture((fixture) => {
    const bundle = checkpointed(fixture, ["both", "80", "/tmp/answers"]);
    const answers = join(bundle.rootfs, "tmp/answers");
    const lines = () => (existsSync(answers) ? readFileSync(answers, "utf8").split("\n").length : 0);
    const id = launch(fixture, bundle);
    waitUntil("they talk", () => lines() > 3);
    const imagePath = imageDirectory(fixture, "images");
    checkpoint(id, { root: fixture.root, ...options, imagePath });
    const before = lines();
    restore({ root: fixture.root, ...options, id, bundle: bundle.path, imagePath, detach: true });
    waitUntil("they go on", () => lines() > before + 3);
    remove(id, { root: fixture.root, force: true });
  }));

test("what fails is told with the place of CRIU's log", () =>
  withFixture((fixture) => {
    const bundle = counter(fixture);
    const imagePath = imageDirectory(fixture, "images");
    const id = fixture.id();
    const made = { root: fixture.root, ...options, id, bundle: bundle.path, imagePath, detach: true };
    assert.throws(() => restore(made), /the checkpoint has no file descriptors.json/);
    assert.throws(
      () => restore({ ...made, criu: join(dirname(imagePath), "no") }),
      /executable file not found in \$PATH/,
    );
    fixture.assertNothingLeft();
  }));

library.run();
