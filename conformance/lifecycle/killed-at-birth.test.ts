/** A process that reg prepares outside a container is killed, by the OOM killer for one, between the birth of its clone inside and its message of that. */
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Spec } from "../fixtures/bundle.ts";
import { type Fixture, waitUntil, withFixture } from "../fixtures/fixture.ts";
import { TOOLS } from "../paths.ts";
import { cgroups, mounting, needs, root } from "../testing.ts";

const tests = suite("killed at birth");
const test = needs(tests, root, mounting, cgroups);

/** What a call of the runtime says then; it is not to wait for ever. */
function killedAtBirth(fixture: Fixture, ...args: string[]) {
  const { status, stderr } = fixture.host(join(TOOLS, "killed-at-birth"), ...fixture.command(...args));
  return { status, message: stderr.split("\n")[0] };
}

test("exec says so, and nothing of it stays in the container", () =>
  withFixture((fixture) => {
    const id = fixture.launch(fixture.sleeper());
    assert.equal(killedAtBirth(fixture, "exec", id, "true"), {
      status: 255,
      message: "reg: the process was killed by signal 9 before it was ready",
    });
    waitUntil("the clone has ended", () => JSON.parse(fixture.succeed("ps", "--format", "json", id)).length === 1);
    assert.is(fixture.succeed("exec", id, "echo", "on"), "on\n");
    fixture.succeed("delete", "--force", id);
    fixture.assertNothingLeft();
  }));

const inUserNamespace = (spec: Spec) => {
  spec.linux.namespaces.push({ type: "user" });
  spec.linux.uidMappings = spec.linux.gidMappings = [{ containerID: 0, hostID: 100_000, size: 65_536 }];
};

/** Both begin with a process outside, see init/spawn.ts. */
for (const [where, change] of [
  ["in a user namespace", () => inUserNamespace],
  [
    "in another's pid namespace",
    (pid: number) => (spec: Spec) => {
      const others = spec.linux.namespaces.filter(({ type }) => type !== "pid");
      spec.linux.namespaces = [...others, { type: "pid", path: `/proc/${pid}/ns/pid` }];
    },
  ],
] as const)
  test(`create ${where} says so, and leaves nothing`, () =>
    withFixture((fixture) => {
      const other = fixture.launch(fixture.sleeper());
      const { path } = fixture.sleeper(change(fixture.state(other).pid));
      const id = fixture.id();
      assert.equal(killedAtBirth(fixture, "create", "--bundle", path, id), {
        status: 1,
        message: "reg: container init was killed by signal 9 before it was ready",
      });
      fixture.fail("does not exist", ["state", id]);
      fixture.succeed("delete", "--force", other);
      waitUntil("nothing is left", () => fixture.leftovers().length === 0);
    }));

tests.run();
