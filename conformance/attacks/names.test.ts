/** Names that are checked and then used: what they could have been taken for otherwise. */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Spec } from "../fixtures/bundle.ts";
import { waitUntil, withFixture } from "../fixtures/fixture.ts";
import { mounting, needs, root } from "../testing.ts";

const names = suite("attacks: names");
const test = needs(names, root, mounting);

function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

const MAPPINGS = [{ containerID: 0, hostID: 100000, size: 65536 }];

test("binds nothing but the device in a user namespace, whatever lies at its path on the host", () =>
  withFixture((fixture) => {
    const secret = fixture.write("secret", "of the host\n");
    const bundle = fixture.shell(`cat ${secret}`, (spec) => {
      spec.root.readonly = false;
      spec.linux.namespaces.push({ type: "user" });
      spec.linux.uidMappings = MAPPINGS;
      spec.linux.gidMappings = MAPPINGS;
      spec.linux.devices = [{ path: secret, type: "c", major: 1, minor: 3 }];
    });
    fixture.fail("the host has something else there", ["run", "--bundle", bundle.path, fixture.id()]);
    fixture.assertNothingLeft();
  }));

/** No UTF-8, as a name on disk; busybox makes it from these octal escapes. */
const ODD = "\\377\\376";
const oddName = (folder: string) => Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff, 0xfe])]);

/** Writable cgroups, without a pid namespace: what runs in a cgroup below is only found by walking through it. */
function withCgroups(spec: Spec): void {
  spec.linux.namespaces = spec.linux.namespaces.filter(({ type }) => type !== "pid" && type !== "cgroup");
  spec.mounts = spec.mounts.filter(({ destination }) => destination !== "/sys/fs/cgroup");
  spec.mounts.push({ destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup", options: ["rw", "nosuid"] });
}

/** Makes the cgroup below each hierarchy of the container, and moves a process of its own there. */
const HIDE = `sleep 100000 & child=$!; for own in /sys/fs/cgroup /sys/fs/cgroup/*; do
  [ -e $own/cgroup.procs ] || continue
  odd=$own/$(printf '${ODD}'); mkdir "$odd" 2>/dev/null && echo $child > "$odd/cgroup.procs"
done 2>/dev/null; echo $child; wait`;

for (const signal of ["kill", "delete"])
  test(`${signal} reaches a process in a cgroup whose name is not UTF-8`, () =>
    withFixture((fixture) => {
      const id = fixture.launch(fixture.shell(HIDE, withCgroups));
      const child = Number(fixture.waitForText(fixture.lastOutput().stdout.replace(/\d+$/, "1"), "\n"));
      assert.ok(existsSync(`/proc/${child}`));
      if (signal === "kill") {
        fixture.succeed("kill", "--all", id, "KILL");
        waitUntil("the process has ended", () => !isRunning(child));
      }
      fixture.succeed("delete", "--force", id);
      assert.not(isRunning(child));
      fixture.assertNothingLeft();
    }));

test("tmpcopyup copies a file whose name is not UTF-8", () =>
  withFixture((fixture) => {
    const bundle = fixture.shell(`cat /data/*; cat /data/$(printf '${ODD}')`, (spec) => {
      spec.mounts.push({ destination: "/data", type: "tmpfs", source: "tmpfs", options: ["tmpcopyup"] });
    });
    const data = join(bundle.rootfs, "data");
    mkdirSync(data);
    writeFileSync(oddName(data), "odd\n");
    assert.is(fixture.succeed("run", "--bundle", bundle.path, fixture.id()), "odd\nodd\n");
  }));

test("a bundle, arguments and environment that are not UTF-8 arrive as they are", () =>
  withFixture((fixture) => {
    const bundle = fixture.shell("true");
    const odd = oddName(fixture.folder);
    renameSync(bundle.path, odd);
    const script = `exec ${fixture.command("run").join(" ")} --bundle "$1" ${fixture.id()}`;
    const spec = { ...JSON.parse(readFileSync(Buffer.concat([odd, Buffer.from("/config.json")]), "utf8")) };
    spec.process.args = ["/bin/sh", "-c", 'printf %s "$1$ODD" | od -An -tx1', "sh", "\udcff"];
    spec.process.env.push("ODD=\udcfe\u00e9");
    writeFileSync(Buffer.concat([odd, Buffer.from("/config.json")]), JSON.stringify(spec));
    const { status, stdout, stderr } = fixture.host(
      "sh",
      "-c",
      `set -- "$(printf '${fixture.folder}/${ODD}')"; ${script}`,
    );
    assert.is(status, 0, stderr);
    assert.is(stdout.trim(), "ff fe c3 a9");
  }));

names.run();
