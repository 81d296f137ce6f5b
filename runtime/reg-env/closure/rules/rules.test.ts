/** Rules that read package databases and folders of a whole system; each test fails without its rule. */
import { truncateSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { dynamicProgram, glibcRoot, library, type RootEntry, withRoot } from "../../../../conformance/fixtures/root.ts";
import { type Closure, type ClosureRequest, computeClosure } from "../closure.ts";

const rules = suite("rules");

type Entries = Readonly<Record<string, RootEntry>>;
const LIB = "usr/lib/x86_64-linux-gnu";

const computeIn = (root: string, request: Partial<ClosureRequest>) =>
  computeClosure({ programs: [], ...request, root });
const compute = (entries: Entries, request: Partial<ClosureRequest>): Closure =>
  withRoot({ ...glibcRoot(), ...entries }, (root) => computeIn(root, request));

interface Installed {
  readonly source?: string;
  readonly depends?: string;
  readonly files: readonly string[];
}

/** dpkg's database of these packages. */
function database(packages: Readonly<Record<string, Installed>>): Entries {
  const paragraphs = Object.entries(packages).map(([name, { source, depends }]) =>
    [
      `Package: ${name}`,
      "Status: install ok installed",
      "Architecture: all",
      "Version: 1",
      ...(source === undefined ? [] : [`Source: ${source}`]),
      ...(depends === undefined ? [] : [`Depends: ${depends}`]),
    ].join("\n"),
  );
  const lists = Object.entries(packages).map(([name, { files }]) => [
    `var/lib/dpkg/info/${name}.list`,
    `/.\n${files.join("\n")}\n`,
  ]);
  return { "var/lib/dpkg/status": `${paragraphs.join("\n\n")}\n`, ...Object.fromEntries(lists) };
}

const has = ({ files }: Closure, ...paths: string[]) => paths.map((path) => files.has(path));

const DRAWS: Entries = {
  "usr/bin/draw": dynamicProgram({ needed: ["libfontconfig.so.1"] }),
  [`${LIB}/libfontconfig.so.1`]: library("libfontconfig.so.1"),
  "usr/share/fonts/truetype/dejavu/DejaVuSans.ttf": "font",
  "usr/share/fonts/truetype/other/Other.ttf": "font",
};

rules("fonts come in for what looks for them by fontconfig, and for nothing else", () => {
  const [usual = "", other = ""] = Object.keys(DRAWS).slice(2);
  const draws = compute(DRAWS, { programs: ["draw"] });
  assert.equal(has(draws, `/${usual}`, `/${other}`), [true, true]);
  const plain = compute({ ...DRAWS, "usr/bin/plain": dynamicProgram() }, { programs: ["plain"] });
  assert.equal(has(plain, `/${usual}`), [false]);
  withRoot({ ...glibcRoot(), ...DRAWS }, (root) => {
    truncateSync(`${root}/${other}`, 49 * 1024 * 1024);
    const many = computeIn(root, { programs: ["draw"] });
    assert.equal(has(many, `/${usual}`, `/${other}`), [true, false]);
    assert.match(many.warnings.join("\n"), /of the many fonts in \/usr\/share\/fonts only the usual ones come in/);
  });
});

rules("directories that tmpfiles.d and units of a program's package tell of are made, with their owners", () => {
  const files = ["/usr/bin/web", "/usr/lib/tmpfiles.d/web.conf", "/usr/lib/systemd/system/web.service"];
  const { directories, files: taken } = compute(
    {
      ...database({ web: { files } }),
      "usr/bin/web": dynamicProgram(),
      "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nweb:x:33:34::/:/bin/sh\n",
      "etc/group": "root:x:0:\nadm:x:4:\n",
      "usr/lib/tmpfiles.d/web.conf":
        "# no directory\nd /run/web 0750 web adm -\nf /run/web/file 0644 - - -\nD! /var/run/web.d - web\nd /run/%u\nd /run/nobody 0755 nobody\n",
      "var/run": { link: "/run" },
      run: { folder: true },
      "usr/lib/systemd/system/web.service":
        "[Service]\nUser=web\nRuntimeDirectory=web-sockets\nRuntimeDirectoryMode=0700\nStateDirectory=web\n",
      "var/lib/web": { folder: true },
    },
    { programs: ["web"] },
  );
  const made = [...(directories ?? [])].map(
    ([path, { mode, uid, gid }]) => `${path} ${mode.toString(8)} ${uid}:${gid}`,
  );
  assert.equal(made, ["/run/web 750 33:4", "/run/web-sockets 700 33:34", "/run/web.d 755 33:34"]);
  assert.ok(taken.has("/var/lib/web"));
});

rules("a package brings the names that update-alternatives gave to its files", () => {
  const closure = compute(
    {
      ...database({
        magick: { files: ["/usr/bin/convert-im6", "/usr/share/man/man1/convert-im6.1"] },
        other: { files: ["/usr/bin/o"] },
      }),
      "usr/bin/convert-im6": dynamicProgram(),
      "usr/bin/o": dynamicProgram(),
      "usr/bin/convert": { link: "/etc/alternatives/convert" },
      "usr/bin/second": { link: "/etc/alternatives/second" },
      "usr/bin/theirs": { link: "/etc/alternatives/theirs" },
      "etc/alternatives/convert": { link: "/usr/bin/convert-im6" },
      "etc/alternatives/second": { link: "/usr/bin/convert-im6" },
      "etc/alternatives/theirs": { link: "/usr/bin/o" },
      "var/lib/dpkg/alternatives/convert":
        "auto\n/usr/bin/convert\nsecond\n/usr/bin/second\n\n/usr/bin/convert-im6\n1\n\n",
      "var/lib/dpkg/alternatives/theirs": "auto\n/usr/bin/theirs\n\n/usr/bin/o\n1\n\n",
    },
    { packages: ["magick"] },
  );
  assert.equal(has(closure, "/usr/bin/convert", "/etc/alternatives/convert", "/usr/bin/second", "/usr/bin/theirs"), [
    true,
    true,
    true,
    false,
  ]);
});

rules("plugins and data come in of a loaded library's package, of its parts, and beside the plugins", () => {
  const plugins = `${LIB}/draw-1`;
  const closure = compute(
    {
      ...database({
        "libdraw-1": {
          source: "draw",
          depends: "libdraw-1-common",
          files: [`/${LIB}/libdraw.so.1`, `/${plugins}/png.so`],
        },
        "libdraw-1-common": { source: "draw", files: ["/usr/share/draw-data/colours", "/usr/share/doc/draw/readme"] },
        "libdraw-1-plugins": { source: "draw", files: [`/${plugins}/svg.so`] },
        "libdraw-dev": { source: "draw", files: [`/${plugins}/dev.h`] },
        other: { files: [`/${LIB}/other-1/x.so`] },
      }),
      "usr/bin/p": dynamicProgram({ needed: ["libdraw.so.1"] }),
      [`${LIB}/libdraw.so.1`]: library("libdraw.so.1"),
      [`${plugins}/png.so`]: library("png.so", { needed: ["libpng.so"] }),
      [`${plugins}/svg.so`]: library("svg.so"),
      [`${plugins}/dev.h`]: "",
      [`${plugins}/cache`]: "made when it was installed",
      [`${LIB}/libpng.so`]: library("libpng.so"),
      [`${LIB}/other-1/x.so`]: library("x.so"),
      "usr/share/draw-data/colours": "",
      "usr/share/doc/draw/readme": "",
    },
    { programs: ["p"] },
  );
  const wanted = [
    `${plugins}/png.so`,
    `${plugins}/svg.so`,
    `${plugins}/cache`,
    `${LIB}/libpng.so`,
    "usr/share/draw-data/colours",
  ];
  assert.equal(
    has(closure, ...wanted.map((path) => `/${path}`)),
    wanted.map(() => true),
  );
  assert.equal(has(closure, `/${plugins}/dev.h`, `/${LIB}/other-1/x.so`, "/usr/share/doc/draw/readme"), [
    false,
    false,
    false,
  ]);
});

rules("Java's libraries find libjvm.so, which its launcher loads by its path", () => {
  const home = "usr/lib/jvm/java-17";
  const closure = compute(
    {
      "usr/bin/java": { link: `/${home}/bin/java` },
      [`${home}/bin/java`]: dynamicProgram(),
      [`${home}/lib/server/libjvm.so`]: library("libjvm.so"),
      [`${home}/lib/libawt.so`]: library("libawt.so", { needed: ["libjvm.so", "libgone.so"] }),
      [`${home}/lib/modules`]: "",
    },
    { programs: ["java"] },
  );
  assert.equal(has(closure, `/${home}/lib/server/libjvm.so`, `/${home}/lib/libawt.so`, `/${home}/lib/modules`), [
    true,
    true,
    true,
  ]);
  const warnings = closure.warnings.join("\n");
  assert.not.match(warnings, /libjvm\.so, which is not there/);
  assert.match(warnings, /libawt\.so needs libgone\.so, which is not there/);
});

rules("a plugin for musl does not lack libc.so, whose part the loader plays", () => {
  const plugin: Entries = { "opt/plugin.so": library("plugin.so", { needed: ["libc.so"] }) };
  // As on Debian, whose own loader is another: a plugin that nobody loads by its header could be for either.
  const musl: Entries = {
    ...glibcRoot(),
    "usr/lib/ld-musl-x86_64.so.1": library("libc.musl-x86_64.so.1"),
    "usr/lib/libc.musl-x86_64.so.1": { link: "ld-musl-x86_64.so.1" },
    "usr/bin/p": { elf: { interpreter: "/lib/ld-musl-x86_64.so.1", needed: ["libc.musl-x86_64.so.1"] } },
    ...plugin,
  };
  const warningsOf = (entries: Entries, program: string) =>
    withRoot(entries, (root) => computeIn(root, { programs: [program], include: ["/opt/plugin.so"] })).warnings.join(
      "\n",
    );
  assert.not.match(warningsOf(musl, "p"), /libc\.so/);
  const glibc = { ...glibcRoot(), "usr/bin/p": dynamicProgram(), ...plugin };
  assert.match(warningsOf(glibc, "p"), /plugin\.so needs libc\.so, which is not there/);
});

rules(
  "a script's programs come in from folders that it puts in PATH, from values of variables, and of its package",
  () => {
    const closure = compute(
      {
        ...database({
          base: { source: "db", files: ["/usr/bin/db-init", "/usr/bin/db-server"] },
          client: { source: "db", files: ["/usr/bin/db-print"] },
          other: { files: ["/usr/bin/db-other"] },
        }),
        "srv/task.sh":
          "#!/bin/sh\n# PATH=/opt/comment:$PATH\nPATH=$(echo /usr/lib/db/*/bin):$PATH:/opt/behind\ndb-make; db-tool\nexec db-init\n",
        "usr/bin/sh": dynamicProgram(),
        "usr/lib/db/15/bin/db-make": dynamicProgram(),
        "usr/lib/db/15/bin/db-tool": dynamicProgram(),
        "usr/bin/db-tool": dynamicProgram(),
        "opt/comment/db-make": { text: "#!/bin/sh\n", mode: 0o755 },
        "opt/behind/db-init": { text: "#!/bin/sh\n", mode: 0o755 },
        "usr/bin/db-init":
          // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's
          '#!/bin/sh\nSERVER=${DB_SERVER:-/usr/sbin/db-daemon}\nlog=/etc/init.d/db\n"$base/extra/db-print" $base/db-other `$SERVER`\n',
        "usr/sbin/db-daemon": dynamicProgram(),
        "usr/bin/db-print": dynamicProgram(),
        "usr/bin/db-other": dynamicProgram(),
        "usr/bin/db-server": dynamicProgram(),
        "etc/init.d/db": { text: "#!/bin/sh\n", mode: 0o755 },
      },
      { command: { args: ["/srv/task.sh"], cwd: "/" }, programs: [] },
    );
    const taken = [
      "/usr/lib/db/15/bin/db-make",
      "/usr/lib/db/15/bin/db-tool",
      "/usr/sbin/db-daemon",
      "/usr/bin/db-print",
    ];
    assert.equal(has(closure, ...taken), [true, true, true, true]);
    const left = [
      "/usr/bin/db-tool",
      "/opt/comment/db-make",
      "/opt/behind/db-init",
      "/usr/bin/db-other",
      "/etc/init.d/db",
    ];
    assert.equal(has(closure, ...left, "/usr/bin/db-server"), [false, false, false, false, false, false]);
  },
);

rules("what a script that was asked for calls itself has its data, what that calls has none", () => {
  const closure = compute(
    {
      "srv/task.sh": "#!/bin/sh\nfirst\n",
      "usr/bin/sh": dynamicProgram(),
      "usr/bin/first": "#!/bin/sh\nsecond\n",
      "usr/bin/second": dynamicProgram(),
      "etc/first/conf": "",
      "etc/second/conf": "",
    },
    { command: { args: ["/srv/task.sh"], cwd: "/" }, programs: [] },
  );
  assert.equal(has(closure, "/usr/bin/second", "/etc/first/conf", "/etc/second/conf"), [true, true, false]);
});

rules(
  "programs that are named in a program come in where they are beside it, in a folder of its own, or a command",
  () => {
    const closure = compute(
      {
        "usr/lib/db/bin/make": dynamicProgram({ imports: ["popen"], tail: "\0server\0locale -a\0sort\0text -x \n\0" }),
        "usr/lib/db/bin/server": dynamicProgram(),
        "usr/lib/db/bin/dump": dynamicProgram(),
        "usr/bin/locale": dynamicProgram(),
        "usr/bin/sort": dynamicProgram(),
        "usr/bin/text": dynamicProgram(),
      },
      { programs: ["/usr/lib/db/bin/make"] },
    );
    assert.equal(has(closure, "/usr/lib/db/bin/server", "/usr/bin/locale"), [true, true]);
    assert.equal(has(closure, "/usr/lib/db/bin/dump", "/usr/bin/sort", "/usr/bin/text"), [false, false, false]);
  },
);

rules("folders that a program names come in, without secrets, and of /var without files", () => {
  const tail = "\0/etc/dbms/\0/usr/share/zones\0/usr/share/locale\0/usr/share/dbms/man\0/var/lib/dbms\0see /opt/text\0";
  const closure = compute(
    {
      "usr/bin/p": dynamicProgram({ tail, needed: ["libq.so"] }),
      [`${LIB}/libq.so`]: library("libq.so", { tail: "\0/usr/share/of-library\0" }),
      "etc/dbms/my.cnf": "",
      "etc/dbms/secret": { text: "", mode: 0o640 },
      "usr/share/zones/Berlin": "",
      "usr/share/locale/de": "",
      "usr/share/dbms/man/p.1": "",
      "usr/share/of-library/x": "",
      "var/lib/dbms/table": "",
      "opt/text/x": "",
    },
    { programs: ["p"] },
  );
  assert.equal(has(closure, "/etc/dbms/my.cnf", "/usr/share/zones/Berlin", "/var/lib/dbms"), [true, true, true]);
  const left = ["/etc/dbms/secret", "/usr/share/locale/de", "/usr/share/dbms/man/p.1", "/usr/share/of-library/x"];
  assert.equal(has(closure, ...left, "/var/lib/dbms/table", "/opt/text/x"), [false, false, false, false, false, false]);
});

rules(
  "a compiler has its assembler, its linker, headers and the C library to link with; a source what it includes",
  () => {
    const closure = compute(
      {
        "usr/bin/gcc": { link: "x86_64-linux-gnu-gcc-12" },
        "usr/bin/x86_64-linux-gnu-gcc-12": dynamicProgram(),
        "usr/bin/as": dynamicProgram(),
        "usr/bin/ld": { link: "x86_64-linux-gnu-ld" },
        "usr/bin/x86_64-linux-gnu-ld": dynamicProgram(),
        "usr/include/stdio.h": "",
        [`${LIB}/Scrt1.o`]: "",
        [`${LIB}/libc.so`]: "GROUP ( /lib/x86_64-linux-gnu/libc.so.6 )",
        [`${LIB}/libssl.so`]: "",
        "srv/c/main.c": '#include <stdio.h>\n #  include "own.h"\n',
        "srv/c/own.h": '#include "sub/more.h"\n',
        "srv/c/sub/more.h": "",
        "srv/c/other.h": "",
      },
      { command: { args: ["gcc", "main.c"], cwd: "/srv/c" }, programs: [] },
    );
    const taken = [
      "/usr/bin/as",
      "/usr/bin/x86_64-linux-gnu-ld",
      "/usr/include/stdio.h",
      `/${LIB}/Scrt1.o`,
      `/${LIB}/libc.so`,
    ];
    assert.equal(
      has(closure, ...taken, "/srv/c/own.h", "/srv/c/sub/more.h"),
      taken.concat("", "").map(() => true),
    );
    assert.equal(has(closure, `/${LIB}/libssl.so`, "/srv/c/other.h"), [false, false]);
  },
);

rules("what a program's configuration names comes in: files, folders to write to, what a site serves", () => {
  const closure = compute(
    {
      "usr/bin/web": dynamicProgram(),
      "etc/web/web.conf": [
        "# not /etc/commented",
        "types /etc/types.map;",
        "include /etc/web-extra/*.conf; # of others",
        "root /srv/site; root /srv/big",
        "cache=/var/cache/pages/one pid /run/web-own/web.pid, socket unix:/run/systemd/socket",
        "data /var/lib/tables; key /etc/keys/key.pem; see http://host/etc/remote",
      ].join("\n"),
      "etc/commented": "",
      "etc/types.map": "",
      "etc/web-extra/a.conf": "module /usr/share/more/text",
      "etc/remote": "",
      "etc/keys/key.pem": { text: "secret", mode: 0o600 },
      "usr/share/more/text": "",
      "srv/site/page": "",
      "srv/site/run": { text: "#!/usr/bin/perl\n", mode: 0o755 },
      "usr/bin/perl": dynamicProgram(),
      "srv/big/page": Buffer.alloc(5 * 1024 * 1024),
      "var/cache/pages/two": "",
      "var/lib/tables/table": "",
    },
    { programs: ["web"] },
  );
  const taken = ["/etc/types.map", "/etc/web-extra/a.conf", "/usr/share/more/text", "/srv/site/page", "/usr/bin/perl"];
  assert.equal(has(closure, ...taken, "/var/cache/pages", "/var/lib/tables"), Array(taken.length + 2).fill(true));
  const left = ["/etc/commented", "/etc/remote", "/etc/keys/key.pem", "/srv/big/page", "/var/cache/pages/two"];
  assert.equal(has(closure, ...left, "/var/lib/tables/table"), Array(left.length + 1).fill(false));
  assert.equal([...(closure.directories ?? []).keys()], ["/run/web-own"]);
  const warnings = closure.warnings.join("\n");
  assert.match(warnings, /names \/srv\/big, which is left out, as much is in it: run with --volume \/srv\/big:/);
  assert.match(warnings, /names \/etc\/keys\/key.pem, which is left out, as not everybody may read it/);
});

rules("configuration that the command names is read like that of a program, other files are not", () => {
  const entries: Entries = {
    "usr/bin/web": dynamicProgram(),
    "srv/own.conf": "errors /etc/errors/503",
    "srv/text": "errors /etc/errors/404",
    "etc/errors/503": "",
    "etc/errors/404": "",
  };
  const closure = compute(entries, {
    command: { args: ["web", "-f", "/srv/own.conf", "/srv/text"], cwd: "/" },
  });
  assert.equal(has(closure, "/etc/errors/503", "/etc/errors/404"), [true, false]);
});

rules("programs of the same source come in when a program has their path, wherever that was when it was built", () => {
  const tail = "\0/agent/sign-agent\0/usr/bin/sign-keys\0other\0/usr/bin/my-view\0";
  const sources = database({
    sign: { files: ["/usr/bin/sign", "/usr/bin/sign-keys"] },
    "sign-agent": {
      source: "sign",
      files: ["/usr/bin/sign-agent", "/usr/bin/other"],
    },
    view: { files: ["/usr/bin/my-view"] },
  });
  const made = (imports: string[]) =>
    compute(
      {
        ...sources,
        "usr/bin/sign": dynamicProgram({ tail, imports }),
        "usr/bin/sign-agent": dynamicProgram(),
        "usr/bin/sign-keys": dynamicProgram(),
        "usr/bin/other": dynamicProgram(),
        "usr/bin/my-view": dynamicProgram(),
      },
      { programs: ["sign"] },
    );
  const all = ["/usr/bin/sign-agent", "/usr/bin/sign-keys", "/usr/bin/other", "/usr/bin/my-view"];
  assert.equal(has(made(["execv"]), ...all), [true, true, false, false]);
  assert.equal(has(made([]), ...all), [false, false, false, false]);
});

rules("what runs several programs that pack has them, with a shell; what runs the user's shell has that", () => {
  const entries: Entries = {
    "usr/bin/pack": dynamicProgram({
      imports: ["execlp"],
      tail: "\0--gzip\0--xz\0--zstd\0--bzip2\0",
    }),
    "usr/bin/copy": dynamicProgram({
      imports: ["execlp"],
      tail: "\0gzip\0xz\0zstd\0lz4\0",
    }),
    "usr/bin/screen": dynamicProgram({
      imports: ["execl", "forkpty"],
      tail: "\0SHELL\0",
    }),
    "etc/passwd": "root:x:0:0:root:/root:/usr/bin/zsh\n",
    ...Object.fromEntries(
      ["gzip", "xz", "zstd", "lz4", "sh", "zsh"].map((name) => [`usr/bin/${name}`, dynamicProgram()]),
    ),
  };
  const names = ["/usr/bin/gzip", "/usr/bin/xz", "/usr/bin/zstd", "/usr/bin/lz4", "/usr/bin/sh", "/usr/bin/zsh"];
  const of = (program: string) => has(compute(entries, { programs: [program] }), ...names);
  assert.equal(of("pack"), [true, true, true, false, true, false]);
  assert.equal(of("copy"), [false, false, false, false, false, false]);
  assert.equal(of("screen"), [false, false, false, false, true, true]);
});

rules("command lines of a compiler in a program that uses system(3) bring it and a shell", () => {
  const closure = compute(
    {
      "usr/bin/camlopt": dynamicProgram({
        imports: ["system"],
        tail: "\0x86_64-linux-gnu-as -c\0view -x\0see also\0",
      }),
      ...Object.fromEntries(
        ["x86_64-linux-gnu-as", "view", "see", "sh"].map((name) => [`usr/bin/${name}`, dynamicProgram()]),
      ),
    },
    { programs: ["camlopt"] },
  );
  assert.equal(has(closure, "/usr/bin/x86_64-linux-gnu-as", "/usr/bin/sh"), [true, true]);
  assert.equal(has(closure, "/usr/bin/view", "/usr/bin/see"), [false, false]);
});

rules(
  "files that a program names come in, lists of folders are taken apart, and scripts of its own call others",
  () => {
    const tail =
      "\0/etc/hello.map\0/etc/secret\0/usr/share/none:/usr/share/second\0/usr/lib/hello\0%s/bin/start\0/var/lib/made\0";
    const closure = compute(
      {
        "usr/bin/hello": dynamicProgram({ tail }),
        "etc/hello.map": "",
        "etc/secret": { text: "", mode: 0o600 },
        "usr/share/second/text": "",
        "usr/lib/hello/bin/start": "#!/bin/sh\nsed s/a/b/ /etc/hello-types /etc/hello-key\n",
        "etc/hello-types": "",
        "etc/hello-key": { text: "", mode: 0o600 },
        "usr/bin/sh": dynamicProgram(),
        "usr/bin/sed": dynamicProgram(),
        "var/lib/made/index": "",
      },
      { programs: ["hello"] },
    );
    assert.equal(has(closure, "/etc/hello.map", "/usr/share/second/text", "/usr/bin/sed"), [true, true, true]);
    assert.equal(has(closure, "/etc/hello-types", "/etc/hello-key"), [true, false]);
    assert.equal(has(closure, "/etc/secret", "/var/lib/made/index"), [false, false]);
    const warnings = closure.warnings.join("\n");
    assert.match(warnings, /names \/etc\/secret, which is left out, as not everybody may read it/);
    assert.match(warnings, /of \/var\/lib\/made, which .* names, no files come in.*--include \/var\/lib\/made/);
  },
);

rules("a library of the program's own source names folders for it", () => {
  const closure = compute(
    {
      ...database({
        draw: { files: ["/usr/bin/draw"] },
        libdraw: { source: "draw", files: [`/${LIB}/libdraw.so`] },
      }),
      "usr/bin/draw": dynamicProgram({ needed: ["libdraw.so"] }),
      [`${LIB}/libdraw.so`]: library("libdraw.so", {
        tail: "\0/usr/share/colours\0",
      }),
      "usr/share/colours/red": "",
    },
    { programs: ["draw"] },
  );
  assert.equal(has(closure, "/usr/share/colours/red"), [true]);
});

rules(
  "variables name files, a time zone and a locale; an argument names files in code, and from a folder behind -C",
  () => {
    const entries: Entries = {
      "usr/bin/p": dynamicProgram(),
      "srv/settings": "",
      "srv/in.org": "",
      "opt/folder/in": "",
      "home/me/text": "",
      "usr/share/zoneinfo/Europe/Berlin": "",
      "usr/share/zoneinfo/Asia/Tokyo": "",
      "usr/lib/locale/de_DE.utf8/LC_TIME": "",
      "usr/lib/locale/fr_FR.utf8/LC_TIME": "",
    };
    const closure = compute(entries, {
      command: {
        args: ["p", "--eval", '(open "/srv/in.org" "Asia/Tokyo")', "-C", "/opt", "folder"],
        cwd: "/",
      },
      env: ["SETTINGS=/srv/settings", "TZ=Europe/Berlin", "LANG=de_DE.UTF-8", "HOME=/home/me"],
    });
    const taken = [
      "/srv/settings",
      "/srv/in.org",
      "/usr/share/zoneinfo/Europe/Berlin",
      "/usr/share/zoneinfo/Asia/Tokyo",
    ];
    assert.equal(has(closure, ...taken, "/usr/lib/locale/de_DE.utf8/LC_TIME"), Array(taken.length + 1).fill(true));
    assert.equal(has(closure, "/opt/folder/in"), [true]);
    assert.equal(has(closure, "/home/me/text", "/usr/lib/locale/fr_FR.utf8/LC_TIME"), [false, false]);
  },
);

rules("a script has the folder beside it that holds a file it names, and modules that it names in quotes", () => {
  const closure = compute(
    {
      "usr/bin/python3": dynamicProgram(),
      "srv/app/main.py": 'render("page.html")\nload("site.settings")\nzone = "Europe/Berlin"\n',
      "srv/app/templates/page.html": "",
      "srv/app/templates/base.html": "",
      "srv/app/unused/text.html": "",
      "srv/app/site/settings.py": "",
      "usr/share/zoneinfo/Europe/Berlin": "",
    },
    { command: { args: ["python3", "/srv/app/main.py"], cwd: "/" } },
  );
  const taken = ["/srv/app/templates/base.html", "/srv/app/site/settings.py", "/usr/share/zoneinfo/Europe/Berlin"];
  assert.equal(has(closure, ...taken, "/srv/app/unused/text.html"), [true, true, true, false]);
});

rules("what runs a script that was asked for has its data, and a fish script its commands", () => {
  const closure = compute(
    {
      "usr/bin/fish": dynamicProgram(),
      "usr/bin/sort": dynamicProgram(),
      "usr/share/fish/config.fish": "",
      "srv/main.fish": {
        text: "#!/usr/bin/fish\nfor each in (cat $list | sort)\n  echo $each\nend\n",
        mode: 0o755,
      },
    },
    { command: { args: ["/srv/main.fish"], cwd: "/" } },
  );
  assert.equal(has(closure, "/usr/share/fish/config.fish", "/usr/bin/sort"), [true, true]);
});

rules("a build tool has a compiler with all that one needs, and a shell", () => {
  const closure = compute(
    {
      ...Object.fromEntries(["make", "as", "ld", "sh"].map((name) => [`usr/bin/${name}`, dynamicProgram()])),
      "usr/bin/cc": { link: "gcc" },
      "usr/bin/gcc": dynamicProgram({ tail: "\0/usr/lib/gcc/\0" }),
      "usr/lib/gcc/x/cc1": dynamicProgram(),
      "usr/include/stdio.h": "",
    },
    { command: { args: ["make", "-C", "/srv"], cwd: "/" } },
  );
  const taken = [
    "/usr/bin/cc",
    "/usr/bin/as",
    "/usr/bin/ld",
    "/usr/bin/sh",
    "/usr/lib/gcc/x/cc1",
    "/usr/include/stdio.h",
  ];
  assert.equal(
    has(closure, ...taken),
    taken.map(() => true),
  );
});

rules.run();
