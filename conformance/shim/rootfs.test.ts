/** The mounts of a container's root whose ids are mapped, as containerd asks for them for pods with user namespaces. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { idMappable } from "../fixtures/id-mapping.ts";
import { type ShimFixture, withShim } from "../fixtures/shim-fixture.ts";
import type { Refused } from "../fixtures/ttrpc.ts";
import { cgroups, mounting, need, needs, program, root } from "../testing.ts";

const rootfs = suite("shim: rootfs");
const test = needs(rootfs, root, mounting, cgroups);
const onIdMappable = needs(rootfs, root, mounting, cgroups, idMappable);

const MAP = ["uidmap=0:100000:65536", "gidmap=0:200000:1000,1000:300000:1000"];

interface RootMount {
  readonly type: string;
  readonly source: string;
  readonly target?: string;
  readonly options: readonly string[];
}

/** Runs the script in a root that the mounts make; `lower` has what a container needs. Returns what it says. */
async function say(
  shim: ShimFixture,
  script: string,
  mounts: (lower: string) => readonly RootMount[],
  readonly = true,
): Promise<string> {
  const bundle = shim.bundle(`{ ${script}; } >/said/text 2>&1`, (spec) => {
    spec.mounts.push({ destination: "/said", type: "bind", source: shim.fixture.folder, options: ["bind"] });
    spec.root.readonly = readonly;
  });
  const lower = join(bundle.path, "lower");
  renameSync(bundle.rootfs, lower);
  mkdirSync(join(lower, "said"));
  mkdirSync(bundle.rootfs);
  const { id, tasks, started } = await shim.create(bundle, { rootfs: mounts(lower) });
  await tasks.call("Start", { id });
  await tasks.call("Wait", { id });
  await tasks.call("Delete", { id });
  assert.equal(readdirSync(bundle.rootfs), [], "nothing stays mounted");
  await tasks.call("Shutdown", { id });
  await tasks.client.closed;
  assert.ok(started);
  return readFileSync(join(shim.fixture.folder, "text"), "utf8").trim();
}

onIdMappable("a bind mount shows its files with mapped owners", () =>
  withShim(async (shim) => {
    const said = await say(shim, "stat -c '%u %g' /bin/busybox; touch /x || echo kept", (lower) => {
      execFileSync("chown", ["5:1001", join(lower, "bin/busybox")]);
      return [{ type: "bind", source: lower, options: ["rbind", "ro", ...MAP] }];
    });
    assert.match(said, /^100005 300001\n.*Read-only file system\nkept$/);
  }),
);

onIdMappable("an overlay gets layers with mapped owners, and writes to a directory that is not mapped", () =>
  withShim(async (shim) => {
    let upper = "";
    const said = await say(shim, "stat -c '%u %g' /bin/busybox /etc; cat /etc/above", (lower) => {
      const place = join(lower, "..");
      upper = join(place, "upper");
      execFileSync("mkdir", ["-p", `${place}/middle/etc`, upper, `${place}/work`]);
      execFileSync("sh", ["-c", `echo words >${place}/middle/etc/above`]);
      const options = [`lowerdir=${place}/middle:${lower}`, `upperdir=${upper}`, `workdir=${place}/work`, ...MAP];
      return [{ type: "overlay", source: "overlay", options }];
    });
    assert.is(said, "100000 200000\n100000 200000\nwords");
    assert.is(statSync(join(upper, "said"), { throwIfNoEntry: false }), undefined);
  }),
);

onIdMappable("a further mount at a target below the root is mapped by itself", () =>
  withShim(async (shim) => {
    const said = await say(shim, "stat -c %u /bin/busybox /tmp/busybox", (lower) => [
      { type: "bind", source: lower, options: ["rbind"] },
      { type: "bind", source: join(lower, "bin"), target: "/tmp", options: ["bind", ...MAP] },
    ]);
    assert.is(said, "0\n100000");
  }),
);

for (const count of [1, 30, 120])
  test(`an overlay of ${count} layers, the first above all others`, () =>
    withShim(async (shim) => {
      const said = await say(
        shim,
        "ls /etc | grep -c ^layer; cat /etc/top; touch /new && echo written",
        (lower) => {
          const layers = Array.from({ length: count }, (_, index) => {
            const layer = shim.fixture.path(`${"x".repeat(20)}/${index}/fs`); // 120 are more than a page of options, but not without what they have in common
            mkdirSync(join(layer, "etc"), { recursive: true });
            writeFileSync(join(layer, `etc/layer${index}`), "");
            writeFileSync(join(layer, "etc/top"), `${index}\n`);
            return layer;
          });
          const [upper, work] = ["upper", "work"].map((name) => shim.fixture.path(name));
          for (const folder of [upper, work]) mkdirSync(folder as string);
          const options = [`lowerdir=${[...layers, lower].join(":")}`, `upperdir=${upper}`, `workdir=${work}`];
          return [{ type: "overlay", source: "overlay", options }];
        },
        false,
      );
      assert.is(said, `${count}\n0\nwritten`);
      assert.ok(existsSync(shim.fixture.path("upper/new")));
    }));

const looping = need("loop devices", existsSync("/dev/loop-control") && existsSync("/dev/loop0"));
const onLoop = needs(rootfs, root, mounting, cgroups, program("mkfs.ext4"), looping);
for (const options of [["loop"], ["loop", "ro"]])
  onLoop(`a file as ${options.join(", ")} device, which is let go of at the end`, () =>
    withShim(async (shim) => {
      const image = shim.fixture.path("image");
      const said = await say(
        shim,
        "ls /bin/busybox; touch /new && echo written",
        (lower) => {
          execFileSync("mkfs.ext4", ["-q", "-d", lower, image, "16M"]);
          return [{ type: "ext4", source: image, options }];
        },
        false,
      );
      const files = readdirSync("/sys/block").map((name) => `/sys/block/${name}/loop/backing_file`);
      const backing = files.filter((path) => existsSync(path)).map((path) => readFileSync(path, "utf8").trim());
      assert.not.ok(backing.includes(image));
      assert.match(said, options.includes("ro") ? /busybox\ntouch: .*Read-only file system$/ : /busybox\nwritten$/);
    }),
  );

const REFUSED: readonly (readonly [what: string, mount: (source: string) => RootMount, words: RegExp])[] = [
  ["half a mapping", (source) => ({ type: "bind", source, options: ["rbind", "uidmap=0:1:1"] }), /need each other/],
  [
    "a mapping that is none",
    (source) => ({ type: "bind", source, options: ["rbind", "uidmap=0:1:-1", "gidmap=0:1:1"] }),
    /no mapping of ids: 0:1:-1.*CONTAINER:HOST:SIZE/,
  ],
  [
    "ids beyond the last",
    (source) => ({ type: "bind", source, options: ["rbind", "uidmap=0:4294967294:2", "gidmap=0:1:1"] }),
    /no mapping of ids/,
  ],
  [
    "a filesystem that can not be mapped",
    () => ({ type: "bind", source: "/sys/kernel", options: ["bind", ...MAP] }),
    /mount_setattr\(2\) id mapping of \/sys\/kernel: invalid argument \(EINVAL\).*without id-mapped mounts/,
  ],
];
for (const [what, mount, words] of REFUSED)
  test(`${what} is refused in words, and leaves no mount`, () =>
    withShim(async (shim) => {
      const bundle = shim.bundle("true");
      const lower = join(bundle.path, "lower");
      renameSync(bundle.rootfs, lower);
      mkdirSync(bundle.rootfs);
      const id = shim.fixture.id();
      const tasks = await shim.connect(await shim.start(id, bundle));
      const first = { type: "bind", source: lower, options: ["bind"] };
      const error = await tasks
        .call("Create", { id, bundle: bundle.path, options: shim.options(), rootfs: [first, mount(lower)] })
        .then(
          () => undefined,
          (refused: Refused) => refused,
        );
      assert.match(error?.message ?? "it was not refused", words);
      assert.equal(readdirSync(bundle.rootfs), []);
    }));

rootfs.run();
