/** Roots that are composed of environments: what the container sees, where its writes go, and what is left on the host. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Spec } from "../fixtures/bundle.ts";
import { type Fixture, type Result, withFixture } from "../fixtures/fixture.ts";
import { idMappable } from "../fixtures/id-mapping.ts";
import { cgroups, mounting, needs, root } from "../testing.ts";
import { ENVIRONMENT, makeStore, type Store } from "./store.ts";

const composed = suite("root of environments");
const test = needs(composed, root, mounting, cgroups);
const onIdMappable = needs(composed, root, mounting, cgroups, idMappable);

/** What mountinfo says of the root. */
const ROOT = "awk '$5 == \"/\"' /proc/self/mountinfo";

function withReg({ path }: Store, more: object = {}, change: (spec: Spec) => void = () => undefined) {
  return (spec: Spec) => {
    const { root: _, ...rest } = spec;
    for (const key of Object.keys(spec)) delete spec[key];
    Object.assign(spec, rest, { reg: { environments: [ENVIRONMENT], store: path, ...more } });
    change(spec);
  };
}

function run(fixture: Fixture, script: string, change: (spec: Spec) => void, ...options: string[]): Result {
  const { path } = fixture.shell(script, change);
  return fixture.reg("run", ...options, "--bundle", path, fixture.id());
}

function output(fixture: Fixture, script: string, change: (spec: Spec) => void, ...options: string[]): string {
  const { status, stdout, stderr } = run(fixture, script, change, ...options);
  assert.is(status, 0, stderr);
  return stdout;
}

function inUserNamespace(spec: Spec): void {
  spec.linux.namespaces.push({ type: "user" });
  const { namespaces } = spec.linux;
  spec.linux.namespaces = namespaces.filter(({ type }) => type !== "cgroup");
  spec.linux.uidMappings = spec.linux.gidMappings = [{ containerID: 0, hostID: 100000, size: 65536 }];
}

/** Everything below a folder, as text. */
function listing(folder: string): string {
  return readdirSync(folder, { recursive: true, encoding: "utf8" }).sort().join("\n");
}

for (const option of [[], ["--no-pivot"]])
  test(`is the tree itself, read-only, in one mount${option.map((each) => ` (${each})`).join("")}`, () =>
    withFixture((fixture) => {
      const store = makeStore(fixture);
      const before = listing(store.tree);
      const lines = output(fixture, `touch /new 2>&1; ls /bin/busybox; ${ROOT}`, withReg(store), ...option).split("\n");
      assert.match(lines[0] ?? "", "Read-only file system");
      assert.is(lines[1], "/bin/busybox");
      assert.match(lines[2] ?? "", new RegExp(`${basename(store.tree)} / ro,`));
      assert.is(lines[3], "", "there is one mount on /: nothing of the host is under it");
      assert.is(listing(store.tree), before);
    }));

test("gets mount points that the tree lacks, and stays read-only and the tree untouched", () =>
  withFixture((fixture) => {
    const store = makeStore(fixture);
    const before = listing(store.tree);
    const change = withReg(store, {}, (spec) => {
      spec.mounts.push({ destination: "/data/deep", type: "tmpfs", source: "tmpfs" });
      spec.process.cwd = "/work";
    });
    const text = output(fixture, `pwd; touch /data/deep/x && echo made; touch /new 2>&1; ${ROOT} | wc -l`, change);
    assert.is(text, "/work\nmade\ntouch: /new: Read-only file system\n1\n");
    assert.is(listing(store.tree), before);
  }));

for (const option of [[], ["--no-pivot"]])
  test(`keeps writes in a tmpfs of the size asked for${option.map((each) => ` (${each})`).join("")}`, () =>
    withFixture((fixture) => {
      const store = makeStore(fixture);
      const before = listing(store.tree);
      const script = `echo text >/bin/busybox2 && rm /bin/ls && cat /bin/busybox2; df / | awk '/%/ && NR > 1 { print $(NF - 4) }'; ${ROOT} | wc -l`;
      const text = output(fixture, script, withReg(store, { writable: { type: "tmpfs", size: "4m" } }), ...option);
      assert.is(text, "text\n4096\n1\n");
      assert.is(listing(store.tree), before);
    }));

test("keeps writes in a directory, for the next container too", () =>
  withFixture((fixture) => {
    const store = makeStore(fixture);
    const writable = { type: "directory", path: fixture.path("kept") };
    assert.is(output(fixture, "echo text >/kept", withReg(store, { writable })), "");
    assert.is(output(fixture, "cat /kept", withReg(store, { writable })), "text\n");
    assert.is(readFileSync(fixture.path("kept/upper/kept"), "utf8"), "text\n");
    assert.not(existsSync(join(store.tree, "kept")));
  }));

test("mounts the work directory of the bundle", () =>
  withFixture((fixture) => {
    const store = makeStore(fixture);
    mkdirSync(fixture.path("project"));
    writeFileSync(fixture.path("project/file"), "words\n");
    const workdir = { source: fixture.path("project"), destination: "/src" };
    assert.is(output(fixture, "cat /src/file; touch /src/new", withReg(store, { workdir })), "words\n");
    assert.ok(existsSync(fixture.path("project/new")));
    const text = output(
      fixture,
      "touch /src/x 2>&1",
      withReg(store, { workdir: { ...workdir, readonly: true } }, trueAtEnd),
    );
    assert.is(text, "touch: /src/x: Read-only file system\n");
  }));

function trueAtEnd(spec: Spec): void {
  spec.process.args = [...spec.process.args.slice(0, 2), `${spec.process.args[2]}; true`];
}

for (const writable of [{ type: "none" }, { type: "tmpfs" }] as const)
  onIdMappable(`belongs to the root of a user namespace, writable: ${writable.type}`, () =>
    withFixture((fixture) => {
      const store = makeStore(fixture);
      const script = "id -u; stat -c %u / /bin/busybox; touch /new 2>/dev/null && stat -c %u /new; true";
      const text = output(fixture, script, withReg(store, { writable }, inUserNamespace));
      assert.is(text, writable.type === "none" ? "0\n0\n0\n" : "0\n0\n0\n0\n");
    }),
  );

test("is what exec sees, and leaves nothing on the host", () =>
  withFixture((fixture) => {
    const store = makeStore(fixture);
    const id = fixture.launch(fixture.sleeper(withReg(store, { writable: { type: "tmpfs" } })));
    assert.is(fixture.state(id).rootfs, store.tree);
    fixture.succeed("exec", id, "touch", "/from-exec");
    assert.is(fixture.succeed("exec", id, "sh", "-c", `ls /from-exec; ${ROOT} | wc -l`), "/from-exec\n1\n");
    assert.not.match(readFileSync("/proc/self/mountinfo", "utf8"), store.path);
    fixture.succeed("delete", "--force", id);
    assert.not(existsSync(join(store.tree, "from-exec")));
  }));

test("holds the store's lock until it is mounted, and no longer", () =>
  withFixture((fixture) => {
    const store = makeStore(fixture);
    fixture.launch(fixture.sleeper(withReg(store)));
    assert.is(fixture.host("flock", "--nonblock", "--exclusive", join(store.path, "default/lock"), "true").status, 0);
  }));

test("is asked for by annotations as well, as far as the host allows", () =>
  withFixture((fixture) => {
    const store = makeStore(fixture, "tenant-a");
    const leave = { stores: [store.path], domains: ["tenant-a"], workdir: true };
    const hostConfig = fixture.write("reg.json", JSON.stringify({ annotations: leave }));
    const change = (spec: Spec) => {
      spec.annotations = {
        "org.reg.environments": ENVIRONMENT,
        "org.reg.store": store.path,
        "org.reg.domain": "tenant-a",
        "org.reg.writable": "tmpfs:1m",
        "org.reg.workdir": ".:/src:ro",
      };
      spec.root.path = "";
      delete spec.root.readonly;
    };
    const { path } = fixture.shell("touch /new /tmp/x; touch /src/x 2>/dev/null || echo kept", change);
    assert.is(fixture.succeed("--host-config", hostConfig, "run", "--bundle", path, fixture.id()), "kept\n");
  }));

test("is refused with its field when it can not be made", () =>
  withFixture((fixture) => {
    const store = makeStore(fixture);
    const refused = (change: (spec: Spec) => void, words: string) => {
      const { status, stderr } = run(fixture, "true", change);
      assert.is(status, 1);
      assert.match(stderr, words);
    };
    refused(withReg(store, { environments: ["large@1"] }), "environment large@1 is not in the store");
    refused(withReg(store, { environments: ["large@1"] }), "[/reg/environments]");
    refused(withReg(store, { domain: "other" }), "domain other [/reg/store]");
    const withoutMounts = withReg(store, {}, (spec) => {
      spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== "mount");
      spec.mounts = [];
      spec.linux.maskedPaths = [];
      spec.linux.readonlyPaths = [];
    });
    refused(withoutMounts, "needs a mount namespace of its own [/reg/environments]");
    assert.equal(existsSync(fixture.root) ? readdirSync(fixture.root) : [], []);
  }));

test("is shown by plan", () =>
  withFixture((fixture) => {
    const store = makeStore(fixture);
    const bundle = fixture.shell("true", withReg(store, { writable: { type: "tmpfs", size: "4m" } }));
    const text = fixture.succeed("plan", "--bundle", bundle.path);
    assert.match(
      text,
      new RegExp(`${store.tree} under a tmpfs of 4m becomes / by pivot_root\\(2\\) +/reg/environments`),
    );
  }));

composed.run();
