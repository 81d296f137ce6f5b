/** Numbers that mean something else to the kernel than they say: 2^32 - 1 as an id is "leave it as it is", and so root. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Spec } from "../fixtures/bundle.ts";
import { withFixture } from "../fixtures/fixture.ts";
import { cgroups, mounting, needs, root } from "../testing.ts";

const numbers = suite("attacks: numbers");
const test = needs(numbers, root, mounting, cgroups);

const NONE = 4294967295;
const mappings = (more: object) => [{ containerID: 0, hostID: 100000, size: 1, ...more }];

function inUserNamespace(spec: Spec, uid: object, gid: object): void {
  spec.linux.namespaces.push({ type: "user" });
  spec.linux.uidMappings = mappings(uid);
  spec.linux.gidMappings = mappings(gid);
}

const REFUSED: [field: string, change: (spec: Spec) => void][] = [
  ["/process/user/uid", (spec) => Object.assign(spec.process, { user: { uid: NONE, gid: 0 } })],
  ["/process/user/gid", (spec) => Object.assign(spec.process, { user: { uid: 0, gid: NONE } })],
  [
    "/process/user/additionalGids/1",
    (spec) => Object.assign(spec.process, { user: { uid: 0, gid: 0, additionalGids: [1, NONE] } }),
  ],
  ["/linux/uidMappings/0/hostID", (spec) => inUserNamespace(spec, { hostID: NONE }, {})],
  ["/linux/gidMappings/0/containerID", (spec) => inUserNamespace(spec, {}, { containerID: NONE })],
  ["/linux/devices/0/uid", (spec) => device(spec, { uid: NONE })],
  ["/linux/devices/0/gid", (spec) => device(spec, { gid: NONE })],
  ["/linux/devices/0/major", (spec) => device(spec, { major: 4097 })],
  ["/linux/devices/0/minor", (spec) => device(spec, { minor: 2 ** 20 + 3 })],
];

function device(spec: Spec, more: object): void {
  spec.linux.devices = [{ path: "/dev/x", type: "c", major: 1, minor: 3, ...more }];
}

for (const [field, change] of REFUSED)
  test(`refuses ${field} out of its domain`, () =>
    withFixture((fixture) => {
      const bundle = fixture.bundle(["/bin/true"], change);
      fixture.fail(`${field}: expected`, ["run", "--bundle", bundle.path, fixture.id()]);
      fixture.assertNothingLeft();
    }));

test("refuses such a user for exec, by option and by file", () =>
  withFixture((fixture) => {
    const id = fixture.launch(fixture.sleeper());
    fixture.fail("--user", ["exec", "--user", String(NONE), id, "id"], 255);
    fixture.fail("--user", ["exec", "--user", `1:${NONE}`, id, "id"], 255);
    for (const user of [
      { uid: NONE, gid: 1 },
      { uid: 1, gid: NONE },
    ]) {
      const file = fixture.write("process.json", JSON.stringify({ cwd: "/", args: ["/bin/id"], user }));
      fixture.fail("/user/", ["exec", "--process", file, id], 255);
    }
  }));

test("takes the largest id that there is", () =>
  withFixture((fixture) => {
    const bundle = fixture.shell("id -u; id -g", (spec) =>
      Object.assign(spec.process, { user: { uid: NONE - 1, gid: NONE - 1 } }),
    );
    assert.is(fixture.succeed("run", "--bundle", bundle.path, fixture.id()), `${NONE - 1}\n${NONE - 1}\n`);
  }));

numbers.run();
