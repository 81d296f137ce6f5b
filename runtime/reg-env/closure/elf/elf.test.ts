import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type ElfRecipe, makeElf } from "../../../../conformance/fixtures/elf.ts";
import { withRoot } from "../../../../conformance/fixtures/root.ts";
import { readElf } from "./elf.ts";

const elf = suite("ELF files");

const read = (recipe: ElfRecipe) => withRoot({ file: { elf: recipe } }, (root) => readElf(`${root}/file`));

for (const bits of [32, 64] as const)
  for (const bigEndian of [false, true])
    elf(`of ${bits} bits, ${bigEndian ? "big" : "little"}-endian`, () => {
      const found = read({
        bits,
        bigEndian,
        machine: 8,
        interpreter: "/lib/ld.so.1",
        needed: ["liba.so.1", "libb.so.2"],
        soname: "libself.so.3",
        rpath: "/one",
        runpath: "$ORIGIN/two",
        flags1: 0x800,
        imports: ["getaddrinfo", "system"],
        notes: ['[{"soname":["libx.so.1"]}]', '[{"soname":["liby.so.1"]}]'],
      });
      assert.equal(found, {
        bits,
        bigEndian,
        machine: 8,
        flags: 0,
        kind: "shared",
        interpreter: "/lib/ld.so.1",
        dlopenNotes: ['[{"soname":["libx.so.1"]}]', '[{"soname":["liby.so.1"]}]'],
        dynamic: true,
        needed: ["liba.so.1", "libb.so.2"],
        soname: "libself.so.3",
        rpath: "/one",
        runpath: "$ORIGIN/two",
        filters: [],
        noDefaultLibraries: true,
        imports: new Set(["getaddrinfo", "system"]),
      });
    });

elf("a static program needs nothing", () => {
  const found = read({ static: true });
  assert.is(found?.dynamic, false);
  assert.equal(found?.needed, []);
});

elf("cut off anywhere, it is an error or none", () => {
  const whole = makeElf({ interpreter: "/lib/ld.so.1", needed: ["liba.so.1"], imports: ["system"], notes: ["[]"] });
  for (let size = 0; size < whole.length; size += 1)
    withRoot({ file: whole.subarray(0, size) }, (root) => {
      try {
        readElf(`${root}/file`);
      } catch (error) {
        assert.match(String(error), /damaged ELF file/);
      }
    });
});

elf("with any byte changed, it is an error or none", () => {
  const whole = makeElf({ interpreter: "/lib/ld.so.1", needed: ["liba.so.1"], imports: ["system"], notes: ["[]"] });
  for (let index = 0; index < whole.length; index += 1) {
    const changed = Buffer.from(whole);
    changed[index] = 0xff;
    withRoot({ file: changed }, (root) => {
      try {
        readElf(`${root}/file`);
      } catch (error) {
        assert.match(String(error), /damaged ELF file/);
      }
    });
  }
});

elf.run();
