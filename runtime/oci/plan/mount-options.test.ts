import { suite } from "uvu";
import * as assert from "uvu/assert";
import * as C from "../../libc/constants.ts";
import { knownMountOptions, type MountOptions, parseMountOptions, propagationFlag } from "./mount-options.ts";

const options = suite("mount options");

const cases: [name: string, given: string[], expected: Partial<MountOptions>][] = [
  ["turn into flags", ["nosuid", "noexec"], { flags: C.MS_NOSUID | C.MS_NOEXEC, data: "" }],
  ["turn into attributes", ["ro", "nodev"], { set: C.MOUNT_ATTR_RDONLY | C.MOUNT_ATTR_NODEV, clear: 0 }],
  ["take each other back: the last one wins", ["ro", "rw"], { flags: 0, set: 0, clear: C.MOUNT_ATTR_RDONLY }],
  ["keep one access-time mode", ["noatime", "strictatime"], { flags: C.MS_STRICTATIME, set: C.MOUNT_ATTR_STRICTATIME }],
  ["go to the filesystem when they are its own", ["size=1m", "ro", "mode=755"], { data: "size=1m,mode=755" }],
  ["say whether a bind is recursive", ["rbind"], { bind: true, recursiveBind: true }],
  ["let the last kind of bind win", ["rbind", "bind"], { bind: true, recursiveBind: false }],
  [
    "apply below with an r before",
    ["rro", "rnosuid"],
    { recursiveSet: C.MOUNT_ATTR_RDONLY | C.MOUNT_ATTR_NOSUID, set: 0 },
  ],
  ["take away below", ["rro", "rrw"], { recursiveSet: 0, recursiveClear: C.MOUNT_ATTR_RDONLY }],
  ["keep propagation apart", ["rslave"], { propagation: [C.MS_SLAVE | C.MS_REC], flags: 0, data: "" }],
  ["know tmpcopyup", ["tmpcopyup"], { tmpCopyUp: true, data: "" }],
  ["know idmap", ["idmap"], { idmap: "idmap", data: "" }],
  ["may be empty", [], { flags: 0, set: 0, clear: 0, data: "", bind: false, propagation: [] }],
];
for (const [name, given, expected] of cases)
  options(name, () => {
    const found = parseMountOptions(given);
    for (const [key, value] of Object.entries(expected)) assert.equal(found[key as keyof MountOptions], value, key);
  });

options("are listed for features, sorted, recursive ones too", () => {
  const known = knownMountOptions();
  assert.equal(known, [...known].sort());
  for (const name of ["ro", "rro", "rbind", "tmpcopyup", "ridmap", "rslave", "noatime"])
    assert.ok(known.includes(name), name);
  assert.not.ok(known.includes("rdefaults"));
});

options("every listed option is understood, and none is left to the filesystem", () => {
  for (const name of knownMountOptions()) assert.is(parseMountOptions([name]).data, "", name);
});

options("propagation has a flag by name", () => {
  assert.is(propagationFlag("rshared"), C.MS_SHARED | C.MS_REC);
  assert.is(propagationFlag("ro"), undefined);
});

options.run();
