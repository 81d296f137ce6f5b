/** Trees on the real filesystem. The store is written by hand: its layout is what the tests hold. */
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { needs, root } from "../../conformance/testing.ts";
import { RegError } from "../errors/errors.ts";
import { close } from "../libc/file.ts";
import { canonicalJson } from "./digest.ts";
import { lockExclusive, lockShared } from "./lock.ts";
import type { Entry } from "./manifest.ts";
import { parseEnvironmentName } from "./name.ts";
import { openTree, treeOf } from "./tree.ts";

const trees = suite("trees");
const test = needs(trees, root);

const top = fs.mkdtempSync(join(tmpdir(), "reg-tree-"));
process.on("exit", () => fs.rmSync(top, { recursive: true, force: true }));
let stores = 0;

const hash = (text: string) => createHash("sha256").update(text).digest("hex");

/** A store without objects. */
function makeStore(): string {
  const store = join(top, `store${stores++}`, "default");
  for (const folder of ["objects", "units", "environments", "trees", "tmp"])
    fs.mkdirSync(join(store, folder), { recursive: true });
  fs.writeFileSync(join(store, "lock"), "");
  return store;
}

function addFile(store: string, path: string, content: string): Entry {
  const object = hash(content);
  fs.mkdirSync(join(store, "objects", object.slice(0, 2)), { recursive: true });
  fs.writeFileSync(join(store, "objects", object.slice(0, 2), object.slice(2)), content, { mode: 0o444 });
  return { type: "file", path, object, content: object, mode: 0o644, sizeBytes: content.length, uid: 0, gid: 0 };
}

function addUnit(store: string, name: string, entries: readonly Entry[]): string {
  const text = canonicalJson({ name, version: "1", entries });
  fs.writeFileSync(join(store, "units", `${hash(text)}.json`), text);
  return hash(text);
}

function addEnvironment(store: string, name: string, units: readonly string[]): void {
  const directory = join(store, "environments", name);
  fs.mkdirSync(directory);
  fs.writeFileSync(join(directory, "units"), `${units.join("\n")}\n`);
  fs.symlinkSync(`../../trees/${hash(units.join("\n"))}`, join(directory, "tree"));
}

const base = (store: string) => addUnit(store, "base", [directory("tmp", 0o1777), addFile(store, "etc/hosts", "")]);
const directory = (path: string, mode: number): Entry => ({ type: "directory", path, mode, uid: 0, gid: 0 });
const inode = (path: string) => fs.lstatSync(path).ino;
const python = parseEnvironmentName("python@3.11");
const nginx = parseEnvironmentName("nginx@1.22");

test("a tree is built of hard links, with owners and modes of directories", () => {
  const store = makeStore();
  const unit = addUnit(store, "python", [
    directory("opt", 0o555),
    { ...directory("opt/mail", 0o2750), gid: 8 },
    addFile(store, "opt/mail/a", "text"),
    { type: "symlink", path: "opt/link", target: "mail/a", uid: 3, gid: 4 },
  ]);
  addEnvironment(store, "python@3.11", [unit, base(store)]);
  const { path } = openTree(store, [python]);
  assert.match(path, /\/default\/trees\/[0-9a-f]{64}$/);
  assert.is(
    inode(join(path, "opt/mail/a")),
    inode(join(store, "objects", hash("text").slice(0, 2), hash("text").slice(2))),
  );
  assert.is(fs.statSync(path).mode & 0o7777, 0o755);
  assert.is(fs.statSync(join(path, "opt")).mode & 0o7777, 0o555);
  assert.is(fs.statSync(join(path, "opt/mail")).mode & 0o7777, 0o2750);
  assert.is(fs.statSync(join(path, "opt/mail")).gid, 8);
  assert.is(fs.statSync(join(path, "tmp")).mode & 0o7777, 0o1777);
  assert.is(fs.readFileSync(join(path, "opt/link"), "utf8"), "text");
  assert.is(fs.lstatSync(join(path, "opt/link")).uid, 3);
  assert.equal(fs.readdirSync(join(store, "tmp")), []);
});

test("a tree that is there is used as it is", () => {
  const store = makeStore();
  addEnvironment(store, "python@3.11", [addUnit(store, "python", [addFile(store, "a", "a")]), base(store)]);
  const { path } = openTree(store, [python]);
  const before = inode(path);
  fs.rmSync(join(store, "units"), { recursive: true });
  assert.is(openTree(store, [python]).path, path);
  assert.is(inode(path), before);
});

test("environments share files, alone and together", () => {
  const store = makeStore();
  const libc = addUnit(store, "libc6", [addFile(store, "lib/libc.so.6", "libc")]);
  addEnvironment(store, "python@3.11", [
    libc,
    addUnit(store, "python", [addFile(store, "bin/python", "p")]),
    base(store),
  ]);
  addEnvironment(store, "nginx@1.22", [libc, addUnit(store, "nginx", [addFile(store, "bin/nginx", "n")]), base(store)]);
  const paths = [[python], [nginx], [python, nginx], [nginx, python]].map((names) => openTree(store, names).path);
  assert.is(new Set(paths).size, 4);
  assert.is(new Set(paths.map((path) => inode(join(path, "lib/libc.so.6")))).size, 1);
  assert.equal(fs.readdirSync(join(paths[2] ?? "", "bin")).sort(), ["nginx", "python"]);
});

test("an unknown environment is named, and what there is", () => {
  const store = makeStore();
  const refuse = (name: string, message: RegExp, hint: RegExp) =>
    assert.throws(
      () => openTree(store, [parseEnvironmentName(name)]),
      (error: unknown) => error instanceof RegError && message.test(error.message) && hint.test(error.hint ?? ""),
    );
  refuse("python@3.11", /environment python@3.11 is not in the store .*, domain default$/, /generate/);
  addEnvironment(store, "python@3.12", [base(store)]);
  addEnvironment(store, "nginx@1.22", [base(store)]);
  refuse("python@3.11", /domain default; installed: python@3.12$/, /did you mean python@3.12\?/);
  refuse("perl@5", /installed: nginx@1.22, python@3.12$/, /reg-env list/);
  assert.throws(() => openTree(store, [python, nginx]), /environment python@3.11 is not in/);
  assert.throws(() => openTree(join(top, "nowhere"), [python]), /is not in the store/);
});

test("a missing object is an error, and leaves nothing", () => {
  const store = makeStore();
  const entry = addFile(store, "a", "a");
  addEnvironment(store, "python@3.11", [addUnit(store, "python", [entry]), base(store)]);
  fs.rmSync(join(store, "objects", hash("a").slice(0, 2)), { recursive: true });
  assert.throws(() => openTree(store, [python]), /object [0-9a-f]{64} of \/a is missing/);
  assert.equal(fs.readdirSync(join(store, "tmp")), []);
  assert.equal(fs.readdirSync(join(store, "trees")), []);
});

test("an object with all the links that its filesystem allows is copied", () => {
  const store = makeStore();
  const entry = addFile(store, "a", "busy");
  const object = join(store, "objects", hash("busy").slice(0, 2), hash("busy").slice(2));
  fs.chownSync(object, 5, 6);
  const many = join(top, "many");
  fs.mkdirSync(many);
  try {
    for (let count = 0; count < 70_000; count++) fs.linkSync(object, join(many, String(count)));
    return console.log("# the filesystem has no such limit"); // xfs, btrfs
  } catch (error) {
    assert.is((error as NodeJS.ErrnoException).code, "EMLINK");
    const { path } = treeOf(store, [addUnit(store, "python", [entry])]);
    const copy = fs.statSync(join(path, "a"));
    assert.is(fs.readFileSync(join(path, "a"), "utf8"), "busy");
    assert.is.not(copy.ino, inode(object));
    assert.equal([copy.uid, copy.gid, copy.mode & 0o7777], [5, 6, 0o444]);
  } finally {
    fs.rmSync(many, { recursive: true });
  }
});

test("gc waits for those who use the store, and they for gc", () => {
  const store = makeStore();
  const first = lockShared(store);
  const second = lockShared(store);
  close(first);
  close(second);
  const exclusive = lockExclusive(store, () => assert.unreachable("nobody holds it"));
  close(exclusive);
  assert.throws(() => lockShared(join(top, "nowhere")), /there is nothing at the store/);
});

trees.run();
