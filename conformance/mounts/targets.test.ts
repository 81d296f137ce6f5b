/** Where bind mounts go: targets that an image makes odd, and what of a mount is a symlink. */
import { existsSync, lstatSync, mkdirSync, readlinkSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Fixture, type Result, withFixture } from "../fixtures/fixture.ts";
import { cgroups, mounting, needs, root } from "../testing.ts";

const targets = suite("targets of mounts");
const test = needs(targets, root, mounting, cgroups);

interface Bind {
  readonly source: string;
  readonly destination: string;
  readonly options?: string[];
}

/** Runs a line of shell in a container with these mounts; `image` prepares its root. */
function run(
  fixture: Fixture,
  binds: readonly Bind[],
  script: string,
  image: (rootfs: string) => void = () => {},
): Result & { rootfs: string } {
  const bundle = fixture.shell(script, (spec) => {
    for (const { options = [], ...bind } of binds)
      spec.mounts.push({ ...bind, type: "bind", options: ["bind", ...options] });
  });
  image(bundle.rootfs);
  return { ...fixture.reg("run", "--bundle", bundle.path, fixture.id()), rootfs: bundle.rootfs };
}

/** A folder with a file, both named so. */
function makeSource(fixture: Fixture): { folder: string; file: string } {
  const folder = fixture.path("source");
  mkdirSync(folder);
  writeFileSync(join(folder, "file"), "content\n");
  return { folder, file: join(folder, "file") };
}

function shows(result: Result, text: string): void {
  assert.is(result.status, 0, result.stderr);
  assert.is(result.stdout, text);
}

const LINKS: [name: string, target: string, place: string][] = [
  ["absolute", "/made/for/it", "/made/for/it"],
  ["relative", "made/for/it", "/sub/made/for/it"],
  ["that climbs beyond the root", "../../../made", "/made"],
  ["over another one that leads nowhere", "hop/it", "/made/it"],
];
for (const [name, target, place] of LINKS) {
  const image = (rootfs: string) => {
    mkdirSync(join(rootfs, "sub"));
    symlinkSync(target, join(rootfs, "sub/link"));
    symlinkSync("/made", join(rootfs, "sub/hop"));
  };
  test(`a directory is mounted on a dangling symlink, ${name}: its target is made in the root`, () =>
    withFixture((fixture) => {
      const { folder } = makeSource(fixture);
      const result = run(
        fixture,
        [{ source: folder, destination: "/sub/link" }],
        `cat /sub/link/file ${place}/file`,
        image,
      );
      shows(result, "content\ncontent\n");
      assert.ok(lstatSync(join(result.rootfs, place)).isDirectory());
    }));
  test(`a file is mounted on a dangling symlink, ${name}`, () =>
    withFixture((fixture) => {
      const { file } = makeSource(fixture);
      const result = run(fixture, [{ source: file, destination: "/sub/link" }], `cat ${place}`, image);
      shows(result, "content\n");
      assert.ok(lstatSync(join(result.rootfs, place)).isFile());
    }));
}

test("a loop of symlinks is an error", () =>
  withFixture((fixture) => {
    const { folder } = makeSource(fixture);
    const result = run(fixture, [{ source: folder, destination: "/a/x" }], "true", (rootfs) => {
      symlinkSync("b", join(rootfs, "a"));
      symlinkSync("a", join(rootfs, "b"));
    });
    assert.is(result.status, 1);
    assert.match(result.stderr, /too many levels of symbolic links.*\/mounts\//);
  }));

test("'..' behind what is missing takes it back", () =>
  withFixture((fixture) => {
    const { folder } = makeSource(fixture);
    shows(
      run(fixture, [{ source: folder, destination: "/missing/../../there/./x/.." }], "cat /there/file"),
      "content\n",
    );
  }));

test("a target of 1,200 missing folders is made", () =>
  withFixture((fixture) => {
    const { file } = makeSource(fixture);
    const destination = `${"/d".repeat(1200)}/file`;
    shows(run(fixture, [{ source: file, destination }], `cat ${destination}`), "content\n");
  }));

// Docker looks for "not a directory": it explains, and exits with 127.
test("a directory on a file, and a file on a directory: not a directory", () =>
  withFixture((fixture) => {
    const { folder, file } = makeSource(fixture);
    for (const bind of [
      { source: folder, destination: "/bin/busybox" },
      { source: file, destination: "/etc" },
    ]) {
      const result = run(fixture, [bind], "true");
      assert.is(result.status, 1);
      assert.match(result.stderr, /not a directory.*\[\/mounts\/\d+\]\nhint: \S+ is a directory, and \S+ is not/s);
    }
  }));

test("src-nofollow mounts a symlink itself", () =>
  withFixture((fixture) => {
    const { folder } = makeSource(fixture);
    symlinkSync("file", join(folder, "link"));
    const bind = { source: join(folder, "link"), destination: "/etc/link", options: ["src-nofollow"] };
    shows(run(fixture, [bind], "readlink /etc/link"), "file\n");
  }));

test("dest-nofollow mounts on a symlink itself", () =>
  withFixture((fixture) => {
    const { file } = makeSource(fixture);
    const bind = { source: file, destination: "/etc/link", options: ["dest-nofollow"] };
    const result = run(fixture, [bind], "cat /etc/link; cat /etc/target", (rootfs) => {
      writeFileSync(join(rootfs, "etc/target"), "untouched\n");
      symlinkSync("target", join(rootfs, "etc/link"));
    });
    shows(result, "content\nuntouched\n");
  }));

test("copy-symlink makes the symlink again, and mounts what is none", () =>
  withFixture((fixture) => {
    const { folder, file } = makeSource(fixture);
    symlinkSync("/anywhere", join(folder, "link"));
    const options = ["copy-symlink"];
    const binds = [
      { source: join(folder, "link"), destination: "/new/link", options },
      { source: file, destination: "/etc/file", options },
    ];
    const result = run(fixture, binds, "readlink /new/link; cat /etc/file");
    shows(result, "/anywhere\ncontent\n");
    assert.is(readlinkSync(join(result.rootfs, "new/link")), "/anywhere");
    assert.not(existsSync("/anywhere"));
    const other = run(fixture, binds.slice(0, 1), "true", (rootfs) => {
      mkdirSync(join(rootfs, "new"));
      symlinkSync("/elsewhere", join(rootfs, "new/link"));
    });
    assert.is(other.status, 1);
    assert.match(other.stderr, /file exists/);
  }));

targets.run();
