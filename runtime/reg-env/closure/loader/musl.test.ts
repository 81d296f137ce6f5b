/** Programs for musl, compiled here, and what musl's loader says of them. */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { need, needs, program } from "../../../../conformance/testing.ts";
import { Root } from "../root.ts";
import { Linker } from "./link.ts";
import { ElfReader } from "./objects.ts";

const musl = suite("musl's loader");
const LOADER = "/lib/ld-musl-x86_64.so.1";
const test = needs(musl, program("musl-gcc"), need(LOADER, existsSync(LOADER)));

type Recipe = readonly [path: string, flags: string];

const cases: readonly (readonly [
  name: string,
  recipes: readonly Recipe[],
  libraries: readonly string[],
  links?: Readonly<Record<string, string>>,
])[] = [
  [
    "RUNPATH holds for the libraries of libraries",
    [
      ["lib/libb.so", ""],
      ["lib/liba.so", "-L{}/lib -lb"],
      ["p", "-L{}/lib -la -Wl,--enable-new-dtags,-rpath,{}/lib"],
    ],
    ["lib/liba.so", "lib/libb.so"],
  ],
  [
    "$ORIGIN is the folder of the path that was found",
    [
      ["lib/sub/libb.so", ""],
      ["real/liba.so", "-L{}/lib/sub -lb -Wl,-rpath,$ORIGIN/sub"],
      ["bin/p", "-L{}/real -la -Wl,-rpath,$ORIGIN/../lib"],
    ],
    ["lib/sub/libb.so", "real/liba.so"],
    { "lib/liba.so": "../real/liba.so" },
  ],
  [
    "one library by two names is loaded once",
    [
      ["lib/liba.so", ""],
      ["lib/liba2.so", ""],
      ["p", "-L{}/lib -la -la2 -Wl,-rpath,{}/lib"],
    ],
    ["lib/liba.so", "lib/liba2.so"],
  ],
];

for (const [name, recipes, libraries, links = {}] of cases)
  test(name, () => {
    const folder = mkdtempSync(join(tmpdir(), `reg-test-${process.pid}-musl-`));
    try {
      writeFileSync(join(folder, "empty.c"), "int main(void) { return 0; }\n");
      for (const [path, flags] of recipes) {
        mkdirSync(dirname(join(folder, path)), { recursive: true });
        const kind = path.includes(".so") ? ["-shared", "-fPIC"] : [];
        const more = flags
          .replaceAll("{}", folder)
          .split(" ")
          .filter((flag) => flag !== "");
        const fixed = ["-Wl,--no-as-needed", "-Wl,--allow-shlib-undefined"];
        execFileSync("musl-gcc", [...kind, "-o", join(folder, path), join(folder, "empty.c"), ...fixed, ...more]);
      }
      for (const [path, target] of Object.entries(links)) symlinkSync(target, join(folder, path));
      const path = join(folder, recipes.at(-1)?.[0] ?? "");
      const linker = new Linker(new ElfReader(new Root("/")));
      const elf = linker.elfs.read(path);
      if (elf === undefined) throw new Error(`${path} is no ELF file`);
      const linked = linker.start(path, elf);
      const real = (found: string) => linker.elfs.root.resolve(found)?.path ?? found;
      const below = (found: string) => (found.startsWith(`${folder}/`) ? [found.slice(folder.length + 1)] : []);
      const list = spawnSync(LOADER, ["--list", path], { encoding: "utf8", env: {} });
      const theirs = [...list.stdout.matchAll(/=> (\/\S+)/g)].flatMap(([, found = ""]) => below(real(found)));
      const ours = linked.objects.slice(1).flatMap((object) => below(object.path));
      assert.equal(ours.sort(), [...new Set(theirs)].sort(), list.stderr);
      assert.equal(ours, libraries);
      assert.equal(linked.missing, []);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

musl.run();
