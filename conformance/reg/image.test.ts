/** Environments as images: written, read back with all that is shared, and made of the images of others. */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { headerOf, paddingOf, type TarEntry } from "../../runtime/reg-env/image/tar.ts";
import { makeRootfs } from "../fixtures/bundle.ts";
import { type Fixture, withFixture } from "../fixtures/fixture.ts";
import { REG, TOP } from "../paths.ts";
import { cgroups, mounting, needs, program, root } from "../testing.ts";

const images = suite("reg-env: environments as images");
const test = needs(images, root, program("busybox"));

const REG_ENV = join(TOP, "dist/runtime/reg-env/main.js");

function regEnv(fixture: Fixture, [command = "", ...args]: readonly string[], store = "store") {
  const line = [REG_ENV, command, "--store", fixture.path(store), ...args];
  return spawnSync(process.execPath, line, { encoding: "utf8", env: { ...process.env, REG }, timeout: 60_000 });
}

/** A root with two packages, one of them larger than what shares a layer, a user, and odd modes. */
function makeRoot(fixture: Fixture): string {
  const path = fixture.path("root");
  makeRootfs(path);
  const write = (name: string, text: string | Buffer, mode = 0o644) => {
    mkdirSync(join(path, dirname(name)), { recursive: true });
    writeFileSync(join(path, name), text);
    chmodSync(join(path, name), mode);
  };
  const status = (name: string) => `Package: ${name}\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n\n`;
  write("var/lib/dpkg/status", ["large", "small", "tiny"].map(status).join(""));
  write("var/lib/dpkg/info/large.list", "/.\n/opt/large\n/opt/large/data\n");
  write("var/lib/dpkg/info/small.list", "/.\n/opt/small\n/opt/small/tool\n/opt/small/long\n");
  write("var/lib/dpkg/info/tiny.list", "/.\n/opt/tiny\n");
  write("opt/large/data", Buffer.alloc(700_000, "large"));
  write("opt/small/tool", "tool", 0o4755);
  write(`opt/small/${"long/".repeat(30)}name-ü`, "deep");
  write("opt/tiny", "tiny");
  write("etc/passwd", "root:x:0:0::/root:/bin/sh\nweb:x:33:33::/:/bin/sh\n");
  mkdirSync(join(path, "opt/small/own"), { mode: 0o2750 });
  chmodSync(join(path, "opt/small/own"), 0o2750);
  write("opt/small/own/file", "");
  chownSync(join(path, "opt/small/own"), 7, 8);
  return path;
}

const INCLUDE = ["/opt/large", "/opt/small", "/opt/tiny"].flatMap((path) => ["--include", path]);

function generate(fixture: Fixture, name: string, ...more: string[]) {
  const line = ["generate", name, "--root", fixture.path("root"), "--env", "A=b c", "--user", "web", ...more];
  const { status, stderr } = regEnv(fixture, [...line, "--", "sh", "-c", "id -u; echo $A; cat /opt/tiny"]);
  assert.is(status, 0, stderr);
}

const manifestOf = (fixture: Fixture, store: string, name: string) =>
  JSON.parse(readFileSync(fixture.path(`${store}/default/environments/${name}/manifest.json`), "utf8")) as {
    tree: string;
  };

const digestIn = (text: string) => /sha256:[0-9a-f]{64}/.exec(text)?.[0] ?? "";

for (const format of ["oci", "oci-archive", "docker-archive"])
  for (const compress of [false, true])
    test(`${format}${compress ? " by gzip" : ""}: back with the same tree, units and objects`, () =>
      withFixture((fixture) => {
        makeRoot(fixture);
        generate(fixture, "app@1.2+x~1", ...INCLUDE);
        const image = fixture.path("image");
        const line = ["export", "app@1.2+x~1", image, "--format", format, ...(compress ? ["--compress"] : [])];
        const written = regEnv(fixture, line);
        assert.is(written.status, 0, written.stderr);
        assert.match(regEnv(fixture, line).stderr, /is there already/);
        const digest = digestIn(written.stdout);
        const other = regEnv(fixture, ["install", image, "--digest", digest], "other");
        assert.is(other.status, 0, other.stderr);
        assert.match(other.stderr, /tool runs with the rights of its owner/);
        assert.equal(manifestOf(fixture, "other", "app@1.2+x~1"), manifestOf(fixture, "store", "app@1.2+x~1"));
        const verify = regEnv(fixture, ["verify"], "other");
        assert.is(verify.status, 0, verify.stdout);
        const again = regEnv(fixture, ["install", image]);
        assert.match(again.stdout, /was there already, the same/, again.stderr);
        assert.match(regEnv(fixture, ["explain", "app@1.2+x~1", "/opt/large/data"]).stdout, /include: --include/);
        const wrong = regEnv(fixture, ["install", image, "--digest", `sha256:${"0".repeat(64)}`], "other");
        assert.match(wrong.stderr, /has the digest sha256:.*, not sha256:0000/);
        const files = readdirSync(fixture.folder).filter((name) => name.startsWith("image"));
        assert.equal(files, ["image"]);
      }));

test("the same units make the same layers, whatever else is in the environment, and there is no date", () =>
  withFixture((fixture) => {
    makeRoot(fixture);
    generate(fixture, "one@1", ...INCLUDE);
    generate(fixture, "two@1", "--include", "/opt/large");
    const blobs = (name: string, path: string) => {
      const { status, stderr } = regEnv(fixture, ["export", name, fixture.path(path), "--format", "oci"]);
      assert.is(status, 0, stderr);
      return readdirSync(fixture.path(`${path}/blobs/sha256`));
    };
    const one = blobs("one@1", "one");
    const two = blobs("two@1", "two");
    assert.equal(blobs("one@1", "again"), one);
    const large = (path: string, names: readonly string[]) =>
      names.filter(
        (name) => statSync(fixture.path(`${path}/blobs/sha256/${name}`)).size > 700_000 && two.includes(name),
      );
    assert.is(large("one", one).length, 1);
    const { units } = manifestOf(fixture, "store", "one@1") as unknown as { units: unknown[] };
    assert.ok(units.length > 3);
    // Two packages share a layer, if their names say so, and no path is twice in one.
    for (const name of one) {
      const { stdout, status } = spawnSync("tar", ["-tf", fixture.path(`one/blobs/sha256/${name}`)], {
        encoding: "utf8",
      });
      const paths = status === 0 ? stdout.split("\n").filter(Boolean) : [];
      assert.is(new Set(paths).size, paths.length);
    }
  }));

/** Packs all layers of a layout by zstd(1), as engines do it. */
function packByZstd(layout: string): void {
  const blob = (digest: string) => join(layout, "blobs/sha256", digest.slice(7));
  const json = (path: string) => JSON.parse(readFileSync(path, "utf8"));
  const put = (bytes: Buffer) => {
    const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
    writeFileSync(blob(digest), bytes);
    return { digest, size: bytes.length };
  };
  const index = json(join(layout, "index.json"));
  const manifest = json(blob(index.manifests[0].digest));
  manifest.layers = manifest.layers.map(({ digest, mediaType }: { digest: string; mediaType: string }) => {
    const { stdout } = spawnSync("zstd", ["--quiet", "--stdout", blob(digest)], { maxBuffer: 64 * 1024 * 1024 });
    return { mediaType: `${mediaType}+zstd`, ...put(stdout) };
  });
  Object.assign(index.manifests[0], put(Buffer.from(JSON.stringify(manifest))));
  writeFileSync(join(layout, "index.json"), JSON.stringify(index));
}

needs(
  images,
  root,
  program("busybox"),
  program("zstd"),
)("layers that zstd packed are unpacked by it", () =>
  withFixture((fixture) => {
    makeRoot(fixture);
    generate(fixture, "app@1", ...INCLUDE);
    const image = fixture.path("image");
    regEnv(fixture, ["export", "app@1", image, "--format", "oci"]);
    packByZstd(image);
    const without = spawnSync(process.execPath, [REG_ENV, "install", "--store", fixture.path("other"), image], {
      encoding: "utf8",
      env: { ...process.env, PATH: fixture.folder },
    });
    assert.match(without.stderr, /compressed by zstd, and zstd can not be run.*\nhint: install Debian's package zstd/);
    const { status, stderr } = regEnv(fixture, ["install", image], "other");
    assert.is(status, 0, stderr);
    assert.equal(manifestOf(fixture, "other", "app@1"), manifestOf(fixture, "store", "app@1"));
  }),
);

test("a bill of materials names units with why they are in", () =>
  withFixture((fixture) => {
    makeRoot(fixture);
    generate(fixture, "app@1", ...INCLUDE);
    const sbom = fixture.path("sbom");
    regEnv(fixture, ["export", "app@1", fixture.path("image"), "--format", "oci", "--sbom", sbom]);
    const { spdxVersion, packages } = JSON.parse(readFileSync(sbom, "utf8")) as {
      spdxVersion: string;
      packages: { name: string; versionInfo: string; comment: string }[];
    };
    assert.is(spdxVersion, "SPDX-2.3");
    const large = packages.find(({ name }) => name === "large");
    assert.equal([large?.versionInfo, large?.comment], ["1", "1 files; /opt/large/data: --include /opt/large"]);
  }));

test("what was changed on its way is refused, and nothing is left in the store", () =>
  withFixture((fixture) => {
    makeRoot(fixture);
    generate(fixture, "app@1", ...INCLUDE);
    const flip = (path: string, at: number) => {
      const bytes = readFileSync(path);
      bytes[at] = (bytes[at] ?? 0) ^ 1;
      writeFileSync(path, bytes);
    };
    for (const format of ["oci", "docker-archive"]) {
      const image = fixture.path(format);
      regEnv(fixture, ["export", "app@1", image, "--format", format]);
      if (format === "oci") {
        const blobs = join(image, "blobs/sha256");
        const [largest = ""] = readdirSync(blobs).sort(
          (a, b) => statSync(join(blobs, b)).size - statSync(join(blobs, a)).size,
        );
        flip(join(blobs, largest), 200_000);
      } else flip(image, statSync(image).size - 600_000);
      const { status, stderr } = regEnv(fixture, ["install", image], "other");
      assert.is(status, 1);
      assert.match(stderr, /has another digest; it was changed on its way|no tar archive|checksum/, format);
    }
    assert.equal(readdirSync(fixture.path("other/default/tmp")), []);
    assert.equal(readdirSync(fixture.path("other/default/environments")), []);
    for (const text of ["", "not an archive".repeat(100)]) {
      writeFileSync(fixture.path("odd"), text);
      assert.match(
        regEnv(fixture, ["install", fixture.path("odd")], "other").stderr,
        /no image that can be read|no tar archive/,
      );
    }
  }));

/** An archive as `docker save` writes it, of layers made by hand. */
function dockerArchive(path: string, layers: readonly (readonly [TarEntry, string?][])[], config: object = {}): void {
  const archive = (entries: readonly (readonly [TarEntry, (string | Buffer)?])[]) =>
    Buffer.concat([
      ...entries.flatMap(([entry, content = ""]) => {
        const bytes = Buffer.from(content);
        return [headerOf({ ...entry, sizeBytes: bytes.length }), bytes, Buffer.alloc(paddingOf(bytes.length))];
      }),
      Buffer.alloc(1024),
    ]);
  const blobs = layers.map((entries) => archive(entries));
  const diffIds = blobs.map((bytes) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`);
  const document = JSON.stringify({
    architecture: "amd64",
    os: "linux",
    config,
    rootfs: { type: "layers", diff_ids: diffIds },
  });
  const manifest = JSON.stringify([
    { Config: "config.json", RepoTags: ["x:1"], Layers: blobs.map((_, index) => `${index}.tar`) },
  ]);
  writeFileSync(
    path,
    archive([
      [file("config.json"), document],
      ...blobs.map((bytes, index) => [file(`${index}.tar`), bytes] as const),
      [file("manifest.json"), manifest],
    ]),
  );
}

const COMMON = { mode: 0o755, uid: 0, gid: 0, mtime: 1_700_000_000, sizeBytes: 0 };
const file = (path: string, more: object = {}): TarEntry => ({ ...COMMON, path, type: "file", ...more });
const folder = (path: string, more: object = {}): TarEntry => ({ ...COMMON, path, type: "directory", ...more });
const link = (path: string, target: string): TarEntry => ({ ...COMMON, path, type: "symlink", target });

test("an environment of somebody else's image: its layers, whiteouts and command", () =>
  withFixture((fixture) => {
    const busybox = readFileSync(join(makeRoot(fixture), "bin/busybox"));
    const image = fixture.path("foreign");
    dockerArchive(
      image,
      [
        [
          [folder("bin")],
          [file("bin/busybox"), busybox as unknown as string],
          [link("bin/sh", "busybox")],
          [link("bin/cat", "busybox")],
          [folder("srv", { mode: 0o750, uid: 5 })],
          [file("srv/gone"), "gone"],
          [file("srv/old"), "old"],
          [folder("srv/opaque")],
          [file("srv/opaque/below"), "below"],
          [{ ...COMMON, path: "srv/same", type: "hardlink", target: "srv/old" }],
        ],
        [
          [file("srv/.wh.gone")],
          [file("srv/opaque/.wh..wh..opq")],
          [file("srv/opaque/above"), "above"],
          [file("srv/old"), "new"],
        ],
      ],
      { Entrypoint: ["sh"], Cmd: ["-c", "cat old same"], Env: ["PATH=/bin", "B=1"], WorkingDir: "/srv" },
    );
    const { status, stderr } = regEnv(fixture, ["generate", "app@1", "--image", image, "--include", "/srv"]);
    assert.is(status, 0, stderr);
    const tree = fixture.path("store/default/environments/app@1/tree");
    const has = (path: string) => existsSync(join(tree, path));
    assert.equal(["srv/gone", "srv/opaque/below", "srv/opaque/above", "srv/old"].map(has), [false, false, true, true]);
    assert.is(readFileSync(join(tree, "srv/old"), "utf8"), "new");
    assert.is(readFileSync(join(tree, "srv/same"), "utf8"), "old");
    assert.is(lstatSync(join(tree, "srv")).uid, 5);
    const whole = regEnv(fixture, ["generate", "app@2", "--image", image]);
    assert.is(whole.status, 0, whole.stderr);
    const { command } = manifestOf(fixture, "store", "app@2") as unknown as { command: object };
    assert.equal(command, { args: ["sh", "-c", "cat old same"], env: ["B=1"], cwd: "/srv" });
    assert.match(
      regEnv(fixture, ["install", image]).stderr,
      /was not written by reg-env export\nhint: reg-env generate .*--image/,
    );
  }));

test("an image whose paths and links lead out of it writes nothing outside", () =>
  withFixture((fixture) => {
    makeRoot(fixture);
    const outside = fixture.path("outside");
    mkdirSync(outside);
    writeFileSync(join(outside, "kept"), "kept");
    const busybox = readFileSync(fixture.path("root/bin/busybox")) as unknown as string;
    const attacks: readonly (readonly [TarEntry, string?][])[] = [
      [[link("evil", outside)], [file("evil/written"), "x"]],
      [[link("evil", `${"../".repeat(20)}${outside.slice(1)}`)], [file("evil/written"), "x"]],
      [[link("evil", outside)], [file("evil/.wh.kept")]],
      [[link("evil", outside)], [file("evil/.wh..wh..opq")]],
      [[link("evil", join(outside, "written"))], [file("evil"), "x"]],
      [[file("../written"), "x"]],
      [[{ ...COMMON, path: "evil", type: "hardlink", target: join(outside, "kept") }]],
      [[folder("evil")], [link("evil", outside)], [folder("evil/written")]],
    ];
    for (const [index, attack] of attacks.entries()) {
      const image = fixture.path(`attack-${index}`);
      dockerArchive(image, [[[folder("bin")], [file("bin/busybox"), busybox], [link("bin/sh", "busybox")], ...attack]]);
      regEnv(fixture, ["generate", `app@${index}`, "--image", image, "--", "sh"]);
      assert.equal(readdirSync(outside), ["kept"], String(index));
      assert.is(readFileSync(join(outside, "kept"), "utf8"), "kept");
      assert.is(lstatSync(join(outside, "kept")).nlink, 1);
    }
  }));

needs(
  images,
  root,
  mounting,
  cgroups,
  program("busybox"),
  program("podman"),
)("Podman runs it, and gives it back as it was", () =>
  withFixture((fixture) => {
    makeRoot(fixture);
    generate(fixture, "app@1", ...INCLUDE);
    const podman = (...args: string[]) => {
      const storage = [
        "--root",
        fixture.path("podman"),
        "--runroot",
        fixture.path("podman-run"),
        "--cgroup-manager",
        "cgroupfs",
      ];
      return spawnSync("podman", [...storage, "--storage-driver", "vfs", "--runtime", REG, ...args], {
        encoding: "utf8",
      });
    };
    try {
      for (const format of ["oci-archive", "docker-archive"]) {
        const image = fixture.path(`${format}.tar`);
        assert.is(regEnv(fixture, ["export", "app@1", image, "--format", format]).status, 0);
        const loaded = podman("load", "-q", "-i", image);
        assert.match(loaded.stdout, /localhost\/app:1/, loaded.stderr);
        const run = podman(
          "run",
          "--rm",
          "--network",
          "none",
          "--ulimit",
          "nofile=1024:1024",
          "--ulimit",
          "nproc=1024:1024",
          "localhost/app:1",
        );
        assert.is(run.stdout, "33\nb c\ntiny", run.stderr);
        const saved = fixture.path(`${format}.saved`);
        assert.is(podman("save", "-q", "--format", "oci-archive", "-o", saved, "localhost/app:1").status, 0);
        const back = regEnv(fixture, ["install", saved], `other-${format}`);
        assert.is(back.status, 0, back.stderr);
        assert.is(manifestOf(fixture, `other-${format}`, "app@1").tree, manifestOf(fixture, "store", "app@1").tree);
        podman("rmi", "-f", "localhost/app:1");
      }
    } finally {
      podman("rm", "-a", "-f");
      spawnSync("umount", ["-R", fixture.path("podman")]);
      rmSync(fixture.path("podman"), { recursive: true, force: true });
    }
  }),
);

images.run();
