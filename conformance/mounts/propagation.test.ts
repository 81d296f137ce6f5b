/**
 * What mounts of a container and of its host have to do with each other. Expected values are what runc 1.3 does, except
 * that "private" and "unbindable" leave nothing shared with the host: runc changes the host's root alone for them.
 */
import { mkdirSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Spec } from "../fixtures/bundle.ts";
import { type Fixture, withFixture } from "../fixtures/fixture.ts";
import { cgroups, mounting, needs, program, root } from "../testing.ts";

const propagation = suite("mount propagation");
const test = needs(propagation, root, mounting, cgroups, program("unshare"));

/** Optional fields of mountinfo, without numbers: "shared", "master", "shared,master", "unbindable" or "". */
function kindOf(mountinfo: string, path: string): string | undefined {
  for (const line of mountinfo.split("\n")) {
    const [before = ""] = line.split(" - ");
    const fields = before.split(" ");
    if (fields[4] === path) return fields.slice(6).join(",").replaceAll(/:\d+/g, "");
  }
  return undefined;
}

/** Runs a line of shell in a mount namespace of its own that is shared within itself, with a tmpfs at $SOURCE. */
function onSharedHost(fixture: Fixture, script: string, spec: (spec: Spec) => void, shell: string): string {
  const source = fixture.path("source");
  mkdirSync(source, { recursive: true });
  const bundle = fixture.shell(shell, (each) => {
    each.mounts.push({ destination: "/mnt", source, options: ["rbind"] });
    spec(each);
  });
  const reg = fixture.command("run", "--bundle", bundle.path, fixture.id()).join(" ");
  const prepare = `mount --make-rshared / && mount -t tmpfs source ${source} && mkdir ${source}/below`;
  const line = `${prepare} && (${script.replaceAll("REG", reg).replaceAll("SOURCE", source)})`;
  const { status, stdout, stderr } = fixture.host("unshare", "--mount", "--propagation", "private", "sh", "-c", line);
  assert.is(status, 0, stderr);
  return stdout;
}

const CASES: [rootfs: string | undefined, mount: string | undefined, root: string, mnt: string][] = [
  [undefined, undefined, "", "master"],
  [undefined, "private", "", ""],
  [undefined, "rshared", "", "shared,master"],
  [undefined, "rslave", "", "master"],
  [undefined, "unbindable", "", "unbindable"],
  ["private", undefined, "", ""],
  ["rprivate", undefined, "", ""],
  ["rslave", undefined, "", "master"],
  ["shared", undefined, "shared", "shared"],
  ["rshared", undefined, "shared", "shared"],
  ["rshared", "rprivate", "shared", "shared"],
  ["unbindable", undefined, "unbindable", "master"],
  ["runbindable", undefined, "unbindable", "unbindable"],
];
for (const [rootfs, mount, atRoot, atMount] of CASES)
  test(`rootfsPropagation ${rootfs ?? "absent"}, mount ${mount ?? "without"}`, () =>
    withFixture((fixture) => {
      const change = (spec: Spec): void => {
        if (rootfs !== undefined) spec.linux.rootfsPropagation = rootfs;
        if (mount !== undefined) spec.mounts.at(-1)?.options?.push(mount);
      };
      const info = onSharedHost(fixture, "REG", change, "cat /proc/self/mountinfo");
      assert.equal([kindOf(info, "/"), kindOf(info, "/mnt")], [atRoot, atMount]);
    }));

for (const [mount, seen] of [
  ["rslave", "there\n"],
  ["rprivate", "missing\n"],
] as const)
  test(`what the host mounts later is ${seen.trim()} with ${mount}`, () =>
    withFixture((fixture) => {
      const change = (spec: Spec): void => void spec.mounts.at(-1)?.options?.push(mount);
      const host =
        "REG & sleep 0.3; mount -t tmpfs late SOURCE/below; touch SOURCE/below/file; touch SOURCE/go; wait $!";
      const container =
        "until [ -e /mnt/go ]; do sleep 0.05; done; [ -e /mnt/below/file ] && echo there || echo missing";
      assert.is(onSharedHost(fixture, host, change, container), seen);
    }));

test("what the container mounts below a shared mount is there on the host", () =>
  withFixture((fixture) => {
    const change = (spec: Spec): void => {
      spec.linux.rootfsPropagation = "rshared";
      const capabilities = ["CAP_SYS_ADMIN"];
      spec.process.capabilities = { bounding: capabilities, effective: capabilities, permitted: capabilities };
      spec.mounts.at(-1)?.options?.push("rshared");
    };
    const container = "mount -t tmpfs inner /mnt/below && echo text > /mnt/below/file";
    assert.is(onSharedHost(fixture, "REG && cat SOURCE/below/file", change, container), "text\n");
  }));

test("without it the host sees nothing of the container's mounts", () =>
  withFixture((fixture) => {
    const change = (spec: Spec): void => {
      const capabilities = ["CAP_SYS_ADMIN"];
      spec.process.capabilities = { bounding: capabilities, effective: capabilities, permitted: capabilities };
    };
    const container = "mount -t tmpfs inner /mnt/below && echo text > /mnt/below/file";
    assert.is(onSharedHost(fixture, "REG && ls SOURCE/below", change, container), "");
  }));

propagation.run();
