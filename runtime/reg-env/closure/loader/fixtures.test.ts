/** Small ELF files made for one rule of the loader each, compiled here, and what the loader says of them. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { need, needs, program } from "../../../../conformance/testing.ts";
import { Root } from "../root.ts";
import { hostLevels } from "./hwcaps.ts";
import { Linker } from "./link.ts";
import { ElfReader } from "./objects.ts";

const loader = suite("the loader's rules");
const LOADER = "/lib64/ld-linux-x86-64.so.2";
const test = needs(loader, program("gcc"), need(LOADER, existsSync(LOADER)));

/** `name.so` or a program, from a line of C, with flags for gcc; `{}` in the flags is the folder of the test. */
type Recipe = readonly [path: string, flags: string];

function build(folder: string, recipes: readonly Recipe[]): void {
  writeFileSync(join(folder, "empty.c"), "int main(void) { return 0; }\n");
  for (const [path, flags] of recipes) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    const kind = path.includes(".so") ? ["-shared", "-fPIC"] : [];
    const more = flags
      .replaceAll("{}", folder)
      .split(" ")
      .filter((flag) => flag !== "");
    execFileSync("gcc", [
      ...kind,
      "-o",
      join(folder, path),
      join(folder, "empty.c"),
      "-Wl,--no-as-needed",
      "-Wl,--allow-shlib-undefined",
      ...more,
    ]);
  }
}

function inFolder(check: (folder: string) => void): void {
  const folder = mkdtempSync(join(tmpdir(), `reg-test-${process.pid}-loader-`));
  try {
    check(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Libraries below the folder, as we and as the loader find them; `missing:` before those that are not found. */
function resolve(folder: string, path: string): { ours: string[]; theirs: string[] } {
  const linker = new Linker(new ElfReader(new Root("/")), { levels: hostLevels(LOADER) });
  const full = join(folder, path);
  const elf = linker.elfs.read(full);
  if (elf === undefined) throw new Error(`${full} is no ELF file`);
  const linked = linker.start(full, elf);
  const below = (found: string) => (found.startsWith(`${folder}/`) ? [found.slice(folder.length + 1)] : []);
  const real = (found: string) => linker.elfs.root.resolve(found)?.path ?? found;
  const ours = linked.objects.slice(1).flatMap((object) => below(object.path));
  // As ldd does: unlike --list it goes on after a library that is missing.
  const list = spawnSync(full, { encoding: "utf8", env: { LD_TRACE_LOADED_OBJECTS: "1" } }).stdout;
  const theirs = [...list.matchAll(/=> (\/\S+)|^\s*(\/\S+) \(0x/gm)].flatMap(([, named, bare]) =>
    below(real(named ?? bare ?? "")),
  );
  const missing = [...list.matchAll(/^\s*(\S+) => not found/gm)].map(([, name]) => `missing:${name}`);
  return {
    ours: [...ours, ...linked.missing.map(({ name }) => `missing:${name}`)].sort(),
    theirs: [...new Set([...theirs, ...missing])].sort(),
  };
}

const cases: readonly (readonly [
  name: string,
  recipes: readonly Recipe[],
  libraries: readonly string[],
  links?: Readonly<Record<string, string>>,
])[] = [
  [
    "RPATH holds for the libraries of libraries",
    [
      ["lib/libb.so", ""],
      ["lib/liba.so", "-L{}/lib -lb"],
      ["p", "-L{}/lib -la -Wl,--disable-new-dtags,-rpath,{}/lib"],
    ],
    ["lib/liba.so", "lib/libb.so"],
  ],
  [
    "RUNPATH holds for who has it only",
    [
      ["lib/libb.so", ""],
      ["lib/liba.so", "-L{}/lib -lb"],
      ["p", "-L{}/lib -la -Wl,--enable-new-dtags,-rpath,{}/lib"],
    ],
    ["lib/liba.so", "missing:libb.so"],
  ],
  [
    "a RUNPATH turns the RPATH of the loaders off",
    [
      ["lib/libb.so", ""],
      ["lib/liba.so", "-L{}/lib -lb -Wl,--enable-new-dtags,-rpath,/nowhere"],
      ["p", "-L{}/lib -la -Wl,--disable-new-dtags,-rpath,{}/lib"],
    ],
    ["lib/liba.so", "missing:libb.so"],
  ],
  [
    "$ORIGIN of a library is its own folder",
    [
      ["lib/deep/libb.so", ""],
      ["lib/liba.so", "-L{}/lib/deep -lb -Wl,-rpath,$ORIGIN/deep"],
      // biome-ignore lint/suspicious/noTemplateCurlyInString: the loader's own syntax
      ["bin/p", "-L{}/lib -la -Wl,-rpath,${ORIGIN}/../lib"],
    ],
    ["lib/deep/libb.so", "lib/liba.so"],
  ],
  [
    "$ORIGIN of a library behind a link is the link's folder",
    [
      ["real/liba.so", "-L{}/libs -lb -Wl,-rpath,$ORIGIN/sub"],
      ["lib/sub/libb.so", ""],
      ["p", "-L{}/real -la -Wl,-rpath,{}/lib -Wl,--unresolved-symbols=ignore-all"],
    ],
    ["lib/sub/libb.so", "real/liba.so"],
    { "lib/liba.so": "../real/liba.so" },
  ],
  [
    "an object that is loaded already is known by its soname",
    [
      ["one/libx.so", "-Wl,-soname,libx.so.1"],
      ["two/libx.so.1", ""],
      ["p", "{}/one/libx.so {}/two/liby.so -Wl,-rpath,{}/one:{}/two"],
    ],
    ["one/libx.so", "two/liby.so"],
    { "one/libx.so.1": "libx.so" },
  ],
  [
    "a library for another machine is passed over",
    [
      ["bad/liba.so", "-m32 -nostdlib"],
      ["good/liba.so", ""],
      ["p", "-L{}/good -la -Wl,-rpath,{}/bad:{}/good"],
    ],
    ["good/liba.so"],
  ],
  [
    "a name with a slash is a path",
    [
      ["lib/liba.so", "-Wl,-soname,{}/lib/liba.so"],
      ["p", "{}/lib/liba.so"],
    ],
    ["lib/liba.so"],
  ],
  [
    "the best glibc-hwcaps folder that the processor knows",
    [
      ["lib/liba.so", ""],
      ["lib/glibc-hwcaps/x86-64-v2/liba.so", ""],
      ["lib/glibc-hwcaps/x86-64-v3/liba.so", ""],
      ["lib/glibc-hwcaps/x86-64-v9/liba.so", ""],
      ["p", "-L{}/lib -la -Wl,-rpath,{}/lib"],
    ],
    [],
  ],
  [
    "NODEFLIB leaves the default folders out, also where the cache names them",
    [["p", "-Wl,-z,nodefaultlib"]],
    ["missing:libc.so.6"],
  ],
  [
    "an auxiliary filter is loaded",
    [
      ["lib/libf.so", ""],
      ["lib/liba.so", "-Wl,-f,libf.so -Wl,--disable-new-dtags,-rpath,{}/lib"],
      ["p", "-L{}/lib -la -Wl,--disable-new-dtags,-rpath,{}/lib"],
    ],
    ["lib/liba.so", "lib/libf.so"],
  ],
  [
    "an empty part of a path and a relative one are the working folder's",
    [
      ["lib/liba.so", ""],
      ["p", "-L{}/lib -la -Wl,-rpath,relative::{}/lib"],
    ],
    ["lib/liba.so"],
  ],
];

for (const [name, recipes, libraries, links = {}] of cases)
  test(name, () =>
    inFolder((folder) => {
      const order = [...recipes];
      // Made first, as programs are linked against it.
      if (recipes.some(([, flags]) => flags.includes("two/liby.so")))
        order.splice(2, 0, ["two/liby.so", "-L{}/two -l:libx.so.1 -Wl,-rpath,{}/two"]);
      if (recipes.some(([, flags]) => flags.includes("{}/libs"))) order.unshift(["libs/libb.so", ""]);
      build(folder, order);
      for (const [path, target] of Object.entries(links)) symlinkSync(target, join(folder, path));
      const { ours, theirs } = resolve(folder, recipes.at(-1)?.[0] ?? "");
      assert.equal(ours, theirs);
      if (libraries.length > 0) assert.equal(ours, libraries);
    }),
  );

test("all variants for other processors are told", () =>
  inFolder((folder) => {
    build(folder, [
      ["lib/liba.so", ""],
      ["lib/glibc-hwcaps/x86-64-v2/liba.so", ""],
      ["lib/glibc-hwcaps/x86-64-v9/liba.so", ""],
      ["p", "-L{}/lib -la -Wl,-rpath,{}/lib"],
    ]);
    const linker = new Linker(new ElfReader(new Root("/")));
    const path = join(folder, "p");
    const elf = linker.elfs.read(path);
    const library = elf && linker.start(path, elf).objects.find((object) => object.names.has("liba.so"));
    assert.is(library?.path, join(folder, "lib/liba.so"));
    assert.equal(library?.variants, [
      join(folder, "lib/glibc-hwcaps/x86-64-v2/liba.so"),
      join(folder, "lib/glibc-hwcaps/x86-64-v9/liba.so"),
    ]);
  }));

test("a damaged ELF file is none that can be loaded, and it is known why", () =>
  inFolder((folder) => {
    build(folder, [["p", ""]]);
    const elfs = new ElfReader(new Root("/"));
    const damaged = join(folder, "damaged");
    execFileSync("sh", ["-c", `head -c 2000 ${folder}/p > ${damaged}`]);
    assert.is(elfs.read(damaged), undefined);
    assert.match(elfs.damageOf(damaged) ?? "", /^\d+ bytes at \d+ are outside of it$/);
    assert.is(elfs.read(join(folder, "empty.c")), undefined);
    assert.is(elfs.damageOf(join(folder, "empty.c")), undefined);
  }));

loader.run();
