/** Descriptors of the runtime's own never become the container's, whatever a caller says is to be preserved (CVE-2024-21626). */
import { openSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Spec } from "../fixtures/bundle.ts";
import { type Fixture, withFixture } from "../fixtures/fixture.ts";
import { cgroups, mounting, needs, root } from "../testing.ts";

const descriptors = suite("descriptors");
const test = needs(descriptors, root, mounting, cgroups);

/** The descriptors of a program in the container, with what they are. */
const LIST = "ls -l /proc/self/fd";

/** Those of them that the program was given beside 0, 1 and 2; the folder that it lists is its own. */
function opened(text: string): number[] {
  return [...text.matchAll(/ (\d+) -> (?!\/proc\/\d+\/fd)/g)].map((match) => Number(match[1])).filter((fd) => fd > 2);
}

/** Calls the runtime with these descriptors from 3 on; "hole" is one that is not open. */
function call(fixture: Fixture, given: readonly ("file" | "hole")[], env: Record<string, string>, ...args: string[]) {
  const file = fixture.write("given", "given");
  // Node gives no process a hole: a shell closes what is one.
  const holes = given.flatMap((kind, index) => (kind === "hole" ? [`${index + 3}>&-`] : []));
  // What else this process was started with goes, too.
  const clean = `for f in /proc/$$/fd/*; do n=\${f##*/}; [ $n -le ${2 + given.length} ] || eval "exec $n>&-"; done`;
  const line = `${clean}; exec "$@" ${holes.join(" ")}`;
  const stdio = ["ignore", "ignore", "ignore", ...given.map(() => openSync(file, "r"))] as ("ignore" | number)[];
  return fixture.hostWith(
    { stdio, env: { ...process.env, ...env } },
    "bash",
    "-c",
    line,
    "sh",
    ...fixture.command(...args),
  );
}

const CASES: readonly (readonly [
  name: string,
  given: readonly ("file" | "hole")[],
  count: string,
  kept: readonly number[],
])[] = [
  ["as many as are open", ["file", "file"], "2", [3, 4]],
  ["more than are open", ["file"], "6", [3]],
  ["none that is open", [], "5", []],
  ["with a hole between them", ["file", "hole", "file"], "3", [3, 5]],
  ["a hole first", ["hole", "file"], "2", [4]],
  ["beyond what the runtime holds", ["file"], "600", [3]],
];

const log = (fixture: Fixture) => ["--log", fixture.path("log"), "--log-format", "json"];

for (const [name, given, count, kept] of CASES) {
  test(`run --preserve-fds: ${name}`, () =>
    withFixture((fixture) => {
      const { path } = fixture.shell(LIST);
      const result = call(
        fixture,
        given,
        {},
        ...log(fixture),
        "run",
        "--bundle",
        path,
        "--preserve-fds",
        count,
        fixture.id(),
      );
      assert.is(result.status, 0, result.stderr);
      assert.equal(opened(result.stdout), kept);
    }));

  test(`create and start --preserve-fds: ${name}`, () =>
    withFixture((fixture) => {
      const { path } = fixture.shell(LIST);
      const id = fixture.id();
      const result = call(fixture, given, {}, ...log(fixture), "create", "--bundle", path, "--preserve-fds", count, id);
      assert.is(result.status, 0, result.stderr);
      const { stdout } = fixture.lastOutput();
      fixture.succeed("start", id);
      fixture.waitForStatus(id, "stopped");
      assert.equal(opened(fixture.read(stdout.slice(fixture.folder.length + 1))), kept);
      fixture.succeed("delete", id);
      fixture.assertNothingLeft();
    }));

  test(`exec --preserve-fds: ${name}`, () =>
    withFixture((fixture) => {
      const id = fixture.launch(fixture.sleeper());
      const result = call(fixture, given, {}, ...log(fixture), "exec", "--preserve-fds", count, id, "sh", "-c", LIST);
      assert.is(result.status, 0, result.stderr);
      assert.equal(opened(result.stdout), kept);
    }));
}

test("no program of the host is named by a number among the preserved ones", () =>
  withFixture((fixture) => {
    const climb = (fd: number) => `/proc/self/fd/${fd}/../../../../../../../../bin/true`;
    for (let fd = 3; fd < 16; fd++) {
      const { path } = fixture.bundle([climb(fd)], (spec: Spec) => {
        spec.mounts = spec.mounts.filter(({ destination }) => destination === "/proc");
      });
      const result = call(
        fixture,
        [],
        {},
        ...log(fixture),
        "run",
        "--bundle",
        path,
        "--preserve-fds",
        "16",
        fixture.id(),
      );
      assert.is(result.status, 1, `${climb(fd)} ran`);
      assert.match(result.stderr, /no such file or directory|not a directory/);
    }
  }));

test("the working directory cannot be a descriptor of the runtime's", () =>
  withFixture((fixture) => {
    for (let fd = 3; fd < 16; fd++) {
      const { path } = fixture.bundle(["/bin/true"], (spec: Spec) => {
        spec.process.cwd = `/proc/self/fd/${fd}`;
      });
      assert.is(call(fixture, [], {}, "run", "--bundle", path, "--preserve-fds", "16", fixture.id()).status, 1);
    }
    fixture.assertNothingLeft();
  }));

test("a caller's closed standard descriptors are no room for the state directory", () =>
  withFixture((fixture) => {
    const id = fixture.id();
    const { path } = fixture.sleeper();
    const line = fixture.command("create", "--bundle", path, "--preserve-fds", "1", id).join(" ");
    assert.is(fixture.host("sh", "-c", `exec ${line} <&- 3</dev/null`).status, 0);
    fixture.succeed("start", id);
    fixture.succeed("delete", "--force", id);
    fixture.assertNothingLeft();
  }));

test("LISTEN_FDS counts only for the process of LISTEN_PID", () =>
  withFixture((fixture) => {
    const { path } = fixture.shell(`${LIST}; echo "fds $LISTEN_FDS"`);
    const other = call(fixture, ["file"], { LISTEN_FDS: "1", LISTEN_PID: "1" }, "run", "--bundle", path, fixture.id());
    assert.equal([other.status, opened(other.stdout)], [0, []]);
    assert.match(other.stdout, "fds \n");
    // `exec` keeps the shell's pid.
    const line = `LISTEN_PID=$$ LISTEN_FDS=3 exec ${fixture.command("run", "--bundle", path, fixture.id()).join(" ")} 3</dev/null 4<&- 5<&-`;
    const mine = fixture.host("sh", "-c", line);
    assert.equal([mine.status, opened(mine.stdout)], [0, [3]], mine.stderr);
    assert.match(mine.stdout, "fds 3");
  }));

test("more than the limit of open files allows is an error", () =>
  withFixture((fixture) => {
    const { path } = fixture.bundle(["/bin/true"]);
    const line = fixture.command("run", "--bundle", path, "--preserve-fds", "1000", fixture.id()).join(" ");
    const result = fixture.host("sh", "-c", `ulimit -n 256; ${line}`);
    assert.is(result.status, 1);
    assert.match(result.stderr, "cannot preserve 1000 descriptors: this process may have 256 open files");
    fixture.assertNothingLeft();
  }));

descriptors.run();
