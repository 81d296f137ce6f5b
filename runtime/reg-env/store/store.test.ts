/** What is written into a store, and what verify says when somebody changes it. */
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  closureOf,
  dumpTree,
  faultsOf,
  generate,
  makeRoot,
  makeStore,
  NGINX_PATHS,
  PYTHON_PATHS,
  temporaryDirectory,
} from "../../../conformance/store/fixture.ts";
import { mounting, needs, program, root } from "../../../conformance/testing.ts";
import { RegError } from "../../errors/errors.ts";
import { canonicalJson, digestOf } from "../../reg/digest.ts";
import { objectPath, treePath, unitPath } from "../../reg/layout.ts";
import type { Entry, Unit } from "../../reg/manifest.ts";
import { parseEnvironmentName } from "../../reg/name.ts";
import { openTree, readUnit } from "../../reg/tree.ts";
import { listEnvironments, listObjects, listTrees, listUnits } from "./contents.ts";
import { readManifest, uninstallEnvironment } from "./environment.ts";
import { exportEnvironment, importEnvironment } from "./export.ts";
import { collectGarbage } from "./gc.ts";
import { objectKey } from "./header.ts";
import { enableVerity } from "./protection.ts";
import { repairStore } from "./repair.ts";
import { storeStats } from "./stats.ts";
import type { Store } from "./store.ts";
import { verifyStore } from "./verify.ts";

const stores = suite("store");
const test = needs(stores, root);

const top = temporaryDirectory();
const source = join(top, "root");
makeRoot(source);
fs.mkdirSync(join(top, "root-without-the-files"));
let count = 0;
const newStore = () => makeStore(join(top, `store${count++}`));
const python = parseEnvironmentName("python@3.11");

/** The object of a path, as the store has it. */
function objectOf(store: Store, unitName: string, path: string): string {
  for (const digest of listUnits(store.directory)) {
    const unit = readUnit(store.directory, digest);
    const entry = unit.name === unitName ? unit.entries.find((each) => each.path === path) : undefined;
    if (entry?.type === "file") return objectPath(store.directory, entry.object);
  }
  throw new Error(`no ${path} in ${unitName}`);
}

test("an environment is a tree of hard links with a base", async () => {
  const store = newStore();
  const { tree, newObjects, changed } = await generate(store, "python@3.11", closureOf(source, PYTHON_PATHS));
  assert.ok(changed);
  assert.is(newObjects, 6); // five files, and the empty one of the base
  assert.equal(dumpTree(tree), [
    "dev/ 755",
    "etc/ 755",
    "etc/hostname 444 #1",
    "etc/hosts 444 #1",
    "etc/resolv.conf 444 #1",
    "lib -> usr/lib",
    "proc/ 755",
    "run/ 755",
    "sys/ 755",
    "tmp/ 1777",
    "usr/ 755",
    "usr/bin/ 755",
    "usr/bin/python3.11 555 #2",
    "usr/lib/ 755",
    "usr/lib/ld.so 555 #3",
    "usr/lib/libc.so.6 555 #4",
    "usr/lib/python3.11/ 755",
    "usr/lib/python3.11/__pycache__/ 755",
    "usr/lib/python3.11/__pycache__/os.pyc 444 #5",
    "usr/lib/python3.11/os.py 444 #6",
  ]);
  assert.is(openTree(store.directory, [python]).path, tree);
  assert.is(fs.statSync(store.directory).mode & 0o777, 0o700);
  assert.equal(fs.readdirSync(join(store.directory, "tmp")), []);
  assert.equal(await faultsOf(store), []);
});

test("environments made separately share units and inodes", async () => {
  const store = newStore();
  const first = await generate(store, "python@3.11", closureOf(source, PYTHON_PATHS));
  const second = await generate(store, "nginx@1.22", closureOf(source, NGINX_PATHS));
  assert.is(second.newObjects, 2); // nginx and its log
  const inode = (tree: string) => fs.statSync(join(tree, "usr/lib/libc.so.6")).ino;
  assert.is(inode(first.tree), inode(second.tree));
  const unitsOf = (name: string) => readManifest(store, parseEnvironmentName(name)).units;
  const libc = unitsOf("python@3.11").find((unit) => unit.name === "libc6");
  assert.equal(libc?.version, "2.36-9");
  assert.ok(unitsOf("nginx@1.22").some((unit) => unit.digest === libc?.digest));
  const stats = await storeStats(store);
  assert.equal(
    stats.sharedUnits.map(({ unit }) => unit),
    ["libc6@2.36-9", "base@1"],
  );
  assert.ok(stats.sharing > 0.5 && stats.sharing < 1);
  assert.is(stats.environments[0]?.ownBytes, 20_000); // nginx alone
});

test("owner, mode, setuid bit, attributes and odd directories are kept", async () => {
  const store = newStore();
  const ping = join(source, "usr/bin/ping");
  // CAP_NET_RAW, version 2, effective.
  const capability = "0100000200200000000000000000000000000000";
  execFileSync("python3", [
    "-c",
    `import os; os.setxattr(${JSON.stringify(ping)}, "security.capability", bytes.fromhex("${capability}"))`,
  ]);
  const { tree } = await generate(
    store,
    "tools@1",
    closureOf(source, [...NGINX_PATHS, "/usr/bin/ping", "/etc/hosts", "/etc/same"]),
  );
  const lines = dumpTree(tree);
  assert.ok(lines.includes("var/log/nginx/ 2750 33:4"), lines.join("\n"));
  assert.ok(lines.some((line) => line.startsWith("usr/bin/ping 4555 ")));
  assert.ok(lines.some((line) => line.startsWith("etc/same 400 ")));
  const inode = (path: string) => fs.statSync(join(tree, path)).ino;
  assert.is.not(inode("etc/hosts"), inode("etc/same")); // one content, two modes
  const read = `import os; print(os.getxattr(${JSON.stringify(join(tree, "usr/bin/ping"))}, "security.capability").hex())`;
  assert.is(execFileSync("python3", ["-c", read], { encoding: "utf8" }).trim(), capability);
  assert.equal(await faultsOf(store), []);
  execFileSync("python3", ["-c", `import os; os.removexattr(${JSON.stringify(ping)}, "security.capability")`]);
});

test("the same input has the same digest, whenever and wherever it is made", async () => {
  const [one, two] = [newStore(), newStore()];
  const later = join(top, "later");
  makeRoot(later, 1_700_000_000);
  fs.utimesSync(join(later, "usr/bin/python3.11"), 1_800_000_000, 1_800_000_000);
  const first = await generate(one, "python@3.11", closureOf(source, PYTHON_PATHS));
  const second = await generate(two, "python@3.11", closureOf(later, PYTHON_PATHS.toReversed()));
  assert.is(first.manifest.tree, second.manifest.tree);
  assert.equal(listUnits(one.directory), listUnits(two.directory));
  assert.equal(listObjects(one.directory), listObjects(two.directory));
});

test("a Python source keeps its time, which its compiled form names; other files lose theirs", async () => {
  const store = newStore();
  const { tree } = await generate(store, "python@3.11", closureOf(source, PYTHON_PATHS));
  const seconds = (path: string) => fs.statSync(join(tree, path)).mtimeMs / 1000;
  assert.is(seconds("usr/lib/python3.11/os.py"), 1_700_000_000);
  assert.is(seconds("usr/bin/python3.11"), 315_619_200);
});

test("an environment is not replaced without being asked", async () => {
  const store = newStore();
  await generate(store, "python@3.11", closureOf(source, PYTHON_PATHS));
  assert.not((await generate(store, "python@3.11", closureOf(source, PYTHON_PATHS))).changed);
  try {
    await generate(store, "python@3.11", closureOf(source, NGINX_PATHS));
    assert.unreachable();
  } catch (error) {
    assert.match((error as Error).message, /python@3.11 is there already, and differs/);
  }
  const { manifest } = await generate(store, "python@3.11", closureOf(source, NGINX_PATHS), { replace: true });
  assert.is(openTree(store.directory, [python]).digest, manifest.tree);
  assert.equal(fs.readdirSync(join(store.directory, "tmp")), []);
  assert.equal(await faultsOf(store), []);
});

test("what a root does not have like this can be generated", async () => {
  const store = newStore();
  const generated = {
    "/etc/passwd": { content: Buffer.from("root:x:0:0::/:\n"), mode: 0o644, reason: { rule: "users", text: "needed" } },
    "/etc/hosts": { content: Buffer.from("::1 localhost\n"), mode: 0o644, reason: { rule: "hosts", text: "needed" } },
  };
  const { tree } = await generate(store, "tools@1", closureOf(source, ["/etc/hosts", "/usr/bin/nginx"], generated));
  assert.is(fs.readFileSync(join(tree, "etc/hosts"), "utf8"), "::1 localhost\n");
  assert.is(fs.readFileSync(join(tree, "etc/passwd"), "utf8"), "root:x:0:0::/:\n");
});

test("a path through a symlink, and a device, are refused", async () => {
  const store = newStore();
  const odd = join(top, "odd");
  makeRoot(odd);
  fs.symlinkSync("/etc", join(odd, "host-etc"));
  execFileSync("mkfifo", [join(odd, "fifo")]);
  const refuse = async (path: string, message: RegExp) => {
    try {
      await generate(store, "odd@1", closureOf(odd, [path]));
      assert.unreachable(path);
    } catch (error) {
      assert.instance(error, RegError);
      assert.match((error as Error).message, message);
    }
  };
  await refuse("/host-etc/passwd", /a directory on its way is a symlink/);
  await refuse("/../../etc/passwd", /openat2/);
  await refuse("/fifo", /is a device, socket or fifo/);
  assert.equal(fs.readdirSync(join(store.directory, "tmp")), []);
});

/** A store with one environment, changed by `change`, has exactly this to say. */
const DAMAGES: readonly (readonly [summary: string, change: (store: Store, tree: string) => void, found: RegExp[]])[] =
  [
    [
      "one flipped bit",
      (store) => {
        const path = objectOf(store, "libc6", "usr/lib/libc.so.6");
        const bytes = fs.readFileSync(path);
        bytes[12_345] = (bytes[12_345] ?? 0) ^ 0x10;
        const fd = fs.openSync(path, "r+");
        fs.writeSync(fd, bytes);
        fs.futimesSync(fd, 315_619_200, 315_619_200);
        fs.closeSync(fd);
      },
      [/^objects\/.*: \/usr\/lib\/libc.so.6: its content is changed \(python@3.11\)$/],
    ],
    [
      "an object that was cut off",
      (store) => fs.truncateSync(objectOf(store, "libc6", "usr/lib/ld.so"), 4),
      [/^objects\/.*: \/usr\/lib\/ld.so: it has 4 bytes, not 10, its time is changed/],
    ],
    [
      "a changed mode",
      (store) => fs.chmodSync(objectOf(store, "libc6", "usr/lib/ld.so"), 0o777),
      [/^objects\/.*: \/usr\/lib\/ld.so: its mode is 777, not 555/],
    ],
    [
      "a changed owner",
      (store) => fs.chownSync(objectOf(store, "libc6", "usr/lib/ld.so"), 7, 0),
      [/^objects\/.*: \/usr\/lib\/ld.so: its owner is 7:0, not 0:0/],
    ],
    [
      "a changed attribute",
      (store) => {
        const path = JSON.stringify(objectOf(store, "libc6", "usr/lib/ld.so"));
        execFileSync("python3", ["-c", `import os; os.setxattr(${path}, "user.note", b"x")`]);
      },
      [/^objects\/.*: \/usr\/lib\/ld.so: its extended attributes are changed/],
    ],
    [
      "a missing object",
      (store) => fs.rmSync(objectOf(store, "libc6", "usr/lib/ld.so")),
      [/^units\/.*: object .* of \/usr\/lib\/ld.so is missing/],
    ],
    [
      "a missing link",
      (_, tree) => fs.rmSync(join(tree, "usr/lib/ld.so")),
      [/^trees\/.*\/usr\/lib\/ld.so: it is missing/],
    ],
    [
      "an extra file",
      (_, tree) => fs.writeFileSync(join(tree, "usr/lib/evil.so"), ""),
      [/^trees\/.*\/usr\/lib\/evil.so: it is not in its units/],
    ],
    [
      "a link that was replaced",
      (_, tree) => {
        fs.rmSync(join(tree, "usr/lib/ld.so"));
        fs.writeFileSync(join(tree, "usr/lib/ld.so"), "the evil_one", { mode: 0o555 });
      },
      [/^trees\/.*\/usr\/lib\/ld.so: it is not object .*: it has 12 bytes, not 10/],
    ],
    [
      "a symlink that leads elsewhere",
      (_, tree) => {
        fs.rmSync(join(tree, "lib"));
        fs.symlinkSync("tmp", join(tree, "lib"));
      },
      [/^trees\/.*\/lib: it leads to tmp, not to usr\/lib/],
    ],
    [
      "a directory's mode",
      (_, tree) => fs.chmodSync(join(tree, "usr"), 0o777),
      [/^trees\/.*\/usr: its mode is 777, not 755/],
    ],
    [
      "a changed unit",
      (store) => {
        const { units } = readManifest(store, python);
        const path = unitPath(store.directory, units.find(({ name }) => name === "libc6")?.digest ?? "");
        fs.writeFileSync(path, fs.readFileSync(path, "utf8").replace('"mode":493', '"mode":511'));
      },
      [/^units\/.*: its text has the digest/],
    ],
    [
      "a missing tree",
      (store) =>
        fs.renameSync(treePath(store.directory, readManifest(store, python).tree), join(store.directory, "tmp/x")),
      [/^environments\/python@3.11: its tree .* is missing/],
    ],
  ];
for (const [summary, change, found] of DAMAGES)
  test(`verify finds ${summary}`, async () => {
    const store = newStore();
    const { tree } = await generate(store, "python@3.11", closureOf(source, PYTHON_PATHS));
    change(store, tree);
    const faults = await faultsOf(store);
    assert.is(faults.length >= found.length, true, faults.join("\n"));
    for (const pattern of found)
      assert.ok(
        faults.some((fault) => pattern.test(fault)),
        faults.join("\n"),
      );
    if (summary === "one flipped bit") assert.is(faults.length, 1, faults.join("\n"));
  });

/** As a bit that flipped on the disk: nothing but the content differs. */
function flipBit(path: string): void {
  const bytes = fs.readFileSync(path);
  bytes[5] = (bytes[5] ?? 0) ^ 0x10;
  const fd = fs.openSync(path, "r+");
  fs.writeSync(fd, bytes, 0, bytes.length, 0);
  fs.futimesSync(fd, 315_619_200, 315_619_200);
  fs.closeSync(fd);
}

test("a damaged object is not passed on to the next environment, but replaced in all that have it", async () => {
  const store = newStore();
  const first = await generate(store, "python@3.11", closureOf(source, PYTHON_PATHS));
  const library = join(first.tree, "usr/lib/libc.so.6");
  const good = fs.readFileSync(library);
  const whoRuns = fs.openSync(first.tree, "r");
  flipBit(objectOf(store, "libc6", "usr/lib/libc.so.6"));
  assert.not.equal(fs.readFileSync(library), good);
  const second = await generate(store, "nginx@1.22", closureOf(source, NGINX_PATHS));
  assert.is(second.repaired, 1);
  for (const tree of [first.tree, second.tree])
    assert.equal(fs.readFileSync(join(tree, "usr/lib/libc.so.6")), good, tree);
  assert.is(fs.statSync(library).ino, fs.statSync(join(second.tree, "usr/lib/libc.so.6")).ino);
  assert.equal(await faultsOf(store), []);
  // Who was in the old tree still is, until gc finds that nobody is.
  assert.ok(fs.existsSync(`/proc/self/fd/${whoRuns}/usr/lib/ld.so`));
  fs.closeSync(whoRuns);
  assert.is(collectGarbage(store).trees, 1);
  assert.not(fs.readdirSync(join(store.directory, "trees")).some((name) => name.includes("replaced")));
});

test("--replace repairs, although it is the same", async () => {
  const store = newStore();
  await generate(store, "python@3.11", closureOf(source, PYTHON_PATHS));
  flipBit(objectOf(store, "libc6", "usr/lib/libc.so.6"));
  const again = await generate(store, "python@3.11", closureOf(source, PYTHON_PATHS), { replace: true });
  assert.equal([again.changed, again.repaired], [false, 1]);
  assert.equal(await faultsOf(store), []);
});

needs(
  stores,
  root,
  mounting,
)("a tree that was replaced stays while a container has it mounted", async () => {
  const store = newStore();
  const { tree } = await generate(store, "python@3.11", closureOf(source, PYTHON_PATHS));
  const mounted = fs.mkdtempSync(join(top, "mounted-"));
  execFileSync("mount", ["--bind", tree, mounted]);
  try {
    flipBit(objectOf(store, "libc6", "usr/lib/libc.so.6"));
    await generate(store, "python@3.11", closureOf(source, PYTHON_PATHS), { replace: true });
    assert.is(collectGarbage(store).trees, 0);
    assert.ok(fs.existsSync(join(mounted, "usr/lib/libc.so.6")));
  } finally {
    execFileSync("umount", [mounted]);
  }
  assert.is(collectGarbage(store).trees, 1);
});

/** What verify --repair mends with the root that the files are from; only a unit has no second copy. */
for (const [summary, change] of DAMAGES)
  test(`repair of ${summary}`, async () => {
    const store = newStore();
    const { tree } = await generate(store, "python@3.11", closureOf(source, PYTHON_PATHS));
    await generate(store, "nginx@1.22", closureOf(source, NGINX_PATHS));
    change(store, tree);
    const { faults } = await verifyStore(store);
    await repairStore(store, faults, [join(top, "root-without-the-files"), source]);
    const left = await faultsOf(store);
    if (summary === "a changed unit") assert.ok(left.length > 0);
    else assert.equal(left, []);
    assert.equal(
      fs.readdirSync(join(store.directory, "tmp")).filter((name) => name !== "x"),
      [],
    );
  });

test("what is no environment does not keep the others from being listed, and verify names it", async () => {
  const store = newStore();
  await generate(store, "python@3.11", closureOf(source, PYTHON_PATHS));
  fs.mkdirSync(join(store.directory, "environments/lost and found"));
  assert.equal(listEnvironments(store.directory), ["python@3.11"]);
  assert.equal(await faultsOf(store), ["environments/lost and found: it is no environment: remove it ()"]);
});

needs(
  stores,
  root,
  mounting,
)("a store without room says which it is, and what helps", async () => {
  const small = fs.mkdtempSync(join(top, "small-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", small]);
  try {
    await generate(makeStore(join(small, "store")), "python@3.11", closureOf(source, PYTHON_PATHS));
    assert.unreachable();
  } catch (error) {
    assert.instance(error, RegError);
    assert.match((error as Error).message, /there is no space left for the store .*small-.*, domain default: ENOSPC/);
    assert.match((error as RegError).hint ?? "", /reg-env gc/);
  } finally {
    execFileSync("umount", [small]);
  }
});

test("gc removes what nobody needs, and nothing else", async () => {
  const store = newStore();
  await generate(store, "python@3.11", closureOf(source, PYTHON_PATHS));
  await generate(store, "nginx@1.22", closureOf(source, NGINX_PATHS));
  openTree(store.directory, [python, parseEnvironmentName("nginx@1.22")]);
  fs.writeFileSync(join(store.directory, "tmp/left"), "by a writer that was killed");
  assert.equal(listTrees(store.directory).length, 3);
  assert.is(collectGarbage(store, { dryRun: true }).trees, 1);
  assert.equal(listTrees(store.directory).length, 3);
  const { trees, units, objects, unfinished } = collectGarbage(store);
  assert.equal({ trees, units, objects, unfinished }, { trees: 1, units: 0, objects: 0, unfinished: 1 });
  assert.equal(await faultsOf(store), []);
  await uninstallEnvironment(store, python);
  assert.throws(() => openTree(store.directory, [python]), /installed: nginx@1.22/);
  const second = collectGarbage(store);
  assert.is(second.trees, 1);
  assert.is(second.objects, 3); // the interpreter, os.py and os.pyc
  assert.equal(await faultsOf(store), []);
  await uninstallEnvironment(store, parseEnvironmentName("nginx@1.22"));
  collectGarbage(store);
  for (const folder of ["trees", "units", "tmp", "environments"])
    assert.equal(fs.readdirSync(join(store.directory, folder)), [], folder);
  assert.equal(listObjects(store.directory), []);
});

test("an environment goes to another store as a directory, and nothing in it is believed", async () => {
  const [one, two] = [newStore(), newStore()];
  const { manifest } = await generate(one, "python@3.11", closureOf(source, PYTHON_PATHS));
  const directory = join(top, "exported");
  await exportEnvironment(one, python, directory);
  const imported = await importEnvironment(two, directory);
  assert.equal(imported.manifest, manifest);
  assert.equal(listObjects(two.directory), listObjects(one.directory));
  assert.equal(await faultsOf(two), []);
  const refused = async (change: (directory: string) => void, message: RegExp) => {
    const changed = fs.mkdtempSync(join(top, "changed-"));
    fs.cpSync(directory, changed, { recursive: true });
    change(changed);
    const store = newStore();
    try {
      await importEnvironment(store, changed);
    } catch (error) {
      assert.instance(error, RegError);
      assert.match((error as Error).message, message);
      assert.equal([...fs.readdirSync(`${store.directory}/tmp`), ...listObjects(store.directory)], []);
      return;
    }
    assert.unreachable(`installed, although ${message}`);
  };
  const contentOf = (from: string) => join(from, "content", fs.readdirSync(join(from, "content"))[0] ?? "");
  const same = "is not what it was a moment ago, or not what its unit says";
  await refused((from) => fs.appendFileSync(contentOf(from), "more"), /it has \d+ bytes, not the \d+ of/);
  await refused((from) => {
    const bytes = fs.readFileSync(contentOf(from));
    fs.writeFileSync(contentOf(from), bytes.fill(0x2a, 0, 1));
  }, new RegExp(same));
  // A FIFO would be waited for with the store locked.
  for (const place of [
    contentOf,
    (from: string) => join(from, "manifest.json"),
    (from: string) => join(from, "reasons.json"),
  ])
    await refused((from) => {
      const path = place(from);
      fs.rmSync(path);
      execFileSync("mkfifo", [path]);
    }, /it is not a regular file/);
  await refused((from) => {
    const path = contentOf(from);
    fs.renameSync(path, join(from, "elsewhere"));
    fs.symlinkSync("../elsewhere", path);
  }, /ENOENT|ELOOP/);

  /** Changes the manifest, or with an entry's path the first unit that has it, whose digest is made right again. */
  const edit = (change: (document: never) => void, path?: string) => (from: string) => {
    const manifest = JSON.parse(fs.readFileSync(`${from}/manifest.json`, "utf8"));
    if (path === undefined) change(manifest as never);
    for (const unit of path === undefined ? [] : manifest.units) {
      const file = `${from}/units/${unit.digest}.json`;
      const document = JSON.parse(fs.readFileSync(file, "utf8"));
      const entry = document.entries.find((each: Entry) => each.path === path);
      if (entry === undefined) continue;
      const { object } = entry;
      change(entry as never);
      if (entry.type === "file" && entry.object === object) entry.object = objectKey(entry);
      const text = canonicalJson(document);
      unit.digest = digestOf(text);
      fs.writeFileSync(`${from}/units/${unit.digest}.json`, text);
    }
    fs.writeFileSync(`${from}/manifest.json`, JSON.stringify(manifest));
  };
  const some = (
    JSON.parse(fs.readFileSync(`${directory}/units/${manifest.units[0]?.digest}.json`, "utf8")) as Unit
  ).entries.find(({ type }) => type === "file")?.path;
  const set = (values: object) => edit((document: object) => Object.assign(document, values), undefined);
  const setEntry = (values: object) => edit((entry: object) => Object.assign(entry, values), some);
  await refused(set({ command: "sh" }), /\/command: expected object, found "sh"/);
  await refused(set({ units: [] }), /\/units: violates minItems/);
  await refused(set({ units: [{ name: "a", version: "1", digest: "../x" }] }), /\/units\/0\/digest: does not match/);
  await refused(set({ name: "../../etc" }), /is no good name/);
  await refused(set({ surprise: 1 }), /has "surprise", which is not known/);
  await refused(setEntry({ uid: -1 }), /\/uid: expected at least 0, found -1/);
  await refused(setEntry({ gid: 2 ** 32 - 1 }), /\/gid: expected at most 4294967294/);
  await refused(setEntry({ mode: 0o100644 }), /\/mode: expected at most 4095/);
  await refused(setEntry({ type: "hardlink" }), /its type is none of file, symlink, directory/);
  await refused(
    setEntry({ xattrs: { "trusted.overlay.opaque": "79" } }),
    /"trusted.overlay.opaque", which is not kept/,
  );
  await refused(setEntry({ sizeBytes: 1e15 }), /it has \d+ bytes, not the 1000000000000000 of/);
  for (const path of ["/etc/passwd", "../x", "a/../../x", "a//b", "", "."])
    await refused(setEntry({ path }), /\/path: does not match/);
  await refused(setEntry({ object: "0".repeat(64) }), /has the wrong object/);

  const warnings: string[] = [];
  const privileged = fs.mkdtempSync(join(top, "privileged-"));
  fs.cpSync(directory, privileged, { recursive: true });
  setEntry({ mode: 0o4755 })(privileged);
  const store = newStore();
  await importEnvironment(store, privileged, { warn: (text) => warnings.push(text) });
  assert.equal(warnings, [`/${some} runs with the rights of its owner or group (mode 4755)`]);
  assert.equal(await faultsOf(store), []);
});

needs(
  stores,
  root,
  program("mkfs.ext4"),
)("a filesystem without fs-verity says so, and the store goes on without", () => {
  const file = join(top, "plain");
  fs.writeFileSync(file, "x");
  assert.type(enableVerity(file), "boolean");
});

stores.run();
