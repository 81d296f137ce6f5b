/** Mounts whose owners are shown through a mapping, and sources that only the host's root can reach. */
import { chmodSync, chownSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Spec } from "../fixtures/bundle.ts";
import { type Fixture, withFixture } from "../fixtures/fixture.ts";
import { idMappable, idMappableTmpfs } from "../fixtures/id-mapping.ts";
import { cgroups, mounting, needs, root } from "../testing.ts";

const mapped = suite("id-mapped mounts");
const test = needs(mapped, root, mounting, cgroups);
const onIdMappable = needs(mapped, root, mounting, cgroups, idMappable);
const onNewTmpfs = needs(mapped, root, mounting, cgroups, idMappable, idMappableTmpfs);

const MAPPINGS = [{ containerID: 0, hostID: 100000, size: 65536 }];

/** A folder with files of users 0 and 1000. */
function makeSource(fixture: Fixture): string {
  const folder = fixture.path("source");
  mkdirSync(folder);
  for (const owner of [0, 1000]) {
    writeFileSync(join(folder, String(owner)), "text");
    chownSync(join(folder, String(owner)), owner, owner);
  }
  return folder;
}

function addMount(spec: Spec, source: string, more: object): void {
  spec.mounts.push({ destination: "/mnt", source, options: ["rbind"], ...more });
}

function addUserNamespace(spec: Spec): void {
  spec.linux.namespaces.push({ type: "user" });
  spec.linux.uidMappings = MAPPINGS;
  spec.linux.gidMappings = MAPPINGS;
}

/** Runs the line with the source on /mnt. The image has to be readable to the mapped root. */
function output(fixture: Fixture, script: string, change: (spec: Spec) => void): string {
  chmodSync(fixture.folder, 0o755);
  const bundle = fixture.shell(script, change);
  mkdirSync(join(bundle.rootfs, "mnt"));
  const { status, stdout, stderr } = fixture.reg("run", "--bundle", bundle.path, fixture.id());
  assert.is(status, 0, stderr);
  return stdout;
}

const OWNERS = "stat -c %u:%g /mnt/0 /mnt/1000";

onIdMappable("uidMappings and gidMappings of a mount change the owners that the container sees", () =>
  withFixture((fixture) => {
    const source = makeSource(fixture);
    const mappings = [{ containerID: 0, hostID: 5000, size: 2000 }];
    const seen = output(fixture, OWNERS, (spec) =>
      addMount(spec, source, { uidMappings: mappings, gidMappings: mappings }),
    );
    assert.is(seen, "5000:5000\n6000:6000\n");
  }),
);

onIdMappable("what is written through the mapping belongs to the unmapped user", () =>
  withFixture((fixture) => {
    const source = makeSource(fixture);
    chmodSync(source, 0o777);
    const mappings = [{ containerID: 0, hostID: 5000, size: 2000 }];
    output(fixture, "touch /mnt/new", (spec) => {
      spec.process.user = { uid: 5007, gid: 5008 };
      addMount(spec, source, { uidMappings: mappings, gidMappings: mappings });
    });
    const { uid, gid } = statSync(join(source, "new"));
    assert.equal([uid, gid], [7, 8]);
  }),
);

onIdMappable("with idmap, the container's user namespace sees the owners of the host", () =>
  withFixture((fixture) => {
    const source = makeSource(fixture);
    const seen = output(fixture, OWNERS, (spec) => {
      addUserNamespace(spec);
      addMount(spec, source, { options: ["rbind", "idmap"] });
    });
    assert.is(seen, "0:0\n1000:1000\n");
  }),
);

test("without idmap it sees that they are not its own", () =>
  withFixture((fixture) => {
    const source = makeSource(fixture);
    const seen = output(fixture, OWNERS, (spec) => {
      addUserNamespace(spec);
      addMount(spec, source, {});
    });
    assert.is(seen, "65534:65534\n65534:65534\n");
  }));

for (const [option, below] of [
  ["idmap", "0:0"],
  ["ridmap", "5000:5000"],
] as const)
  (option === "idmap" ? onIdMappable : onNewTmpfs)(
    `${option} maps ${option === "idmap" ? "only the source's own mount" : "the mounts below the source too"}`,
    () =>
      withFixture((fixture) => {
        const source = makeSource(fixture);
        mkdirSync(join(source, "below"));
        assert.is(fixture.host("mount", "-t", "tmpfs", "below", join(source, "below")).status, 0);
        try {
          const mappings = [{ containerID: 0, hostID: 5000, size: 2000 }];
          const seen = output(fixture, "stat -c %u:%g /mnt/0 /mnt/below", (spec) =>
            addMount(spec, source, { options: ["rbind", option], uidMappings: mappings, gidMappings: mappings }),
          );
          assert.is(seen, `5000:5000\n${below}\n`);
        } finally {
          fixture.host("umount", join(source, "below"));
        }
      }),
  );

onIdMappable("a file can be mapped, and be read-only", () =>
  withFixture((fixture) => {
    const source = join(makeSource(fixture), "1000");
    const mappings = [{ containerID: 1000, hostID: 0, size: 1 }];
    const script = "stat -c %u:%g /file; (echo x > /file) 2>/dev/null || echo read-only";
    const more = { destination: "/file", options: ["bind", "ro"], uidMappings: mappings, gidMappings: mappings };
    assert.is(
      output(fixture, script, (spec) => addMount(spec, source, more)),
      "0:0\nread-only\n",
    );
  }),
);

test("a filesystem without id mapping is an error that names the entry", () =>
  withFixture((fixture) => {
    const bundle = fixture.shell("true", (spec) =>
      addMount(spec, "/proc/sys", { uidMappings: MAPPINGS, gidMappings: MAPPINGS }),
    );
    fixture.fail(/mount_setattr.*id mapping of \/proc\/sys.*\[\/mounts\/7\]/s, ["run", "--bundle", bundle.path, "x"]);
  }));

test("a user namespace gets a source below a folder that its root may not enter", () =>
  withFixture((fixture) => {
    const closed = fixture.path("closed");
    mkdirSync(closed, { mode: 0o700 });
    const source = join(closed, "source");
    mkdirSync(source, { mode: 0o755 });
    writeFileSync(join(source, "file"), "reached\n");
    const seen = output(fixture, "cat /mnt/file", (spec) => {
      addUserNamespace(spec);
      addMount(spec, source, {});
    });
    assert.is(seen, "reached\n");
  }));

mapped.run();
