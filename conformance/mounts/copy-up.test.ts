/** tmpcopyup: a tmpfs that begins with what the image has in its place, as `cp -a` would copy it; or not at all. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Bundle, Spec } from "../fixtures/bundle.ts";
import { type Fixture, withFixture } from "../fixtures/fixture.ts";
import { cgroups, mounting, needs, root } from "../testing.ts";

const copyUp = suite("tmpcopyup");
const test = needs(copyUp, root, mounting, cgroups);

/** Fills a folder with everything that a directory can hold. */
const FILL = `
import os, socket, sys
os.chdir(sys.argv[1])
os.makedirs("deep/er/est"); os.mkdir("closed")
open("file", "w").write("text"); open("deep/er/est/file", "w").write("x" * 200000)
open("setuid", "w").write("program"); open("closed/file", "w").write("inside")
os.link("file", "hard"); os.link("file", "deep/hard")
os.symlink("file", "link"); os.symlink("/nowhere", "dangling"); os.symlink("x" * 4000, "long")
os.mkfifo("fifo"); os.mknod("device", 0o20644, os.makedev(1, 3)); os.mknod("disk", 0o60640, os.makedev(259, 300))
socket.socket(socket.AF_UNIX).bind("socket")
with open("sparse", "wb") as f:
    f.truncate(1 << 30); f.seek(1 << 29); f.write(b"middle")
open("empty-sparse", "wb").truncate(1 << 28)
os.setxattr("file", "trusted.note", b"a\\0b"); os.setxattr("deep", "trusted.folder", b"1")
os.setxattr("link", "trusted.link", b"1", follow_symlinks=False)
os.setxattr("setuid", "security.capability", bytes.fromhex("0100000200040000000000000000000000000000"))
for path, uid, gid in (("file", 1000, 1001), ("deep/er", 12, 13), ("setuid", 5, 6), ("link", 7, 8), ("fifo", 9, 9), (".", 21, 22)):
    os.chown(path, uid, gid, follow_symlinks=False)
os.setxattr("setuid", "security.capability", bytes.fromhex("0100000200040000000000000000000000000000"))
os.chmod("setuid", 0o6755); os.chmod("deep", 0o3711); os.chmod("closed", 0o500); os.chmod("file", 0o444)
for folder, folders, files in os.walk(".", topdown=False):
    for name in folders + files:
        os.utime(os.path.join(folder, name), ns=(1000000000123456789, 987654321987654321), follow_symlinks=False)
`;

/** One line for each file: all that lstat(2) and the attributes say, without what the machine decides. */
const LIST = `
import os, sys
os.chdir(sys.argv[1])
groups = {}
def line(path):
    s = os.lstat(path)
    first = groups.setdefault(s.st_ino, path)
    kind = s.st_mode >> 12
    text = [path, oct(s.st_mode), s.st_uid, s.st_gid]
    if kind != 4: text += ["same as " + first, s.st_nlink, s.st_rdev, s.st_size]
    if path != ".": text += [s.st_mtime_ns]
    if kind == 8: text += ["holes" if s.st_blocks * 512 < s.st_size // 2 else "", hash(open(path, "rb").read(300000))]
    if kind == 10: text += [os.readlink(path)]
    text += [(n, os.getxattr(path, n, follow_symlinks=False)) for n in sorted(os.listxattr(path, follow_symlinks=False))]
    print(*text)
line(".")
for folder, folders, files in os.walk("."):
    folders.sort()
    for name in sorted(folders + files): line(os.path.join(folder, name))
`;

function python(script: string, folder: string): string {
  return execFileSync("python3", ["-c", script, folder], {
    encoding: "utf8",
    env: { ...process.env, PYTHONHASHSEED: "0" },
  });
}

function tmpfs(spec: Spec, ...options: string[]): void {
  spec.mounts.push({ destination: "/data", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup", ...options] });
}

function withData(bundle: Bundle, fill: (folder: string) => void): Bundle {
  const folder = join(bundle.rootfs, "data");
  mkdirSync(folder);
  fill(folder);
  return bundle;
}

test("the copy is the image's directory: links, holes, owners, modes, attributes, devices, times", () =>
  withFixture((fixture) => {
    const bundle = withData(
      fixture.sleeper((spec) => tmpfs(spec)),
      (folder) => python(FILL, folder),
    );
    const id = fixture.launch(bundle);
    const copy = `/proc/${fixture.state(id).pid}/root/data`;
    assert.equal(python(LIST, copy).split("\n"), python(LIST, join(bundle.rootfs, "data")).split("\n"));
  }));

test("a directory deeper than any recursion is copied", () =>
  withFixture((fixture) => {
    const bundle = withData(
      fixture.shell("p=/data; n=0; while [ -d $p/d ]; do p=$p/d; n=$((n + 1)); done; echo $n", (spec) => tmpfs(spec)),
      (folder) => mkdirSync(join(folder, "d/".repeat(1500)), { recursive: true }),
    );
    const { status, stdout, stderr } = fixture.reg("run", "--bundle", bundle.path, fixture.id());
    assert.is(status, 0, stderr);
    assert.is(stdout, "1500\n");
  }));

test("in a user namespace, files of users that it does not have are root's", () =>
  withFixture((fixture) => {
    const bundle = withData(
      fixture.shell("stat -c %u:%g /data/mine /data/other", (spec) => {
        tmpfs(spec);
        spec.linux.namespaces.push({ type: "user" });
        spec.linux.uidMappings = [{ containerID: 0, hostID: 0, size: 10 }];
        spec.linux.gidMappings = [{ containerID: 0, hostID: 0, size: 10 }];
      }),
      (folder) => {
        writeFileSync(join(folder, "mine"), "");
        writeFileSync(join(folder, "other"), "");
        execFileSync("chown", ["500:500", join(folder, "other")]);
      },
    );
    const { status, stdout, stderr } = fixture.reg("run", "--bundle", bundle.path, fixture.id());
    assert.is(status, 0, stderr);
    assert.is(stdout, "0:0\n0:0\n");
  }));

/** The container's program says that it ran. */
function refuses(fixture: Fixture, options: readonly string[], words: RegExp): void {
  const bundle = withData(
    fixture.shell("echo ran", (spec) => tmpfs(spec, ...options)),
    (folder) => writeFileSync(join(folder, "large"), new Uint8Array(1 << 20)),
  );
  const result = fixture.fail(words, ["run", "--bundle", bundle.path, fixture.id()]);
  assert.is(result.stdout, "");
  assert.not(existsSync(fixture.path("ran")));
  fixture.assertNothingLeft();
}

test("a tmpfs that is too small is an error, and nothing is started", () =>
  withFixture((fixture) => refuses(fixture, ["size=64k"], /data\b.*no space left on device/s)));

test("so is one with too few inodes", () =>
  withFixture((fixture) => refuses(fixture, ["nr_inodes=1"], /data\b.*no space left on device/s)));

copyUp.run();
