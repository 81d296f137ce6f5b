/** Our answer against the loader's own: for every ELF program of a root, the libraries that `ld.so --list` reports. */
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { BUILD } from "../../../../conformance/paths.ts";
import { root as isRoot, need, needs } from "../../../../conformance/testing.ts";
import { Root } from "../root.ts";
import { hostLevels } from "./hwcaps.ts";
import { Linker } from "./link.ts";
import { ElfReader } from "./objects.ts";

const oracle = suite("the libraries of every program, as the loader lists them");

const LOADER = "/lib64/ld-linux-x86-64.so.2";
const FOLDERS = ["/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/lib/git-core"];
const DEBIAN = join(BUILD, "debian");

function compare(path: string): void {
  const root = new Root(path);
  const linker = new Linker(new ElfReader(root), { levels: hostLevels(LOADER) });
  const programs = findPrograms(root, linker);
  assert.ok(programs.length > 50, `only ${programs.length} programs`);
  const expected = listLibraries(path, programs);
  const differences: string[] = [];
  for (const program of programs) {
    const elf = linker.elfs.read(program);
    if (elf === undefined) throw new Error(program);
    const process = linker.start(program, elf);
    const real = (found: string) => root.resolve(found)?.path ?? found;
    const ours = new Set(process.objects.slice(1).map((object) => object.path));
    if (process.interpreter !== undefined) ours.add(real(process.interpreter));
    for (const { name } of process.missing) ours.add(`${name} missing`);
    const theirs = new Set(expected.get(program)?.map((each) => (each.endsWith(" missing") ? each : real(each))));
    for (const each of ours) if (!theirs.has(each)) differences.push(`${program}: we add ${each}`);
    for (const each of theirs) if (!ours.has(each)) differences.push(`${program}: we lack ${each}`);
  }
  console.log(`${programs.length} programs of ${path}`);
  assert.equal(differences, []);
}

function findPrograms(root: Root, linker: Linker): string[] {
  const found = new Set<string>();
  for (const folder of FOLDERS)
    for (const name of root.list(folder)) {
      const file = root.resolve(`${folder}/${name}`);
      if (file?.stats.isFile() !== true) continue;
      const elf = linker.elfs.read(file.path);
      if (elf?.machine === 62 && elf.bits === 64 && elf.interpreter === LOADER) found.add(file.path);
    }
  return [...found];
}

/** All programs in one shell: a process a program is what the loader needs, and no more. */
function listLibraries(root: string, programs: readonly string[]): Map<string, string[]> {
  const script = `while read -r program; do echo "= $program"; ${LOADER} --list "$program" 2>&1; done; true`;
  const shell = ["/bin/sh", "-c", script];
  const command = root === "/" ? shell : ["chroot", root, ...shell];
  const { stdout } = spawnSync(command[0] ?? "", command.slice(1), {
    input: programs.map((program) => `${program}\n`).join(""),
    encoding: "utf8",
    env: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
    maxBuffer: 64 << 20,
  });
  const lists = new Map<string, string[]>();
  for (const part of stdout.split(/^= /m).slice(1)) {
    const [program = "", ...lines] = part.split("\n");
    lists.set(program, lines.flatMap(libraryOf));
  }
  return lists;
}

/** `libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f...)`, `/lib64/ld-linux-x86-64.so.2 (0x...)`, `libx.so => not found`. */
function libraryOf(line: string): string[] {
  const missing = /^\s*(\S+) => not found/.exec(line)?.[1];
  if (missing !== undefined) return [`${missing} missing`];
  const path = /^\s*(?:\S+ => )?(\/\S+) \(0x/.exec(line)?.[1];
  return path === undefined ? [] : [path];
}

needs(oracle, need(LOADER, existsSync(LOADER)))("of this machine", () => compare("/"));
needs(
  oracle,
  isRoot,
  need("conformance/reg/debian-root.sh", existsSync(join(DEBIAN, ".complete"))),
)("of a Debian root filesystem", () => {
  assert.ok(readdirSync(DEBIAN).length > 0);
  compare(DEBIAN);
});

oracle.run();
