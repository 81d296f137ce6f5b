/**
 * Stores of users: what a user can do with one of their own, what a container of theirs sees, and what can not be. And whose stores are believed, by
 * root too: what others could have changed is not.
 */
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { makeRootfs, type Spec } from "../fixtures/bundle.ts";
import { type Fixture, withFixture } from "../fixtures/fixture.ts";
import { REG, TOP } from "../paths.ts";
import { cgroups, mounting, need, needs, program, root } from "../testing.ts";
import { ENVIRONMENT, makeStore } from "./store.ts";

const stores = suite("stores of users");
const REG_ENV = join(TOP, "dist/runtime/reg-env/main.js");
const USER = 65534;
const AS_USER = ["setpriv", `--reuid=${USER}`, `--regid=${USER}`, "--clear-groups"];
/** Root of a user namespace, as rootless engines are; with one id, as more take newuidmap(1). */
const AS_MAPPED_ROOT = [...AS_USER, "unshare", "--user", "--map-root-user", "--mount"];

const works = (...[file = "", ...args]: string[]) => spawnSync(file, args).status === 0;
const users = [
  need("user namespaces for users", works(...AS_MAPPED_ROOT, "true")),
  need("a checkout that users can read", works(...AS_USER, process.execPath, REG_ENV, "--help")),
];
const test = needs(stores, root, mounting, cgroups, program("busybox"), program("setpriv"), ...users);
const traced = needs(
  stores,
  root,
  mounting,
  cgroups,
  program("busybox"),
  program("setpriv"),
  program("strace"),
  ...users,
);
const asRoot = needs(stores, root, mounting, cgroups, program("busybox"));

interface Home {
  readonly path: string;
  /** reg-env, called by the user, without --store. */
  regEnv(...args: string[]): { status: number | null; stdout: string; stderr: string };
  mapped(...args: string[]): { status: number | null; stdout: string; stderr: string };
}

/** A home, and in it the folder of a session. */
function makeHome(fixture: Fixture): Home {
  chmodSync(fixture.folder, 0o711);
  const path = fixture.path("home");
  for (const each of [path, join(path, "session")]) {
    mkdirSync(each, { mode: 0o700 });
    chownSync(each, USER, USER);
  }
  const runtime = fixture.path("reg");
  copyFileSync(REG, runtime);
  chmodSync(runtime, 0o755);
  const { XDG_DATA_HOME: _, ...rest } = process.env;
  const env = { ...rest, HOME: path, USER: "somebody", XDG_RUNTIME_DIR: join(path, "session"), REG: runtime };
  const call = (before: readonly string[], args: readonly string[]) => {
    const [file = "", ...line] = [...before, process.execPath, REG_ENV, ...args];
    return spawnSync(file, line, { encoding: "utf8", env, cwd: "/", timeout: 60_000 });
  };
  return { path, regEnv: (...args) => call(AS_USER, args), mapped: (...args) => call(AS_MAPPED_ROOT, args) };
}

const ok = ({ status, stdout, stderr }: ReturnType<Home["regEnv"]>) => {
  assert.is(status, 0, stderr);
  return stdout;
};

/** Busybox, a directory that nobody may write, and files that are not root's. */
function makeRoot(fixture: Fixture): string {
  const path = fixture.path("root");
  makeRootfs(path);
  const write = (name: string, mode = 0o644) => {
    mkdirSync(join(path, dirname(name)), { recursive: true });
    writeFileSync(join(path, name), name);
    chmodSync(join(path, name), mode);
  };
  write("srv/closed/page");
  chmodSync(join(path, "srv/closed"), 0o555);
  write("srv/tool", 0o4755);
  write("srv/mail/box");
  chownSync(join(path, "srv/mail/box"), 8, 8);
  write("srv/secret", 0o600);
  write("srv/able", 0o755);
  return path;
}

const SCRIPT = "cat /srv/closed/page; id -u; stat -c %u:%a /srv/closed /srv/tool; echo x >/srv/new && echo written";
const generated = (path: string, name = "app@1") => [
  "generate",
  name,
  "--root",
  path,
  "--include",
  "/srv/closed",
  "--include",
  "/srv/tool",
  "--",
  "sh",
  "-c",
  SCRIPT,
];

test("a user makes an environment, runs it, checks it and removes it; it is the one that root would make", () =>
  withFixture((fixture) => {
    const home = makeHome(fixture);
    const path = makeRoot(fixture);
    ok(home.regEnv(...generated(path)));
    const directory = join(home.path, ".local/share/reg/default");
    assert.is(lstatSync(directory).mode & 0o777, 0o700);
    const tree = join(directory, "environments/app@1/tree/");
    assert.is(lstatSync(join(tree, "srv/closed/page")).uid, USER);
    const line = [REG_ENV, ...generated(path).toSpliced(1, 0, "--store", fixture.path("store"))];
    ok(spawnSync(process.execPath, line, { encoding: "utf8" }));
    const manifest = (store: string) => readFileSync(join(store, "environments/app@1/manifest.json"), "utf8");
    assert.is(manifest(directory), manifest(fixture.path("store/default")));

    assert.is(ok(home.regEnv("run", "app@1")), "srv/closed/page0\n0:555\n0:4555\nwritten\n");
    assert.match(ok(home.regEnv("list")), /^ENVIRONMENT.*\napp@1 /);
    assert.match(ok(home.regEnv("verify")), /: all in order\n$/);
    ok(home.regEnv("export", "app@1", join(home.path, "app.tar"), "--format", "oci-archive"));
    assert.match(ok(home.regEnv("install", join(home.path, "app.tar"))), /was there already, the same/);
    ok(home.regEnv("uninstall", "app@1"));
    const gc = home.regEnv("gc");
    assert.match(ok(gc), /^removed [1-9]\d* objects/);
    assert.is(gc.stderr, "");
    assert.match(ok(home.regEnv("gc")), /^removed 0 objects/);
  }));

test("as root of a user namespace it is the same store, and what runs there is the same", () =>
  withFixture((fixture) => {
    const home = makeHome(fixture);
    const path = makeRoot(fixture);
    ok(home.regEnv(...generated(path)));
    assert.match(ok(home.mapped(...generated(path))), /was there already, the same/);
    assert.match(ok(home.mapped("verify")), /: all in order\n$/);
    assert.is(ok(home.mapped("run", "app@1", "--network", "host")), "srv/closed/page0\n0:555\n0:4555\nwritten\n");
  }));

test("a user tries a command above a directory: what it wrote, and a server's answer; above the machine's root that is an error", () =>
  withFixture((fixture) => {
    const home = makeHome(fixture);
    const path = makeRoot(fixture);
    symlinkSync("busybox", join(path, "bin/httpd"));
    const trial = (root: string, ...line: string[]) =>
      home.regEnv("generate", "app@1", "--replace", "--root", root, "--trial", ...line);
    const words = /^trial: the same as in the full root, at the first try \((.*)\)$/m;
    const written = trial(path, "--", "sh", "-c", "echo x >/tmp/out; id -u");
    assert.is(words.exec(ok(written))?.[1], "status 0");
    assert.is(written.stderr, "");
    const served = trial(path, "--probe", "http:8000/page", "--", "httpd", "-f", "-p", "8000", "-h", "/srv/closed");
    assert.is(words.exec(ok(served))?.[1], "an answer to the probe");
    const failed = trial(path, "--", "sh", "-c", "echo wrong >&2; exit 3");
    assert.is(words.exec(ok(failed))?.[1], "status 3");
    assert.match(failed.stderr, /warning: trial: the command fails, in the full root as well.*; it said "wrong"/);
    const { status, stderr } = trial("/", "--", "sh", "-c", "exit 1");
    assert.is(status, 1);
    assert.match(stderr, /^reg-env: trial: there is no place to run the command: mount: .*\nhint: .*--root/m);
  }));

traced("a user traces a command in a directory, and root of a user namespace does", () =>
  withFixture((fixture) => {
    const home = makeHome(fixture);
    const path = makeRoot(fixture);
    const line = ["--root", path, "--trace", "--", "sh", "-c", "name=/srv/closed/page; cat $name"];
    for (const call of [home.regEnv, home.mapped]) {
      assert.match(ok(call("generate", "app@1", "--replace", ...line)), /^srv\/closed\/page/);
      assert.ok(existsSync(join(home.path, ".local/share/reg/default/environments/app@1/tree/srv/closed/page")));
    }
  }),
);

test("what a user can not have is said, and nothing of it is made", () =>
  withFixture((fixture) => {
    const home = makeHome(fixture);
    const path = makeRoot(fixture);
    const refused = (file: string, words: RegExp) => {
      const { status, stderr } = home.regEnv("generate", "app@1", "--root", path, "--include", file);
      assert.is(status, 1, file);
      assert.match(stderr, words);
      assert.match(stderr, /\nhint: .*--exclude/);
    };
    refused("/srv/mail", /\/srv\/mail\/box belongs to 8:8, and a user's store has files of root alone/);
    refused("/srv/secret", /srv\/secret may not be read by this user/);
    if (works("setcap", "cap_net_raw+ep", join(path, "srv/able")))
      refused("/srv/able", /\/srv\/able gives capabilities to whoever starts it/);
    assert.is(existsSync(join(home.path, ".local/share/reg/default/environments/app@1")), false);
    ok(home.regEnv(...generated(path)));
    assert.match(
      home.regEnv("run", "app@1", "--user", "33").stderr,
      /user 33:0 of the container has no id on the host.*\nhint: .*podman unshare/,
    );
    const { path: store } = makeStore(fixture);
    assert.match(
      home.regEnv("list", "--store", store).stderr,
      /permission denied \(EACCES\)\nhint: a store is for its owner alone/,
    );
  }));

const STRANGER = 12345;
type Forgery = [what: string, make: (store: string, fixture: Fixture) => void, words: string];
const FORGED: Forgery[] = [
  [
    "belongs to somebody else",
    (store) => chownSync(join(store, "default"), STRANGER, STRANGER),
    "belongs to user 12345",
  ],
  ["can be written by others", (store) => chmodSync(join(store, "default"), 0o770), "others can write to it"],
  ["lies in a directory of somebody else's", (store) => chownSync(store, STRANGER, STRANGER), "belongs to user 12345"],
  ["lies in a directory that all can write", (store) => chmodSync(store, 0o777), "everybody can write to"],
  [
    "lies in a directory that a group can write",
    (store) => {
      chownSync(store, 0, STRANGER);
      chmodSync(store, 0o775);
    },
    "group 12345 can write to",
  ],
  [
    "is behind a symlink to somebody else's",
    (store, fixture) => {
      const elsewhere = fixture.path("elsewhere");
      mkdirSync(elsewhere);
      renameSync(join(store, "default"), join(elsewhere, "default"));
      chownSync(elsewhere, STRANGER, STRANGER);
      symlinkSync(join(elsewhere, "default"), join(store, "default"));
    },
    "belongs to user 12345",
  ],
];

for (const [what, make, words] of FORGED)
  asRoot(`a store is not believed that ${what}`, () =>
    withFixture((fixture) => {
      const store = makeStore(fixture);
      const bundle = fixture.shell("echo ran", (spec: Spec) => {
        Object.assign(spec, { root: undefined, reg: { environments: [ENVIRONMENT], store: store.path } });
      });
      const run = () => fixture.reg("run", "--bundle", bundle.path, fixture.id());
      assert.is(run().stdout, "ran\n");
      make(store.path, fixture);
      const { status, stdout, stderr } = run();
      assert.is(stdout, "");
      assert.not(status === 0);
      assert.match(stderr, words);
      assert.match(stderr, "is not believed");
      for (const line of [["list"], ["verify"], ["gc"], ["generate", "a@1", "--program", "sh"]]) {
        const called = spawnSync(process.execPath, [REG_ENV, ...line, "--store", store.path], { encoding: "utf8" });
        assert.is(called.status, 1, line[0]);
        assert.match(called.stderr, words);
      }
      chownSync(store.path, 0, 0);
    }),
  );

stores.run();
