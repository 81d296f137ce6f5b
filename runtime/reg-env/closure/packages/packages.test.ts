import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type RootEntry, withRoot } from "../../../../conformance/fixtures/root.ts";
import { computeClosure } from "../closure.ts";
import { Root } from "../root.ts";
import { type Packages, readPackages } from "./packages.ts";

const packages = suite("packages");

const STATUS = `Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9

Package: dash
Status: install ok installed
Architecture: amd64
Version: 0.5

Package: mksh
Status: install ok installed
Architecture: amd64
Version: 59

Package: gone
Status: deinstall ok config-files
Architecture: all
Version: 1
`;

const debian: Readonly<Record<string, RootEntry>> = {
  lib: { link: "usr/lib" },
  bin: { link: "usr/bin" },
  "var/lib/dpkg/status": STATUS,
  "var/lib/dpkg/info/libc6:amd64.list": "/.\n/lib\n/lib/libc.so.6\n/usr\n",
  "var/lib/dpkg/info/dash.list": "/.\n/bin\n/bin/dash\n/bin/sh\n",
  "var/lib/dpkg/info/mksh.list": "/.\n/bin\n/bin/mksh\n/bin/sh\n",
  "var/lib/dpkg/info/gone.list": "/etc/gone\n",
  "var/lib/dpkg/diversions": "/bin/sh\n/bin/sh.distrib\nmksh\n",
  "usr/lib/libc.so.6": "",
  "usr/bin/dash": "",
  "usr/bin/mksh": "",
  "usr/bin/sh": { link: "mksh" },
  "usr/bin/sh.distrib": { link: "dash" },
  "usr/bin/awk": { link: "/etc/alternatives/awk" },
  "etc/alternatives/awk": { link: "/usr/bin/mksh" },
};

const inRoot = (entries: Readonly<Record<string, RootEntry>>, check: (found: Packages, root: string) => void) =>
  withRoot(entries, (root) => check(readPackages(new Root(root)), root));

packages("dpkg: by the paths of a merged /usr", () =>
  inRoot(debian, (found) => {
    assert.equal(found.names(), ["dash", "libc6", "mksh"]);
    assert.equal(found.ownerOf("/usr/lib/libc.so.6"), { name: "libc6", version: "2.36-9" });
    assert.is(found.ownerOf("/etc/gone"), undefined);
  }),
);

packages("dpkg: a diversion moves the file of the others", () =>
  inRoot(debian, (found) => {
    assert.is(found.ownerOf("/usr/bin/sh")?.name, "mksh");
    assert.is(found.ownerOf("/usr/bin/sh.distrib")?.name, "dash");
    assert.ok(found.filesOf("dash")?.includes("/usr/bin/sh.distrib"));
  }),
);

packages("links of update-alternatives belong to the package that they lead to", () =>
  inRoot(debian, (_, root) => {
    const { files } = computeClosure({ root, programs: [], include: ["/usr/bin/awk"] });
    for (const path of ["/usr/bin/awk", "/etc/alternatives/awk", "/usr/bin/mksh"])
      assert.is(files.get(path)?.package?.name, "mksh", path);
  }),
);

packages("a whole package", () =>
  inRoot(debian, (_, root) => {
    const { files } = computeClosure({ root, programs: [], packages: ["dash"] });
    assert.equal([...files.keys()], ["/bin", "/etc", "/usr/bin", "/usr/bin/dash", "/usr/bin/sh.distrib"]);
  }),
);

packages("apk", () =>
  inRoot(
    {
      "lib/apk/db/installed":
        "P:musl\nV:1.2.4-r2\nF:lib\nR:ld-musl-x86_64.so.1\nF:\nR:top\n\nP:busybox\nV:1.36-r5\nF:bin\nR:busybox\n",
    },
    (found) => {
      assert.equal(found.ownerOf("/lib/ld-musl-x86_64.so.1"), { name: "musl", version: "1.2.4-r2" });
      assert.equal(found.filesOf("musl"), ["/lib/ld-musl-x86_64.so.1", "/top"]);
      assert.equal(found.names(), ["busybox", "musl"]);
    },
  ),
);

packages.run();
