/** One environment for every program of a Debian root filesystem: in it, each one's loader finds what it finds in the full root. */
import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { computeClosure } from "../../runtime/reg-env/closure/closure.ts";
import { Root } from "../../runtime/reg-env/closure/root.ts";
import { isElf, readHead } from "../../runtime/reg-env/closure/script.ts";
import { BUILD } from "../paths.ts";
import { root as isRoot, need, needs, program } from "../testing.ts";
import { materialize } from "./materialize.ts";

const closures = suite("closure of a Debian root");
const DEBIAN = join(BUILD, "debian");
const LOADER = "/lib64/ld-linux-x86-64.so.2";
const test = needs(
  closures,
  isRoot,
  need("make debian", existsSync(join(DEBIAN, ".complete"))),
  need(LOADER, existsSync(join(DEBIAN, "usr", LOADER))),
);

function listInside(root: string, shell: string, programs: readonly string[]): string {
  const script = `while read -r program; do echo "= $program"; ${LOADER} --list "$program" 2>&1; done; true`;
  const { stdout } = spawnSync("chroot", [root, shell, "-c", script], {
    input: programs.map((each) => `${each}\n`).join(""),
    encoding: "utf8",
    maxBuffer: 64 << 20,
  });
  return stdout.replaceAll(/ \(0x[0-9a-f]+\)/g, "");
}

test("its loader finds the same libraries for every program", () => {
  const root = new Root(DEBIAN);
  const programs = new Set<string>();
  for (const folder of ["/usr/bin", "/usr/sbin"])
    for (const name of root.list(folder)) {
      const found = root.resolve(`${folder}/${name}`);
      if (found?.stats.isFile() === true && isElf(readHead(root.hostPath(found.path)))) programs.add(found.path);
    }
  assert.ok(programs.size > 200, `only ${programs.size} programs`);
  const closure = computeClosure({ root: DEBIAN, programs: [...programs] });
  const folder = mkdtempSync(join(BUILD, "closure-"));
  try {
    materialize(closure, folder);
    assert.not(existsSync(join(folder, "etc/ld.so.cache")));
    const expected = listInside(DEBIAN, "/bin/sh", [...programs]);
    const found = listInside(folder, "/bin/sh", [...programs]);
    const normal = (text: string) => text.replaceAll(" => /usr/lib/", " => /lib/").split("\n");
    assert.equal(normal(found), normal(expected));
    assert.not.match(found, /not found|cannot open/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

needs(
  closures,
  isRoot,
  program("gcc"),
  need(LOADER, existsSync(LOADER)),
)("a library outside of the default folders is found by the cache that is made for it", () => {
  const folder = mkdtempSync(join(tmpdir(), `reg-test-${process.pid}-cache-`));
  try {
    const root = join(folder, "root");
    for (const path of ["bin", "opt/lib", "etc", "lib64", "lib/x86_64-linux-gnu"])
      mkdirSync(join(root, path), { recursive: true });
    writeFileSync(join(folder, "a.c"), "int answer(void) { return 42; }\n");
    writeFileSync(join(folder, "p.c"), "int answer(void); int main(void) { return answer(); }\n");
    execFileSync("gcc", [
      "-shared",
      "-fPIC",
      "-Wl,-soname,liba.so.1",
      "-o",
      join(root, "opt/lib/liba.so.1"),
      join(folder, "a.c"),
    ]);
    execFileSync("gcc", ["-o", join(root, "bin/p"), join(folder, "p.c"), join(root, "opt/lib/liba.so.1")]);
    writeFileSync(join(root, "etc/ld.so.conf"), "/opt/lib\n");
    copyFileSync(LOADER, join(root, LOADER));
    const list = spawnSync(LOADER, ["--list", "/bin/true"], { encoding: "utf8" }).stdout;
    copyFileSync(/libc\.so\.6 => (\S+)/.exec(list)?.[1] ?? "", join(root, "lib/x86_64-linux-gnu/libc.so.6"));

    const closure = computeClosure({ root, programs: ["p"] });
    const own = join(folder, "own");
    materialize(closure, own);
    assert.ok(closure.generated.has("/etc/ld.so.cache"));
    assert.is(spawnSync("chroot", [own, "/bin/p"]).status, 42);
    rmSync(join(own, "etc/ld.so.cache"));
    assert.is(spawnSync("chroot", [own, "/bin/p"]).status, 127);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

closures.run();
