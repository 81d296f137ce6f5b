/**
 * Annotations `org.reg.*`: engines copy them from images and pods, so that what they ask for is a stranger's wish. Without the
 * host's leave they reach nothing of the host; with it, nothing outside the bundle.
 */
import { chmodSync, chownSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Bundle, Spec } from "../fixtures/bundle.ts";
import { type Fixture, type Result, withFixture } from "../fixtures/fixture.ts";
import { ENVIRONMENT, makeStore } from "../reg/store.ts";
import { cgroups, mounting, needs, root } from "../testing.ts";

const annotations = suite("attacks: annotations");
const test = needs(annotations, root, mounting, cgroups);

function annotated(fixture: Fixture, script: string, more: Record<string, string>): Bundle {
  return fixture.shell(script, (spec: Spec) => {
    spec.annotations = { "org.reg.environments": ENVIRONMENT, ...more };
    spec.root.path = "";
    delete spec.root.readonly;
  });
}

/** Runs with a host that allows this; undefined: that has no configuration of its own. */
function run(fixture: Fixture, bundle: Bundle, leave: object | undefined): Result {
  const options =
    leave === undefined ? [] : ["--host-config", fixture.write("reg.json", JSON.stringify({ annotations: leave }))];
  return fixture.reg(...options, "run", "--bundle", bundle.path, fixture.id());
}

function refuses(fixture: Fixture, { status, stderr }: Result, words: string): void {
  assert.is(status, 1, stderr);
  assert.match(stderr, words);
  fixture.assertNothingLeft();
}

const FORBIDDEN: [annotation: string, value: (fixture: Fixture) => string][] = [
  ["workdir", () => "/:/host"],
  ["workdir", () => ".:/src"],
  ["store", (fixture) => makeStore(fixture).path],
  ["writable", (fixture) => `directory:${fixture.path("writes")}`],
  ["domain", () => "tenant-b"],
];
for (const [name, value] of FORBIDDEN)
  test(`org.reg.${name} (${value.toString().slice(value.length > 0 ? 13 : 6)}) needs the host's leave`, () =>
    withFixture((fixture) => {
      const bundle = annotated(fixture, "true", { [`org.reg.${name}`]: value(fixture) });
      refuses(
        fixture,
        run(fixture, bundle, {}),
        `/annotations/org.reg.${name}: expected what /etc/reg/reg.json allows`,
      );
      assert.not(existsSync(fixture.path("writes")));
    }));

/** A bundle whose links lead out of it, as an image or a volume in it may have them. */
function withLinks(fixture: Fixture, more: Record<string, string>): { bundle: Bundle; leave: object; outside: string } {
  const store = makeStore(fixture);
  const outside = fixture.path("outside");
  mkdirSync(outside);
  writeFileSync(join(outside, "secret"), "of the host\n");
  const bundle = annotated(fixture, "cat /src/secret; touch /new", { "org.reg.store": store.path, ...more });
  symlinkSync(outside, join(bundle.path, "absolute"));
  symlinkSync("../outside", join(bundle.path, "relative"));
  return { bundle, leave: { stores: [store.path], workdir: true, writableDirectory: true }, outside };
}

for (const link of ["absolute", "relative"]) {
  test(`a work directory is inside the bundle, whatever an ${link} link says`, () =>
    withFixture((fixture) => {
      const { bundle, leave } = withLinks(fixture, { "org.reg.workdir": `${link}:/src` });
      const { status, stdout } = run(fixture, bundle, leave);
      assert.is.not(status, 0);
      assert.is(stdout, "");
      fixture.assertNothingLeft();
    }));

  test(`so is the directory for writes, by an ${link} link`, () =>
    withFixture((fixture) => {
      const { bundle, leave, outside } = withLinks(fixture, { "org.reg.writable": `directory:${link}/deep` });
      run(fixture, bundle, leave);
      assert.not(existsSync(join(outside, "deep")), "nothing is made outside of the bundle");
    }));
}

test("the leave of the host comes from a file that root alone can write", () =>
  withFixture((fixture) => {
    const { bundle, leave } = withLinks(fixture, {});
    const file = fixture.write("reg.json", JSON.stringify({ annotations: leave }));
    const call = () => fixture.reg("--host-config", file, "run", "--bundle", bundle.path, fixture.id());
    chmodSync(file, 0o666);
    refuses(fixture, call(), "is not believed");
    chmodSync(file, 0o644);
    chownSync(file, 12345, 12345);
    refuses(fixture, call(), "is not believed");
    writeFileSync(file, '{ "annotations": { "store": [] } }');
    chownSync(file, 0, 0);
    refuses(fixture, call(), 'did you mean "stores"?');
  }));

annotations.run();
