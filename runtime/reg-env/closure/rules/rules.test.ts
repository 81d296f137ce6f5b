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

rules.run();
