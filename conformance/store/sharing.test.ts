/** What environments are for: containers of environments that were made separately have one file, and one copy of it in memory. */
import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { objectPath } from "../../runtime/reg/layout.ts";
import { computeClosure } from "../../runtime/reg-env/closure/closure.ts";
import { listObjects } from "../../runtime/reg-env/store/contents.ts";
import type { Store } from "../../runtime/reg-env/store/store.ts";
import type { Spec } from "../fixtures/bundle.ts";
import { type Fixture, waitUntil, withFixture } from "../fixtures/fixture.ts";
import { cgroups, findProgram, mounting, need, needs, program, root } from "../testing.ts";
import { closureOf, generate, makeStore } from "./fixture.ts";

const sharing = suite("sharing");
const dynamic = need("a dynamic sleep", isDynamic(findProgram("sleep")));
const test = needs(sharing, root, mounting, cgroups, dynamic);

function isDynamic(path: string | undefined): boolean {
  return path !== undefined && fs.readFileSync(path).includes("ld-linux");
}

/** A container of the environment, with its root as the only difference to the default config. */
function inEnvironment(storePath: string, environment: string, writable?: object) {
  return (spec: Spec) => {
    spec.reg = { environments: [environment], store: storePath, ...(writable === undefined ? {} : { writable }) };
  };
}

/** `one@1` and `two@1`: different programs, from this machine, each made for itself. */
async function makeTwo(fixture: Fixture): Promise<{ path: string; store: Store }> {
  const path = fixture.path("store");
  const store = makeStore(path);
  await generate(store, "one@1", computeClosure({ root: "/", programs: ["sleep"] }));
  await generate(store, "two@1", computeClosure({ root: "/", programs: ["sleep", "cat"] }));
  // All of it in the cache: what a fault maps around itself is then the same for the first container and the last.
  for (const key of listObjects(store.directory)) fs.readFileSync(objectPath(store.directory, key));
  return { path, store };
}

function start(fixture: Fixture, storePath: string, environment: string, writable?: object): number {
  const id = fixture.launch(fixture.bundle(["sleep", "1000"], inEnvironment(storePath, environment, writable)));
  const { pid = 0 } = fixture.state(id) as { pid?: number };
  waitUntil("libc is mapped", () => fs.readFileSync(`/proc/${pid}/maps`, "utf8").includes("/libc.so.6"));
  return pid;
}

/** Device and inode of the C library that a process has mapped. */
function libcOf(pid: number): string {
  const [, identity] =
    /^\S+ \S+ \S+ (\S+ \d+) +\S*\/libc\.so\.6$/m.exec(fs.readFileSync(`/proc/${pid}/maps`, "utf8")) ?? [];
  assert.ok(identity, `no libc in process ${pid}`);
  return identity;
}

/** A process's share of the file pages that it has mapped; those of a tmpfs are counted apart. proc_pid_smaps(5). */
function fileKilobytes(pid: number): number {
  const rollup = fs.readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const kilobytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(rollup)?.[1]);
  return kilobytes("Pss_File") + kilobytes("Pss_Shmem");
}

test("two environments that were made separately map the C library with one inode", () =>
  withFixture(async (fixture) => {
    const { path } = await makeTwo(fixture);
    const [one, two] = [start(fixture, path, "one@1"), start(fixture, path, "two@1")];
    assert.is(libcOf(one), libcOf(two));
  }));

/** Kilobytes of files that 50 containers have in memory, all together. */
function crowd(fixture: Fixture, storePath: string, environments: readonly string[], writable?: object): number {
  const pids = Array.from({ length: 50 }, (_, index) =>
    start(fixture, storePath, environments[index % environments.length] ?? "", writable),
  );
  const total = pids.reduce((sum, pid) => sum + fileKilobytes(pid), 0);
  for (const pid of pids) process.kill(pid, "SIGKILL");
  return total;
}

// What one process has mapped differs by chance (a fault maps its neighbourhood, which address randomisation moves), so the ideal is not
// fifty times a fiftieth of one: it is what fifty containers of the very same root have.
for (const writable of [undefined, { type: "tmpfs" }])
  test(`50 containers of two environments take no more memory for files than 50 of one, ${writable === undefined ? "read-only" : "on overlays"}`, () =>
    withFixture(async (fixture) => {
      const { path } = await makeTwo(fixture);
      const ideal = crowd(fixture, path, ["one@1"], writable);
      const mixed = crowd(fixture, path, ["one@1", "two@1"], writable);
      assert.ok(mixed < ideal * 1.05, `${mixed} kB, ideal ${ideal} kB`);
      console.log(`# ${mixed} kB of files for 50 containers, ${ideal} kB for 50 of one environment`);
    }));

needs(
  sharing,
  root,
  mounting,
  cgroups,
  program("strace"),
)("an environment of 800 files costs no more system calls than one of 8", () =>
  withFixture(async (fixture) => {
    const path = fixture.path("store");
    const store = makeStore(path);
    const source = fixture.path("source");
    fs.mkdirSync(join(source, "data"), { recursive: true });
    fs.mkdirSync(join(source, "bin"));
    fs.copyFileSync(findProgram("busybox") ?? "", join(source, "bin/true"));
    const names = Array.from({ length: 800 }, (_, index) => `/data/${index}`);
    for (const name of names) fs.writeFileSync(join(source, name), name);
    await generate(store, "small@1", closureOf(source, ["/bin/true", ...names.slice(0, 7)]));
    await generate(store, "large@1", closureOf(source, ["/bin/true", ...names.slice(0, 799)]));
    const calls = ["small@1", "large@1"].map((environment) => {
      const { path: bundle } = fixture.bundle(["/bin/true"], inEnvironment(path, environment));
      const log = fixture.path(`${environment}.log`);
      // What the runtime itself does, until init is made: the rest is the container's.
      const command = fixture.command("create", "--bundle", bundle, fixture.id());
      const { status } = spawnSync("strace", ["-qq", "-o", log, ...command], { stdio: "ignore" });
      assert.is(status, 0);
      return fs.readFileSync(log, "utf8").split("\n").length;
    });
    assert.ok(Math.abs((calls[1] ?? 0) - (calls[0] ?? 0)) < 20, calls.join(" and "));
  }),
);

sharing.run();
