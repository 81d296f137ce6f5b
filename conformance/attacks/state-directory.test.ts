/**
 * The directory of containers' state says what is killed, removed and run as a hook: whoever else could have written it is not
 * believed. And what stands there may be damaged: it neither hides other containers nor stays for ever.
 */
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Fixture, withFixture } from "../fixtures/fixture.ts";
import { cgroups, mounting, needs, root } from "../testing.ts";

const directory = suite("attacks: state directory");
const test = needs(directory, root, mounting, cgroups);

const STRANGER = 12345;

/** A container's state whose poststop hook leaves a mark, as somebody could have written it. */
function forge(fixture: Fixture, parent: string, id: string): { path: string; mark: string } {
  const mark = fixture.path("hook-ran");
  const path = join(parent, id);
  mkdirSync(path, { recursive: true, mode: 0o711 });
  const state = {
    ociVersion: "1.2.0",
    id,
    bundle: "/",
    rootfs: "/",
    created: "2026-01-01T00:00:00Z",
    annotations: {},
    ownerUid: 0,
    cgroup: { driver: "cgroupfs", version: 1, paths: {} },
    hooks: { poststop: [{ path: "/bin/touch", args: ["touch", mark] }] },
  };
  writeFileSync(join(path, "state.json"), JSON.stringify(state));
  return { path, mark };
}

const FORGED: [what: string, make: (fixture: Fixture, path: string) => void, words: string][] = [
  ["belongs to somebody else", (_, path) => chownSync(path, STRANGER, STRANGER), "it belongs to user 12345"],
  ["can be written by others", (_, path) => chmodSync(path, 0o777), "others can write to it"],
  ["lies in a root of somebody else", ({ root }) => chownSync(root, STRANGER, STRANGER), "it belongs to user 12345"],
  ["lies in a root that others can write", ({ root }) => chmodSync(root, 0o777), "others can write to it"],
  [
    "is a symlink",
    (fixture, path) => {
      renameSync(path, fixture.path("elsewhere"));
      symlinkSync(fixture.path("elsewhere"), path);
    },
    "does not exist",
  ],
];
for (const [what, make, words] of FORGED)
  test(`does not believe a container whose directory ${what}`, () =>
    withFixture((fixture) => {
      const id = fixture.id();
      const { path, mark } = forge(fixture, fixture.root, id);
      make(fixture, path);
      for (const args of [
        ["state", id],
        ["delete", id],
        ["kill", id],
        ["exec", id, "true"],
      ])
        fixture.fail(words, args, args[0] === "exec" ? 255 : 1);
      fixture.reg("delete", "--force", id);
      assert.not(existsSync(mark), "the hook of a stranger");
      chownSync(fixture.root, 0, 0);
    }));

test("follows a root that is a symlink of root's, and of no other", () =>
  withFixture((fixture) => {
    const id = fixture.id();
    const real = fixture.path("real");
    forge(fixture, real, id);
    symlinkSync(real, fixture.root);
    assert.is(fixture.state(id).id, id);
    fixture.host("chown", "-h", String(STRANGER), fixture.root);
    fixture.fail("it belongs to user 12345", ["state", id]);
    fixture.fail("it belongs to user 12345", ["list"]);
    fixture.host("chown", "-h", "0", fixture.root);
  }));

test("creates nothing in a root of somebody else", () =>
  withFixture((fixture) => {
    const bundle = fixture.bundle(["/bin/true"]);
    mkdirSync(fixture.root);
    chownSync(fixture.root, STRANGER, STRANGER);
    fixture.fail("it belongs to user 12345", ["create", "--bundle", bundle.path, fixture.id()]);
    fixture.assertNothingLeft();
  }));

test("lists the containers beside one of somebody else", () =>
  withFixture((fixture) => {
    const [mine, other] = [fixture.id(), fixture.id()];
    forge(fixture, fixture.root, mine);
    chownSync(forge(fixture, fixture.root, other).path, STRANGER, STRANGER);
    const { status, stdout, stderr } = fixture.reg("list", "--quiet");
    assert.is(status, 0, stderr);
    assert.is(stdout, `${mine}\n`);
    assert.match(stderr, "is not believed");
    chownSync(join(fixture.root, other), 0, 0);
  }));

const OTHER = {
  ociVersion: "1.2.0",
  id: "another",
  bundle: "/",
  rootfs: "/",
  created: "",
  annotations: {},
  ownerUid: 0,
  cgroup: { driver: "cgroupfs", version: 1, paths: {} },
  hooks: {},
};
const DAMAGED = [JSON.stringify(OTHER), "null", "{}", "[]", "7", '"text"', "", '{"id":', '{"cgroup":null}', "\u0000"];
for (const text of DAMAGED)
  test(`a state.json that holds ${JSON.stringify(text)} hides no other container, and can be deleted`, () =>
    withFixture((fixture) => {
      const other = fixture.launch(fixture.sleeper());
      const id = fixture.launch(fixture.sleeper());
      const state = join(fixture.root, id, "state.json");
      cpSync(state, fixture.path("state.json"));
      writeFileSync(state, text);
      const { status, stdout, stderr } = fixture.reg("list", "--quiet");
      assert.is(status, 0, stderr);
      assert.is(stdout, `${other}\n`);
      for (const args of [
        ["state", id],
        ["kill", id, "KILL"],
        ["delete", id],
        ["exec", id, "true"],
      ])
        fixture.fail("missing or damaged", args, args[0] === "exec" ? 255 : 1);
      const { pid } = JSON.parse(readFileSync(fixture.path("state.json"), "utf8"));
      const gone = fixture.reg("delete", "--force", id);
      assert.is(gone.status, 0, gone.stderr);
      assert.not(existsSync(join(fixture.root, id)));
      assert.not(existsSync(`/proc/${pid}/root/bin/busybox`), "its process is gone with its cgroup");
      fixture.succeed("delete", "--force", other);
      fixture.assertNothingLeft();
    }));

test("says that a container's config.json is damaged", () =>
  withFixture((fixture) => {
    const id = fixture.launch(fixture.sleeper());
    for (const text of ["null", "", "7"]) {
      writeFileSync(join(fixture.root, id, "config.json"), text);
      fixture.fail("config.json is missing or damaged", ["exec", id, "true"], 255);
    }
  }));

directory.run();
