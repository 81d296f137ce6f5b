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

packages("of a package's dependencies those that no header names, and no manuals", () => {
  const status = (name: string, depends: string) =>
    `Package: ${name}\nStatus: install ok installed\nArchitecture: all\nVersion: 1\nDepends: ${depends}\n\n`;
  const names = ["web", "web-common", "libc6", "python3-x", "other"];
  const entries: Record<string, RootEntry> = {
    "var/lib/dpkg/status":
      status("web", "libc6 (>= 2.3), none | web-common (= 1), python3-x:any, other") +
      names
        .slice(1)
        .map((name) => status(name, ""))
        .join(""),
    "usr/bin/web": { text: "#!/usr/bin/web\n", mode: 0o755 },
    "usr/share/man/man1/web.1": "",
    "usr/share/doc/web/changelog": "",
    "usr/share/doc/web/copyright": "",
    "etc/web/site.conf": "",
    "var/lib/dpkg/info/web.list":
      "/.\n/usr\n/usr/bin\n/usr/bin/web\n/usr/share/man/man1/web.1\n/usr/share/doc/web/changelog\n/usr/share/doc/web/copyright\n",
  };
  for (const name of names.slice(1)) {
    entries[`var/lib/dpkg/info/${name}.list`] = `/.\n/opt/${name}\n`;
    entries[`opt/${name}`] = "";
  }
  inRoot(entries, (_, root) => {
    const { files, command } = computeClosure({ root, programs: [], packages: ["web"] });
    const paths = [...files.keys()].filter((path) => !["/etc", "/usr/bin"].includes(path));
    assert.equal(paths, [
      "/etc/web",
      "/etc/web/site.conf",
      "/opt/python3-x",
      "/opt/web-common",
      "/usr/bin/web",
      "/usr/share/doc/web/copyright",
    ]);
    assert.equal(command, ["/usr/bin/web"]);
  });
});

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
