/** `reg-env generate`: what it takes on the command line, what it says, and what is in the environment then. */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { makeRootfs } from "../fixtures/bundle.ts";
import { type Fixture, withFixture } from "../fixtures/fixture.ts";
import { dynamicProgram, glibcRoot, withRoot } from "../fixtures/root.ts";
import { TOP } from "../paths.ts";
import { mounting, needs, program, root } from "../testing.ts";

const generate = suite("reg-env generate");
const test = needs(generate, root, program("busybox"));

const REG_ENV = join(TOP, "dist/runtime/reg-env/main.js");

function regEnv(fixture: Fixture, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const [command = "", ...rest] = args;
  const line = [REG_ENV, command, "--store", fixture.path("store"), ...rest];
  return spawnSync(process.execPath, line, { encoding: "utf8", env: { ...process.env, ...env } });
}

function busyboxRoot(fixture: Fixture): string {
  const path = fixture.path("root");
  makeRootfs(path);
  for (const name of ["one", "two", "three"]) writeFileSync(join(path, "etc", name), name);
  mkdirSync(join(path, "srv/app"), { recursive: true });
  writeFileSync(join(path, "srv/app/page"), "page");
  return path;
}

const treeOf = (fixture: Fixture, name: string) => fixture.path(`store/default/environments/${name}/tree`);

needs(
  generate,
  root,
  mounting,
  program("busybox"),
  program("strace"),
)("traced runs are merged, and leave the root as it was", () =>
  withFixture((fixture) => {
    const path = busyboxRoot(fixture);
    const traces = ["--trace", "cat /etc/one", "--trace", "sh -c 'cat /etc/two; echo x >/etc/made'"];
    const { status, stderr } = regEnv(fixture, ["generate", "app@1", "--root", path, "--program", "sh", ...traces]);
    assert.is(status, 0, stderr);
    const has = (file: string) => existsSync(join(treeOf(fixture, "app@1"), file));
    assert.equal(["bin/sh", "etc/one", "etc/two", "etc/three", "etc/made"].map(has), [true, true, true, false, false]);
    assert.not(existsSync(join(path, "etc/made")));
    const { stdout } = regEnv(fixture, ["explain", "app@1", "/etc/two"]);
    assert.match(stdout, /\/etc\/two .*app-files@1.*\n {2}trace: a traced run opened it/);
  }),
);

test("programs, folders and globs, and what is left out", () =>
  withFixture((fixture) => {
    const path = busyboxRoot(fixture);
    const asked = ["--program", "sh", "--include", "/srv/app", "--include", "/etc/t*", "--exclude", "/etc/two"];
    const { status, stderr, stdout } = regEnv(fixture, [
      "generate",
      "app@1",
      "--root",
      path,
      ...asked,
      "--",
      "cat",
      "/etc/three",
    ]);
    assert.is(status, 0, stderr);
    assert.match(stdout, /^app@1: \d+ units/);
    const has = (file: string) => existsSync(join(treeOf(fixture, "app@1"), file));
    assert.equal(["srv/app/page", "etc/three", "etc/two", "etc/one"].map(has), [true, true, false, false]);
  }));

test("what is missing is said at once, with who needs it, and nothing is made", () =>
  withFixture((fixture) =>
    withRoot(
      {
        ...glibcRoot(),
        "usr/bin/p": dynamicProgram({ needed: ["libgone.so.1"] }),
        "usr/bin/s": "#!/usr/bin/env none\n",
        "usr/bin/env": dynamicProgram(),
      },
      (path) => {
        const { status, stderr } = regEnv(fixture, [
          "generate",
          "app@1",
          "--root",
          path,
          "--program",
          "p",
          "--program",
          "s",
        ]);
        assert.is(status, 1);
        assert.match(stderr, /reg-env: in .*: 2 things are missing/);
        assert.match(stderr, /\/usr\/bin\/p needs libgone\.so\.1, which is not there/);
        assert.match(stderr, /\/usr\/bin\/s is run by none, which is not in the PATH of the root/);
        assert.match(stderr, /hint: /);
        assert.not(existsSync(treeOf(fixture, "app@1")));
      },
    ),
  ));

test("without strace, it says what to install", () =>
  withFixture((fixture) => {
    const { status, stderr } = regEnv(fixture, ["generate", "app@1", "--trace", "--", "true"], {
      PATH: fixture.folder,
    });
    assert.is(status, 1);
    assert.match(stderr, /trace: can not run strace.*\n?hint: install Debian's package strace/);
  }));

test("what is asked for by its path comes in, or the error says why not", () =>
  withFixture((fixture) => {
    const path = busyboxRoot(fixture);
    mkdirSync(join(path, "run/app"), { recursive: true });
    writeFileSync(join(path, "run/app/state"), "");
    spawnSync("mkfifo", [join(path, "etc/pipe")]);
    mkdirSync(join(path, "dev"), { recursive: true });
    for (const name of ["dev/null", "etc/ld.so.cache"]) writeFileSync(join(path, name), "");
    const asked = (...include: string[]) =>
      regEnv(fixture, [
        "generate",
        "app@1",
        "--root",
        path,
        ...include.flatMap((each) => ["--include", each]),
        "--replace",
      ]);
    const { status, stderr } = asked("/etc/pipe", "/dev/null", "/etc/ld.so.cache", "/etc/[z-a]*");
    assert.is(status, 1);
    assert.match(stderr, /4 things are missing/);
    assert.match(stderr, /--include \/etc\/pipe can not be taken: it is a device, a socket or a pipe/);
    assert.match(stderr, /--include \/etc\/\[z-a\]\* matches nothing/);
    assert.is(asked("/run/app").status, 0);
    assert.ok(existsSync(join(treeOf(fixture, "app@1"), "run/app/state")));
  }));

test("a file that only begins as an ELF file does is data; a program that does is an error", () =>
  withFixture((fixture) =>
    withRoot(
      {
        ...glibcRoot(),
        "usr/bin/broken": { text: `\x7fELF\x02\x01\x01${"\0".repeat(25)}\xff\xff${"\x7f".repeat(200)}`, mode: 0o755 },
        "usr/share/part": `\x7fELF\x02\x01\x01${"\x7f".repeat(200)}`,
      },
      (path) => {
        const line = ["generate", "app@1", "--root", path, "--include", "/usr/share/part"];
        const { status, stderr } = regEnv(fixture, line);
        assert.is(status, 0, stderr);
        assert.ok(existsSync(join(treeOf(fixture, "app@1"), "usr/share/part")));
        const program = regEnv(fixture, [...line, "--replace", "--program", "broken"]);
        assert.is(program.status, 1);
        assert.match(program.stderr, /\/usr\/bin\/broken is a damaged ELF file \(.*\): nothing can load it/);
      },
    ),
  ));

test("a file of more than 2 GiB", () =>
  withFixture((fixture) => {
    const path = busyboxRoot(fixture);
    const head = Buffer.alloc(64);
    head.write("\x7fELF\x02\x01", "latin1");
    writeFileSync(join(path, "srv/app/large.sh"), head);
    chmodSync(join(path, "srv/app/large.sh"), 0o755);
    truncateSync(join(path, "srv/app/large.sh"), 2 ** 31 + 4096);
    const { status, stderr } = regEnv(fixture, ["generate", "app@1", "--root", path, "--include", "/srv/app"]);
    assert.is(status, 0, stderr);
    assert.is(statSync(join(treeOf(fixture, "app@1"), "srv/app/large.sh")).size, 2 ** 31 + 4096);
  }));

test("an option that has one value is refused twice, and a reader that goes away is no error", () =>
  withFixture((fixture) => {
    const path = busyboxRoot(fixture);
    const twice = regEnv(fixture, ["generate", "app@1", "--root", path, "--root", path, "--program", "sh"]);
    assert.is(twice.status, 1);
    assert.match(twice.stderr, /--root is given 2 times/);
    for (const name of ["a@1", "b@1", "c@1"])
      assert.is(regEnv(fixture, ["generate", name, "--root", path, "--program", "sh"]).status, 0);
    const line = `"$0" "$1" stats --store "$2" | true; echo "\${PIPESTATUS[0]}"`;
    const { stdout, stderr } = spawnSync("bash", ["-c", line, process.execPath, REG_ENV, fixture.path("store")], {
      encoding: "utf8",
    });
    assert.equal([stdout, stderr], ["0\n", ""]);
    writeFileSync(join(fixture.path("store"), "default/environments/a@1/manifest.json"), "{");
    const list = regEnv(fixture, ["list"]);
    assert.is(list.status, 0, list.stderr);
    assert.match(list.stdout, /b@1 .*\nc@1 /);
    assert.match(list.stderr, /warning: a@1 can not be read/);
  }));

test("show, diff and tag", () =>
  withFixture((fixture) => {
    const path = busyboxRoot(fixture);
    const made = (name: string, ...include: string[]) =>
      regEnv(fixture, [
        "generate",
        name,
        "--root",
        path,
        ...include.flatMap((each) => ["--include", each]),
        "--",
        "sh",
      ]);
    assert.is(made("one@1", "/etc/one", "/srv/app").status, 0);
    writeFileSync(join(path, "etc/one"), "changed");
    assert.is(made("two@1", "/etc/one", "/etc/two").status, 0);
    const { stdout } = regEnv(fixture, ["show", "one@1", "--files"]);
    assert.match(stdout, /command: sh, in \//);
    assert.match(stdout, /\/srv\/app\/page +4 B +one-files@1 +--include \/srv\/app/);
    const shown = JSON.parse(regEnv(fixture, ["show", "one@1", "--format", "json"]).stdout);
    assert.ok(shown.units.some(({ unit }: { unit: string }) => unit === "one-files@1"));
    const diff = regEnv(fixture, ["diff", "one@1", "two@1"]).stdout;
    assert.match(
      diff,
      /^~ \/etc\/one \(7 B\)\n\+ \/etc\/two \(3 B\)\n- \/srv\/app\/page \(4 B\)\n\d+ files the same, 3 not\n$/,
    );
    assert.is(regEnv(fixture, ["tag", "one@1", "first@latest"]).stdout, "first@latest is what one@1 is\n");
    assert.match(regEnv(fixture, ["tag", "two@1", "first@latest"]).stderr, /is there already, and differs/);
    assert.match(regEnv(fixture, ["diff", "one@1", "first@latest"]).stdout, /^\d+ files the same, 0 not\n$/);
  }));

generate.run();
