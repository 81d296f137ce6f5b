/** Bundles, root filesystems, state directories, sockets and disks that are not as they should be. */
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { defaultSpec } from "../fixtures/bundle.ts";
import { withFixture } from "../fixtures/fixture.ts";
import { REG } from "../paths.ts";
import { cgroups, mounting, need, needs, program, root } from "../testing.ts";
import { create, neutral, refuses, regItself, type Scene, writeConfig } from "./expect.ts";

const host = suite("broken surroundings");
const test = needs(host, regItself, root, mounting, cgroups);
const asNobody = needs(host, regItself, root, mounting, cgroups, program("setpriv"));
const NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];
const BUNDLE_HINT = "\nhint: a bundle is a directory with a config.json: see reg spec";

const withoutResctrl = need("a machine without resctrl", !/ resctrl /.test(readFileSync("/proc/self/mounts", "utf8")));
needs(
  host,
  regItself,
  root,
  mounting,
  cgroups,
  withoutResctrl,
)("linux.intelRdt without resctrl", () =>
  refuses(
    "the resctrl filesystem is not mounted [/linux/intelRdt]\nhint: mount -t resctrl resctrl /sys/fs/resctrl; the processor and the kernel must support it",
    (scene) => {
      const spec = defaultSpec();
      writeConfig(scene, JSON.stringify({ ...spec, linux: { ...spec.linux, intelRdt: { memBwSchema: "MB:0=20" } } }));
      return create(scene);
    },
  ),
);

/** [name, what to do to the bundle, the message] */
const ROOTS: [name: string, change: (scene: Scene) => void, message: string][] = [
  [
    "a rootfs that is missing",
    ({ bundle }) => rmSync(bundle.rootfs, { recursive: true }),
    "openat(2) {bundle}/rootfs: no such file or directory (ENOENT) [/root/path]\nhint: make the root filesystem, or change root.path",
  ],
  [
    "a rootfs that is a file",
    ({ bundle }) => {
      rmSync(bundle.rootfs, { recursive: true });
      writeFileSync(bundle.rootfs, "");
    },
    "openat(2) {bundle}/rootfs: not a directory (ENOTDIR) [/root/path]\nhint: root.path must be a directory, and not a symlink",
  ],
  [
    "a rootfs that is a symlink",
    ({ bundle }) => {
      renameSync(bundle.rootfs, `${bundle.rootfs}-2`);
      symlinkSync("rootfs-2", bundle.rootfs);
    },
    "openat(2) {bundle}/rootfs: not a directory (ENOTDIR) [/root/path]\nhint: root.path must be a directory, and not a symlink",
  ],
  [
    "a rootfs without the program",
    ({ bundle }) => {
      rmSync(bundle.rootfs, { recursive: true });
      mkdirSync(bundle.rootfs);
    },
    'exec: "/bin/true": stat /bin/true: no such file or directory [/process/args/0]',
  ],
  [
    "no config.json",
    ({ bundle }) => rmSync(join(bundle.path, "config.json")),
    `openat(2) {bundle}/config.json: no such file or directory (ENOENT)${BUNDLE_HINT}`,
  ],
  [
    "a config.json that is a folder",
    ({ bundle }) => {
      rmSync(join(bundle.path, "config.json"));
      mkdirSync(join(bundle.path, "config.json"));
    },
    "read(2) {bundle}/config.json: is a directory (EISDIR)",
  ],
];
for (const [name, change, message] of ROOTS)
  test(name, () =>
    refuses(message, (scene) => {
      change(scene);
      return create(scene);
    }),
  );

test("a bundle that is missing", () =>
  refuses(`openat(2) {folder}/nope/config.json: no such file or directory (ENOENT)${BUNDLE_HINT}`, ({ fixture, id }) =>
    fixture.reg("create", "--bundle", fixture.path("nope"), id),
  ));

test("a bundle that is a file", () =>
  refuses(`openat(2) /etc/passwd/config.json: not a directory (ENOTDIR)${BUNDLE_HINT}`, ({ fixture, id }) =>
    fixture.reg("create", "--bundle", "/etc/passwd", id),
  ));

test("another config file that is missing", () =>
  refuses(`openat(2) {bundle}/nope.json: no such file or directory (ENOENT)${BUNDLE_HINT}`, (scene) =>
    create(scene, "--config", "nope.json"),
  ));

test("a program that may not be executed", () =>
  refuses(
    'exec: "/etc/plain": permission denied [/process/args/0]',
    (scene) => {
      writeFileSync(join(scene.bundle.rootfs, "etc/plain"), "text\n", { mode: 0o644 });
      return create(scene);
    },
    { args: ["/etc/plain"] },
  ));

test("a program of an unknown format is told by start", () =>
  withFixture((fixture) => {
    const bundle = fixture.bundle(["/etc/plain"]);
    writeFileSync(join(bundle.rootfs, "etc/plain"), "text\n", { mode: 0o755 });
    const id = fixture.create(bundle);
    const { status, stderr } = fixture.reg("start", id);
    assert.is(status, 1);
    assert.is(
      stderr,
      "reg: execve(2) /etc/plain: exec format error (ENOEXEC) [/process/args/0]\nhint: is it a program for this machine, or a script that begins with #! ?\n",
    );
    fixture.succeed("delete", id);
    fixture.assertNothingLeft();
  }));

test("a config.json of 100 MB is refused at once, and is not kept in memory", () =>
  refuses("read {bundle}/config.json: larger than 32 MiB", ({ fixture, bundle, id }) => {
    writeFileSync(join(bundle.path, "config.json"), Buffer.alloc(100_000_000, " "));
    const started = Date.now();
    // 100 MB of address space for all that the process has.
    const line = `ulimit -v 100000; exec ${REG} --root ${fixture.root} create --bundle ${bundle.path} ${id}`;
    const result = fixture.host("sh", "-c", line);
    assert.ok(Date.now() - started < 5000);
    return result;
  }));

test("an endless config.json", () =>
  refuses("read /dev/zero: larger than 32 MiB", (scene) => create(scene, "--config", "/dev/zero")));

const SOCKETS: [name: string, options: string[], message: string][] = [
  [
    "a console socket without a terminal",
    ["--console-socket", "{folder}/nope"],
    "cannot use console socket if reg will not detach or allocate tty\nhint: --console-socket goes with process.terminal true and a detached container",
  ],
  [
    "a pidfd socket that is missing",
    ["--pidfd-socket", "{folder}/nope"],
    "pidfd socket: connect(2) {folder}/nope: no such file or directory (ENOENT)",
  ],
  [
    "a pid file in a folder that is missing",
    ["--pid-file", "{folder}/nope/pid"],
    "pid file: openat(2) {folder}/nope/pid: no such file or directory (ENOENT)",
  ],
  ["a pid file that is a folder", ["--pid-file", "{folder}"], "pid file: openat(2) {folder}: is a directory (EISDIR)"],
];
for (const [name, options, message] of SOCKETS)
  test(name, () =>
    refuses(message, (scene) =>
      create(scene, ...options.map((option) => option.replace("{folder}", scene.fixture.folder))),
    ),
  );

/** Makes the scene's bundle ask for a terminal. */
function wantTerminal({ fixture }: Scene): Scene["bundle"] {
  return fixture.bundle(["/bin/true"], (spec) => {
    spec.process.terminal = true;
  });
}

test("a console socket that is missing", () =>
  refuses("console socket: connect(2) {folder}/nope: no such file or directory (ENOENT)", (scene) =>
    create({ ...scene, bundle: wantTerminal(scene) }, "--console-socket", scene.fixture.path("nope")),
  ));

test("a console socket that is a file", () =>
  refuses("console socket: connect(2) {folder}/file: connection refused (ECONNREFUSED)", (scene) =>
    create({ ...scene, bundle: wantTerminal(scene) }, "--console-socket", scene.fixture.write("file", "")),
  ));

test("a console socket that is missing, whose path is longer than an address", () => {
  const long = `/${"s".repeat(120)}`;
  refuses(`console socket: openat(2) ${long}: no such file or directory (ENOENT)`, (scene) =>
    create({ ...scene, bundle: wantTerminal(scene) }, "--console-socket", long),
  );
});

test("an id that is taken leaves the container that has it", () =>
  withFixture((fixture) => {
    const bundle = fixture.sleeper();
    const id = fixture.create(bundle);
    const { status, stderr } = fixture.reg("create", "--bundle", bundle.path, id);
    assert.is(status, 1);
    assert.is(
      stderr,
      `reg: container with given ID already exists: "${id}"\nhint: choose another id, or remove it: reg delete ${id}\n`,
    );
    assert.is(fixture.state(id).status, "created");
    fixture.succeed("delete", "--force", id);
    fixture.assertNothingLeft();
  }));

test("a state directory that is a file", () =>
  refuses(
    "state directory: openat(2) {folder}/file: not a directory (ENOTDIR)\nhint: --root names the directory for container state",
    ({ fixture, bundle, id }) =>
      fixture.host(REG, "--root", fixture.write("file", ""), "create", "--bundle", bundle.path, id),
  ));

test("a list of a state directory that is a file", () =>
  refuses("openat(2) {folder}/file: not a directory (ENOTDIR)", ({ fixture }) =>
    fixture.host(REG, "--root", fixture.write("file", ""), "list"),
  ));

asNobody("a state directory that the caller may not make", () =>
  refuses(
    "state directory: mkdirat(2) {folder}/own: permission denied (EACCES)\nhint: run as root, or choose a directory of your own with --root",
    ({ fixture, bundle, id }) =>
      fixture.host(...NOBODY, REG, "--root", fixture.path("own"), "create", "--bundle", bundle.path, id),
  ),
);

asNobody("a container of another user", () =>
  withFixture((fixture) => {
    const id = fixture.create(fixture.sleeper());
    chmodSync(fixture.root, 0o700);
    const result = fixture.host(...NOBODY, REG, "--root", fixture.root, "kill", id);
    assert.is(result.stderr, `reg: openat(2) ${fixture.root}/${id}: permission denied (EACCES)\n`);
    assert.is(fixture.state(id).status, "created");
  }),
);

asNobody("a bundle that the caller may not read", () =>
  refuses("openat(2) {bundle}/config.json: permission denied (EACCES)", ({ fixture, bundle, id }) => {
    chmodSync(join(bundle.path, "config.json"), 0o600);
    return fixture.host(...NOBODY, REG, "--root", fixture.root, "create", "--bundle", bundle.path, id);
  }),
);

/** `create` with its state on a tmpfs of these options, in a mount namespace of its own; then what is on it. */
function onSmallDisk({ fixture, bundle, id }: Scene, options: string) {
  const disk = fixture.path("disk");
  mkdirSync(disk, { recursive: true });
  const script = `mount -t tmpfs -o ${options} tmpfs ${disk}
${REG} --root ${disk}/state create --bundle ${bundle.path} ${id}
status=$?
find ${disk}/state -mindepth 1 2>/dev/null
exit $status`;
  return fixture.host("unshare", "--mount", "sh", "-c", script);
}

const DISKS: [name: string, options: string, message: string][] = [
  [
    "a full disk",
    "size=4k",
    "state directory: write(2) {folder}/disk/state/{id}/config.json: no space left on device (ENOSPC)\nhint: the filesystem of {folder}/disk/state/{id} is full",
  ],
  [
    "a disk without room for a directory",
    "nr_inodes=1",
    "state directory: mkdirat(2) {folder}/disk/state: no space left on device (ENOSPC)\nhint: the filesystem of {folder}/disk/state is full",
  ],
  [
    "a disk without room for a file",
    "nr_inodes=3",
    "state directory: openat(2) creating.json: no space left on device (ENOSPC)\nhint: the filesystem of {folder}/disk/state/{id} is full",
  ],
  [
    "a read-only disk",
    "ro",
    "state directory: mkdirat(2) {folder}/disk/state: read-only file system (EROFS)\nhint: --root names the directory for container state",
  ],
];
for (const [name, options, message] of DISKS)
  test(`state on ${name}`, () => refuses(message, (scene) => onSmallDisk(scene, options)));

test("a log on a full disk does not hide how the command ended", () =>
  withFixture((fixture) => {
    const scene = { fixture, bundle: fixture.bundle(["/bin/true"]), id: fixture.id() };
    const result = fixture.host(REG, "--root", fixture.root, "--log", "/dev/full", "state", scene.id);
    assert.is(result.status, 1);
    assert.is(
      neutral(result.stderr, scene),
      'reg: warning: write(2) the log: no space left on device (ENOSPC)\nreg: container "{id}" does not exist\n',
    );
  }));

test("standard output that is full or closed is an error", () =>
  withFixture((fixture) => {
    const full = fixture.host("sh", "-c", `${REG} features >/dev/full`);
    assert.is(full.status, 1);
    assert.is(full.stderr, "reg: write(2) standard output: no space left on device (ENOSPC)\n");
    const closed = fixture.host("sh", "-c", `${REG} features >&-`);
    assert.is(closed.status, 1);
    assert.match(closed.stderr, /standard output/);
  }));

test("a chroot, whose root is no mount point", () =>
  withFixture((fixture) => {
    const bundle = fixture.bundle(["/bin/true"]);
    const script = `
      cd ${bundle.rootfs}
      mkdir -p sys/fs/cgroup bundle
      cp ${REG} reg
      mount -t proc proc proc
      mount --rbind /sys/fs/cgroup sys/fs/cgroup
      mount --bind ${bundle.path} bundle
      chroot . /reg --root /dev/state run --bundle /bundle ${fixture.id()}`;
    const { status, stderr } = fixture.host("unshare", "--mount", "sh", "-ec", script);
    assert.is(status, 1);
    assert.match(stderr, /mount\(2\) the propagation of \/: invalid argument \(EINVAL\)\nhint: .*chroot.*pivot_root/);
  }));

host.run();
