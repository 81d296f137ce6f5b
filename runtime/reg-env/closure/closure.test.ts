/** Closures of made-up root filesystems. */
import { execFileSync } from "node:child_process";
import { symlinkSync, writeFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { dynamicProgram, glibcRoot, library, type RootEntry, withRoot } from "../../../conformance/fixtures/root.ts";
import { root as isRoot, mounting, needs, program } from "../../../conformance/testing.ts";
import { type Closure, type ClosureRequest, chainOf, computeClosure } from "./closure.ts";
import { parseCache } from "./loader/cache.ts";

const closures = suite("closure");

type Entries = Readonly<Record<string, RootEntry>>;

function compute(entries: Entries, request: Partial<ClosureRequest> = {}): Closure {
  return withRoot(entries, (root) => computeClosure({ programs: [], ...request, root }));
}

/** Paths, without what every environment has. */
function pathsOf(entries: Entries, request: Partial<ClosureRequest>): string[] {
  const base = new Set([
    "/tmp",
    "/etc",
    "/etc/passwd",
    "/etc/group",
    "/bin",
    "/sbin",
    "/lib",
    "/lib64",
    "/usr/bin",
    "/usr/sbin",
    "/usr/lib",
    "/usr/lib64",
  ]);
  return [...compute(entries, request).files.keys()].filter((path) => !base.has(path));
}

const LIB = "usr/lib/x86_64-linux-gnu";
const C_LIBRARY = [`/${LIB}/ld-linux-x86-64.so.2`, `/${LIB}/libc.so.6`, "/usr/lib64/ld-linux-x86-64.so.2"];

/** name, what the root has beside the C library, what is asked for, what comes in beside the C library. */
const cases: readonly (readonly [
  name: string,
  entries: Entries,
  request: Partial<ClosureRequest>,
  expected: readonly string[],
])[] = [
  [
    "a program and the libraries of its libraries",
    {
      "usr/bin/p": dynamicProgram({ needed: ["liba.so.1"] }),
      [`${LIB}/liba.so.1`]: { link: "liba.so.1.2" },
      [`${LIB}/liba.so.1.2`]: library("liba.so.1", { needed: ["libb.so.1"] }),
      [`${LIB}/libb.so.1`]: library("libb.so.1"),
      [`${LIB}/libother.so.1`]: library("libother.so.1"),
    },
    { programs: ["p"] },
    ["/usr/bin/p", `/${LIB}/liba.so.1`, `/${LIB}/liba.so.1.2`, `/${LIB}/libb.so.1`],
  ],
  [
    "all variants for other processors",
    {
      "usr/bin/p": dynamicProgram({ needed: ["liba.so.1"] }),
      [`${LIB}/liba.so.1`]: library("liba.so.1"),
      [`${LIB}/glibc-hwcaps/x86-64-v3/liba.so.1`]: library("liba.so.1", { needed: ["libv3.so"] }),
      [`${LIB}/libv3.so`]: library("libv3.so"),
    },
    { programs: ["p"] },
    ["/usr/bin/p", `/${LIB}/glibc-hwcaps/x86-64-v3/liba.so.1`, `/${LIB}/liba.so.1`, `/${LIB}/libv3.so`],
  ],
  [
    "libraries of LD_LIBRARY_PATH before those of a RUNPATH",
    {
      "usr/bin/p": dynamicProgram({ needed: ["liba.so.1"], runpath: "/opt/one" }),
      "opt/one/liba.so.1": library("liba.so.1"),
      "opt/two/liba.so.1": library("liba.so.1"),
    },
    { programs: ["p"], env: ["LD_LIBRARY_PATH=/opt/none:/opt/two"] },
    ["/opt/two/liba.so.1", "/usr/bin/p"],
  ],
  [
    "a virtual machine with the folder it is in, and a language with its folders",
    {
      "usr/lib/jvm/java-17/bin/java": dynamicProgram(),
      "usr/lib/jvm/java-17/lib/libzip.so": library("libzip.so", { needed: ["libz.so.1"] }),
      "usr/lib/jvm/java-17/conf": { link: "/etc/java-17" },
      "etc/java-17/security": "",
      "usr/bin/java": { link: "/usr/lib/jvm/java-17/bin/java" },
      "usr/bin/ruby3.1": dynamicProgram(),
      "usr/lib/ruby/3.1.0/set.rb": "",
      [`${LIB}/libz.so.1`]: library("libz.so.1"),
    },
    { programs: ["java", "ruby3.1"] },
    [
      "/etc/java-17",
      "/etc/java-17/security",
      "/usr/bin/java",
      "/usr/bin/ruby3.1",
      "/usr/lib/jvm/java-17",
      "/usr/lib/jvm/java-17/bin",
      "/usr/lib/jvm/java-17/bin/java",
      "/usr/lib/jvm/java-17/conf",
      "/usr/lib/jvm/java-17/lib",
      "/usr/lib/jvm/java-17/lib/libzip.so",
      "/usr/lib/ruby",
      "/usr/lib/ruby/3.1.0",
      "/usr/lib/ruby/3.1.0/set.rb",
      `/${LIB}/libz.so.1`,
    ],
  ],
  [
    "a script that was read first, and executed then",
    {
      "usr/bin/p": dynamicProgram(),
      "etc/p/hook": { text: "#!/bin/sh\n", mode: 0o755 },
      "usr/bin/sh": dynamicProgram(),
    },
    {
      programs: ["p"],
      traced: [
        { path: "/etc/p/hook", how: "opened" },
        { path: "/etc/p/hook", how: "executed" },
      ],
    },
    ["/etc/p", "/etc/p/hook", "/usr/bin/p", "/usr/bin/sh"],
  ],
  [
    "what is excluded by a path with a link in it",
    { "usr/bin/p": dynamicProgram(), "etc/p/a": "", "usr/lib/p/b": "" },
    { programs: ["p"], exclude: ["/lib/p"] },
    ["/etc/p", "/etc/p/a", "/usr/bin/p"],
  ],
  [
    "modules for another machine, without their libraries",
    {
      "usr/bin/p": dynamicProgram(),
      "etc/p/other.so": library("other.so", { machine: 183, needed: ["liba.so.1"] }),
      "srv/other.so": library("other.so", { machine: 3, bits: 32, needed: ["liba.so.1"] }),
      [`${LIB}/liba.so.1`]: library("liba.so.1"),
    },
    { programs: ["p"], include: ["/srv/other.so"] },
    ["/etc/p", "/etc/p/other.so", "/srv/other.so", "/usr/bin/p"],
  ],
  [
    "what a shell script calls that was asked for, and what such a one calls",
    {
      "usr/bin/s": "#!/bin/sh\nexec t --x\n",
      "usr/bin/t": "#!/bin/sh\ngrep x | sort\n",
      "usr/bin/sh": dynamicProgram(),
      "usr/bin/grep": dynamicProgram(),
      "usr/bin/sed": dynamicProgram(),
    },
    { programs: ["s"] },
    ["/usr/bin/grep", "/usr/bin/s", "/usr/bin/sh", "/usr/bin/t"],
  ],
  [
    "folders of modules that a script for Python names",
    {
      "usr/bin/s":
        '#!/usr/bin/python3.11\nimport sys\nsys.path.insert(1, "/usr/share/mods/")\nopen("/usr/share/doc")\n',
      "usr/bin/python3.11": dynamicProgram(),
      "usr/lib/python3.11/os.py": "",
      "usr/share/mods/m.py": "",
      "usr/share/doc/x": "",
    },
    { programs: ["/usr/bin/s"] },
    [
      "/usr/bin/python3.11",
      "/usr/bin/s",
      "/usr/lib/python3.11",
      "/usr/lib/python3.11/os.py",
      "/usr/share/mods",
      "/usr/share/mods/m.py",
    ],
  ],
  [
    "what a library opens, by that library's RUNPATH",
    {
      "usr/bin/p": dynamicProgram({ needed: ["liba.so.1"] }),
      [`${LIB}/liba.so.1`]: library("liba.so.1", { runpath: "/opt/plugins", notes: ['[{"soname":["libp.so.1"]}]'] }),
      "opt/plugins/libp.so.1": library("libp.so.1"),
    },
    { programs: ["p"] },
    ["/opt/plugins/libp.so.1", "/usr/bin/p", `/${LIB}/liba.so.1`],
  ],
  ["a static program is alone", { "usr/bin/p": { elf: { static: true } } }, { programs: ["/bin/p"] }, ["/usr/bin/p"]],
  [
    "a script, env, and what env looks up",
    { "usr/bin/s": "#!/usr/bin/env p\n", "usr/bin/env": dynamicProgram(), "usr/local/bin/p": dynamicProgram() },
    { programs: ["s"] },
    ["/usr/bin/env", "/usr/bin/s", "/usr/local/bin/p"],
  ],
  [
    "a script whose interpreter is a script",
    {
      "usr/bin/s": "#!/usr/bin/t\n",
      "usr/bin/t": "#!/bin/sh\n",
      "usr/bin/sh": { link: "/etc/alternatives/sh" },
      "etc/alternatives/sh": { link: "/bin/dash" },
      "usr/bin/dash": dynamicProgram(),
    },
    { programs: ["s"] },
    ["/etc/alternatives/sh", "/usr/bin/dash", "/usr/bin/s", "/usr/bin/sh", "/usr/bin/t"],
  ],
  [
    "libgcc_s with libc, and libidn2 for getaddrinfo",
    {
      "usr/bin/p": dynamicProgram({ imports: ["getaddrinfo"] }),
      [`${LIB}/libgcc_s.so.1`]: library("libgcc_s.so.1"),
      [`${LIB}/libidn2.so.0`]: library("libidn2.so.0", { needed: ["libunistring.so.2"] }),
      [`${LIB}/libunistring.so.2`]: library("libunistring.so.2"),
    },
    { programs: ["p"] },
    ["/usr/bin/p", `/${LIB}/libgcc_s.so.1`, `/${LIB}/libidn2.so.0`, `/${LIB}/libunistring.so.2`],
  ],
  [
    "modules that nsswitch.conf names, files and dns being in libc",
    {
      "usr/bin/p": dynamicProgram({ imports: ["getpwnam"] }),
      "etc/nsswitch.conf": "passwd: files systemd\nhosts: files mdns4 [NOTFOUND=return] dns # myhostname\n",
      [`${LIB}/libnss_systemd.so.2`]: library("libnss_systemd.so.2"),
      [`${LIB}/libnss_files.so.2`]: library("libnss_files.so.2"),
      [`${LIB}/libnss_dns.so.2`]: library("libnss_dns.so.2"),
      [`${LIB}/libnss_myhostname.so.2`]: library("libnss_myhostname.so.2"),
    },
    { programs: ["p"] },
    ["/etc/nsswitch.conf", "/usr/bin/p", `/${LIB}/libnss_systemd.so.2`],
  ],
  [
    "what a dlopen note names: the first alternative that is there",
    {
      "usr/bin/p": dynamicProgram({
        notes: [
          '[{"soname":["liba.so.2","liba.so.1"],"priority":"required"},{"soname":["libs.so.1"],"priority":"suggested"}]',
        ],
      }),
      [`${LIB}/liba.so.1`]: library("liba.so.1"),
      [`${LIB}/libs.so.1`]: library("libs.so.1"),
    },
    { programs: ["p"] },
    ["/usr/bin/p", `/${LIB}/liba.so.1`],
  ],
  [
    "Python's library with the libraries of its modules, without its tests",
    {
      "usr/bin/python3": { link: "python3.11" },
      "usr/bin/python3.11": dynamicProgram(),
      "usr/lib/python3.11/os.py": "",
      "usr/lib/python3.11/__pycache__/os.cpython-311.pyc": "",
      "usr/lib/python3.11/test/test_os.py": "",
      "usr/lib/python3.11/lib-dynload/_ssl.so": library("_ssl.so", { needed: ["libssl.so.3"] }),
      [`${LIB}/libssl.so.3`]: library("libssl.so.3"),
      "usr/lib/python3/dist-packages/m.py": "",
      "usr/lib/python3.12/os.py": "",
    },
    { programs: ["python3"] },
    [
      "/usr/bin/python3",
      "/usr/bin/python3.11",
      "/usr/lib/python3",
      "/usr/lib/python3.11",
      "/usr/lib/python3.11/__pycache__",
      "/usr/lib/python3.11/__pycache__/os.cpython-311.pyc",
      "/usr/lib/python3.11/lib-dynload",
      "/usr/lib/python3.11/lib-dynload/_ssl.so",
      "/usr/lib/python3.11/os.py",
      "/usr/lib/python3/dist-packages",
      "/usr/lib/python3/dist-packages/m.py",
      `/${LIB}/libssl.so.3`,
    ].filter((path) => path !== "/usr/lib/python3"),
  ],
  [
    "a virtual environment with the Python it was made from",
    {
      "srv/v/pyvenv.cfg": "home = /usr/bin\n",
      "srv/v/bin/python": { link: "/usr/bin/python3.11" },
      "srv/v/bin/tool": "#!/srv/v/bin/python\n",
      "srv/v/lib/python3.11/site-packages/m.py": "",
      "usr/bin/python3.11": dynamicProgram(),
      "usr/lib/python3.11/os.py": "",
    },
    { programs: ["/srv/v/bin/tool"] },
    [
      "/srv/v",
      "/srv/v/bin",
      "/srv/v/bin/python",
      "/srv/v/bin/tool",
      "/srv/v/lib",
      "/srv/v/lib/python3.11",
      "/srv/v/lib/python3.11/site-packages",
      "/srv/v/lib/python3.11/site-packages/m.py",
      "/srv/v/pyvenv.cfg",
      "/usr/bin/python3.11",
      "/usr/lib/python3.11",
      "/usr/lib/python3.11/os.py",
    ],
  ],
  [
    "perl with the folders in it, and modules that a script uses",
    {
      "usr/bin/perl": dynamicProgram({ tail: "\0/etc/perl\0/usr/share/perl/5.36\0/usr/share/perl5\0" }),
      "usr/share/perl/5.36/strict.pm": "",
      "usr/share/perl/5.36/strict.pod": "",
      "usr/share/perl5/A/B.pm": "use base qw(A::C);\n1;\n",
      "usr/share/perl5/A/C.pm": "1;\n",
      "usr/share/perl5/Other.pm": "1;\n",
      "usr/bin/s": "#!/usr/bin/perl\nuse strict;\nuse A::B 1.0;\n",
    },
    { programs: ["s"] },
    [
      "/usr/bin/perl",
      "/usr/bin/s",
      "/usr/share/perl/5.36",
      "/usr/share/perl/5.36/strict.pm",
      "/usr/share/perl5/A/B.pm",
      "/usr/share/perl5/A/C.pm",
    ],
  ],
  [
    "what is named after a program, and of /var the folders only",
    {
      "usr/sbin/web-server": dynamicProgram(),
      "etc/web/web.conf": "",
      "usr/share/web/page": "",
      "var/lib/web/data/secret": "",
      "etc/other/x": "",
    },
    { programs: ["web-server"] },
    [
      "/etc/web",
      "/etc/web/web.conf",
      "/usr/sbin/web-server",
      "/usr/share/web",
      "/usr/share/web/page",
      "/var/lib/web",
      "/var/lib/web/data",
    ],
  ],
  [
    "certificates by hash where there is no link to the bundle",
    {
      "usr/bin/p": dynamicProgram({ needed: ["libssl.so.3"] }),
      [`${LIB}/libssl.so.3`]: library("libssl.so.3"),
      "etc/ssl/certs/ca-certificates.crt": "",
      "etc/ssl/certs/0a.0": { link: "A.pem" },
      "etc/ssl/certs/A.pem": { link: "/usr/share/ca-certificates/a.crt" },
      "usr/share/ca-certificates/a.crt": "",
    },
    { programs: ["p"] },
    [
      "/etc/ssl/certs",
      "/etc/ssl/certs/0a.0",
      "/etc/ssl/certs/A.pem",
      "/etc/ssl/certs/ca-certificates.crt",
      "/usr/bin/p",
      "/usr/share/ca-certificates/a.crt",
      `/${LIB}/libssl.so.3`,
    ],
  ],
  [
    "folders and globs that are included, and what is excluded",
    {
      "usr/bin/p": dynamicProgram(),
      "srv/app/a.txt": "",
      "srv/app/deep/b.txt": "",
      "srv/app/deep/c.md": "",
      "opt/x/1.so": "",
      "opt/x/2.txt": "",
    },
    { programs: ["p"], include: ["/srv/app", "opt/**/*.txt"], exclude: ["**/*.md"] },
    ["/opt/x/2.txt", "/srv/app", "/srv/app/a.txt", "/srv/app/deep", "/srv/app/deep/b.txt", "/usr/bin/p"],
  ],
  [
    "the libraries of a module below an included folder",
    {
      "usr/bin/p": dynamicProgram(),
      "srv/app/addon.node": library("addon.node", { needed: ["libz.so.1"] }),
      [`${LIB}/libz.so.1`]: library("libz.so.1"),
    },
    { programs: ["p"], include: ["/srv/app"] },
    ["/srv/app", "/srv/app/addon.node", "/usr/bin/p", `/${LIB}/libz.so.1`],
  ],
  [
    "what a traced run touched, but for what the kernel makes",
    {
      "usr/bin/p": dynamicProgram(),
      "opt/data": "",
      "opt/plugin.so": library("plugin.so", { needed: ["libz.so.1"] }),
      [`${LIB}/libz.so.1`]: library("libz.so.1"),
      "proc/version": "",
      "etc/ld.so.cache": "",
    },
    {
      programs: ["p"],
      traced: [
        { path: "/opt/data", how: "opened" },
        { path: "/opt/plugin.so", how: "opened" },
        { path: "/proc/version", how: "opened" },
        { path: "/etc/ld.so.cache", how: "opened" },
        { path: "/opt/gone", how: "examined" },
      ],
    },
    ["/opt/data", "/opt/plugin.so", "/usr/bin/p", `/${LIB}/libz.so.1`],
  ],
  [
    "a program for Node with the packages it depends on, not with those for its development",
    {
      "usr/bin/node": dynamicProgram(),
      "srv/app/server.js": "",
      "srv/app/package.json": '{"dependencies":{"a":"1"},"devDependencies":{"d":"1"},"optionalDependencies":{"o":"1"}}',
      "srv/app/views/page.txt": "",
      "srv/app/node_modules/a/package.json": '{"dependencies":{"@s/b":"1"}}',
      "srv/app/node_modules/a/addon.node": library("addon.node", { needed: ["libz.so.1"] }),
      "srv/app/node_modules/@s/b/index.js": "",
      "srv/app/node_modules/d/index.js": "",
      [`${LIB}/libz.so.1`]: library("libz.so.1"),
    },
    { programs: ["/srv/app/server.js"] },
    [
      "/srv/app",
      "/srv/app/node_modules/@s/b",
      "/srv/app/node_modules/@s/b/index.js",
      "/srv/app/node_modules/a",
      "/srv/app/node_modules/a/addon.node",
      "/srv/app/node_modules/a/package.json",
      "/srv/app/package.json",
      "/srv/app/server.js",
      "/srv/app/views",
      "/srv/app/views/page.txt",
      "/usr/bin/node",
      `/${LIB}/libz.so.1`,
    ],
  ],
  [
    "a script for Node outside of a package, with what it imports",
    {
      "usr/bin/node": dynamicProgram(),
      "opt/s": { text: "#!/usr/bin/node\nconst a = require('./lib/a');\nimport('./b.mjs');\n", mode: 0o755 },
      "opt/lib/a.js": "import fs from 'node:fs';\nimport m from \"m/deep\";\n",
      "opt/b.mjs": "",
      "opt/c.js": "",
      "usr/share/nodejs/m/deep.js": "",
    },
    { programs: ["/opt/s"] },
    ["/opt/b.mjs", "/opt/lib/a.js", "/opt/s", "/usr/bin/node", "/usr/share/nodejs/m", "/usr/share/nodejs/m/deep.js"],
  ],
];

for (const [name, entries, request, expected] of cases)
  closures(name, () => {
    const found = pathsOf({ ...glibcRoot(), ...entries }, request);
    const isDynamic = found.includes(`/${LIB}/libc.so.6`);
    assert.equal(
      found.filter((path) => path !== "/proc").sort(),
      [...expected, ...(isDynamic ? C_LIBRARY : [])].sort(),
    );
  });

closures("before glibc 2.34 files and dns are modules", () => {
  const entries = {
    "usr/bin/p": dynamicProgram({ imports: ["getaddrinfo"] }),
    [`${LIB}/libnss_files.so.2`]: library("libnss_files.so.2"),
    [`${LIB}/libnss_dns.so.2`]: library("libnss_dns.so.2", { needed: ["libresolv.so.2"] }),
    [`${LIB}/libresolv.so.2`]: library("libresolv.so.2"),
  };
  const found = pathsOf({ ...glibcRoot("2.31"), ...entries }, { programs: ["p"] });
  for (const name of ["libnss_files.so.2", "libnss_dns.so.2", "libresolv.so.2"])
    assert.ok(found.includes(`/${LIB}/${name}`), name);
});

closures("musl: names of the C library are the loader's, RUNPATH is inherited, folders come from a file", () => {
  const found = pathsOf(
    {
      "lib/ld-musl-x86_64.so.1": library("libc.musl-x86_64.so.1"),
      "lib/libc.musl-x86_64.so.1": { link: "ld-musl-x86_64.so.1" },
      "etc/ld-musl-x86_64.path": "/opt/lib\n/lib\n",
      "opt/lib/liba.so.1": library("liba.so.1", { needed: ["libb.so.1", "libc.so"] }),
      "opt/own/libb.so.1": library("libb.so.1"),
      "bin/p": {
        elf: {
          interpreter: "/lib/ld-musl-x86_64.so.1",
          needed: ["liba.so.1", "libc.musl-x86_64.so.1"],
          runpath: "$ORIGIN/../opt/own",
        },
      },
    },
    { programs: ["p"] },
  );
  assert.equal(found, [
    "/bin/p",
    "/lib/ld-musl-x86_64.so.1",
    "/lib/libc.musl-x86_64.so.1",
    "/opt/lib/liba.so.1",
    "/opt/own/libb.so.1",
  ]);
});

closures("libraries that only a cache finds get a cache of their own", () => {
  const entries = {
    "usr/bin/p": dynamicProgram({ needed: ["liba.so.1"] }),
    "opt/lib/liba.so.1": library("liba.so.1"),
    "etc/ld.so.conf": "include conf.d/*.conf\n",
    "etc/conf.d/x.conf": "/opt/lib # ours\n",
  };
  const { generated, files } = compute({ ...glibcRoot(), ...entries }, { programs: ["p"] });
  assert.ok(files.has("/opt/lib/liba.so.1"));
  const cache = generated.get("/etc/ld.so.cache");
  assert.equal(cache && parseCache(cache.content), [
    { name: "liba.so.1", path: "/opt/lib/liba.so.1", flags: 0x303, legacy: false },
  ]);
  assert.not(
    compute({ ...glibcRoot(), "usr/bin/p": dynamicProgram() }, { programs: ["p"] }).generated.has("/etc/ld.so.cache"),
  );
});

/** name, entries beside the C library, request, message. */
const faults: readonly (readonly [
  name: string,
  entries: Entries,
  request: Partial<ClosureRequest>,
  message: RegExp,
])[] = [
  [
    "a missing library, and who needs it",
    {
      "usr/bin/p": dynamicProgram({ needed: ["liba.so.1"] }),
      [`${LIB}/liba.so.1`]: library("liba.so.1", { needed: ["libgone.so.9"] }),
    },
    { programs: ["p"] },
    /liba\.so\.1 needs libgone\.so\.9, which is not there \(a library of \/usr\/bin\/p\)/,
  ],
  [
    "a missing loader",
    { "usr/bin/p": { elf: { interpreter: "/lib/ld-none.so", needed: ["libc.so.6"] } } },
    { programs: ["p"] },
    /\/usr\/bin\/p needs the loader \/lib\/ld-none\.so, which is not there/,
  ],
  [
    "a missing interpreter",
    { "usr/bin/s": "#!/bin/none\n" },
    { programs: ["s"] },
    /\/usr\/bin\/s begins with #!\/bin\/none, which is not there/,
  ],
  [
    "a script with the line ends of Windows",
    { "usr/bin/s": "#!/bin/sh\r\n", "usr/bin/sh": dynamicProgram() },
    { programs: ["s"] },
    /begins with #!\/bin\/sh and a carriage return/,
  ],
  [
    "a program that env does not find",
    { "usr/bin/s": "#!/usr/bin/env none\n", "usr/bin/env": dynamicProgram() },
    { programs: ["s"] },
    /is run by none, which is not in the PATH of the root/,
  ],
  [
    "several things at once",
    {},
    { programs: ["one", "/opt/two"], packages: ["three"] },
    /3 things are missing\n {2}the program one is not in the PATH.*\n {2}the program \/opt\/two is not there\n {2}the root has no package database/,
  ],
  [
    "a link out of the root",
    { "usr/bin/p": { link: "../../../etc/p" } },
    { programs: ["p"] },
    /\/usr\/bin\/p is a symbolic link to \.\.\/\.\.\/\.\.\/etc\/p, which is outside/,
  ],
  ["a path out of the root", {}, { programs: ["../../bin/p"] }, /a path in the root filesystem has no "\.\."/],
  ["a folder", { "usr/bin/p": { folder: true } }, { programs: ["/usr/bin/p"] }, /is not a program but a folder/],
  [
    "a file that nothing runs",
    { "srv/data": "x" },
    { programs: ["/srv/data"] },
    /can not be executed: it is neither an ELF file nor a script/,
  ],
  ["an include that matches nothing", {}, { include: ["/srv/*.x"] }, /--include \/srv\/\*\.x matches nothing/],
  ["a preset that there is not", {}, { presets: ["tsl"] }, /there is no preset "tsl"/],
  [
    "a library that a dlopen note requires",
    {
      "usr/bin/p": dynamicProgram({ notes: ['[{"soname":["libgone.so.1"],"feature":"sound","priority":"required"}]'] }),
    },
    { programs: ["p"] },
    /opens libgone\.so\.1 while it runs for sound \(required\), which is not there/,
  ],
];

for (const [name, entries, request, message] of faults)
  closures(`says what is wrong: ${name}`, () => {
    assert.throws(() => compute({ ...glibcRoot(), ...entries }, request), message);
  });

const cautions: readonly (readonly [
  name: string,
  entries: Entries,
  request: Partial<ClosureRequest>,
  message: RegExp,
])[] = [
  [
    "a set-user-id bit",
    { "usr/bin/p": { elf: { static: true }, mode: 0o4755 } },
    { programs: ["p"] },
    /\/usr\/bin\/p runs as user 0 whoever starts it/,
  ],
  [
    "a file that not everybody may read",
    { "usr/bin/p": { elf: { static: true } }, "etc/p/key": { text: "x", mode: 0o600 } },
    { programs: ["p"] },
    /not everybody may read.*\/etc\/p\/key/,
  ],
  [
    "commands of shell scripts that were not asked for",
    {
      "srv/s": { text: "#!/bin/sh\nsed x | sort\n", mode: 0o755 },
      "usr/bin/sh": dynamicProgram(),
      "usr/bin/sed": dynamicProgram(),
    },
    { include: ["/srv/s"] },
    /\/srv\/s seems to call sed: not in the environment/,
  ],
  [
    "a shell that a program can call",
    { "usr/bin/p": dynamicProgram({ imports: ["system"] }), "usr/bin/sh": dynamicProgram() },
    { programs: ["p"] },
    /can run commands by \/bin\/sh/,
  ],
  [
    "libraries that a program names",
    {
      "usr/bin/p": dynamicProgram({ tail: "\0libplug.so.1\0libnone.so\0" }),
      [`${LIB}/libplug.so.1`]: library("libplug.so.1"),
    },
    { programs: ["p"] },
    /\/usr\/bin\/p names libplug\.so\.1, which it may open/,
  ],
  [
    "a module whose library is missing",
    { "usr/bin/p": dynamicProgram(), "srv/m.so": library("m.so", { needed: ["libgone.so"] }) },
    { programs: ["p"], include: ["/srv/m.so"] },
    /\/srv\/m\.so needs libgone\.so, which is not there/,
  ],
  [
    "a library that is excluded",
    { "usr/bin/p": dynamicProgram({ needed: ["liba.so.1"] }), [`${LIB}/liba.so.1`]: library("liba.so.1") },
    { programs: ["p"], exclude: ["**/liba.*"] },
    /liba\.so\.1 is left out, but \/usr\/bin\/p needs it/,
  ],
];

for (const [name, entries, request, message] of cautions)
  closures(`warns of ${name}`, () => {
    assert.match(compute({ ...glibcRoot(), ...entries }, request).warnings.join("\n"), message);
  });

needs(
  closures,
  isRoot,
  mounting,
  program("setcap"),
)("warns of file capabilities", () => {
  withRoot({ ...glibcRoot(), "usr/bin/p": { elf: { static: true } } }, (root) => {
    execFileSync("setcap", ["cap_net_raw+ep", `${root}/usr/bin/p`]);
    const { warnings } = computeClosure({ root, programs: ["p"] });
    assert.match(warnings.join("\n"), /\/usr\/bin\/p gives capabilities to whoever starts it/);
  });
});

closures("every file tells why, up to the program", () => {
  const entries = {
    "usr/bin/s": "#!/usr/bin/p\n",
    "usr/bin/p": dynamicProgram({ needed: ["liba.so.1"] }),
    [`${LIB}/liba.so.1`]: library("liba.so.1"),
  };
  const closure = compute({ ...glibcRoot(), ...entries }, { programs: ["s"] });
  assert.equal(
    chainOf(closure, `/${LIB}/liba.so.1`).map(({ path, reason }) => `${path}: ${reason.rule}: ${reason.text}`),
    [
      `/${LIB}/liba.so.1: library: /usr/bin/p needs liba.so.1, found in the loader's default folder`,
      "/usr/bin/p: script: /usr/bin/s begins with #!/usr/bin/p",
      "/usr/bin/s: program: a program that was asked for",
    ],
  );
  for (const path of closure.files.keys()) assert.ok(chainOf(closure, path).at(-1)?.reason.from === undefined, path);
});

closures("the command is how the first program is called", () => {
  const entries = {
    "usr/bin/s": "#!/usr/bin/p\n",
    "usr/bin/p": dynamicProgram(),
    "usr/bin/node": dynamicProgram(),
    "srv/app.js": "",
  };
  assert.equal(compute({ ...glibcRoot(), ...entries }, { programs: ["s", "p"] }).command, ["/usr/bin/s"]);
  assert.equal(compute({ ...glibcRoot(), ...entries }, { programs: ["/srv/app.js"] }).command, [
    "/usr/bin/node",
    "/srv/app.js",
  ]);
});

closures("the same root and request give the same closure", () => {
  const entries = {
    ...glibcRoot(),
    "usr/bin/p": dynamicProgram({ needed: ["liba.so.1"] }),
    [`${LIB}/liba.so.1`]: library("liba.so.1"),
  };
  withRoot(entries, (root) => {
    const [first, second] = [1, 2].map(() => computeClosure({ root, programs: ["p"] }));
    assert.equal([...(first?.files ?? [])], [...(second?.files ?? [])]);
  });
});

closures("tells of a name or a link's target that is no UTF-8, which would go without a word", () => {
  const entries = { ...glibcRoot(), "data/plain": "x" };
  const odd = (root: string) => Buffer.concat([Buffer.from(`${root}/data/`), Buffer.from([0xff, 0xfe])]);
  const make: ((root: string) => void)[] = [
    (root) => writeFileSync(odd(root), ""),
    (root) => symlinkSync(odd("."), `${root}/data/link`),
  ];
  for (const add of make)
    withRoot(entries, (root) => {
      add(root);
      const request = { programs: [], include: ["/data"], root };
      assert.throws(() => computeClosure(request), /is not UTF-8: ".*\u00ff\u00fe"/);
    });
  withRoot({ ...entries, "data/\ufffd": "a name like any other" }, (root) => {
    const { files } = computeClosure({ programs: [], include: ["/data"], root });
    assert.ok(files.has("/data/\ufffd"));
  });
});

closures.run();
