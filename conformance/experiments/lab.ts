/** The place where experiments happen: images, environments, bundles and runtimes, below build/experiments, all removed or reused. */
import { execFileSync, spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { storeDirectory } from "../../runtime/reg/layout.ts";
import { parseEnvironmentName } from "../../runtime/reg/name.ts";
import { readUnit, readUnits } from "../../runtime/reg/tree.ts";
import { computeClosure } from "../../runtime/reg-env/closure/closure.ts";
import { makeConfig } from "../../runtime/reg-env/config.ts";
import { generateEnvironment } from "../../runtime/reg-env/generate.ts";
import { installEnvironment } from "../../runtime/reg-env/store/environment.ts";
import { createStore, type Store } from "../../runtime/reg-env/store/store.ts";
import { captureUnit } from "../../runtime/reg-env/store/unit.ts";
import { removeCgroups } from "../fixtures/cgroups.ts";
import { BUILD, TOOLS } from "../paths.ts";
import { findPeers, newestPeer } from "../peers.ts";
import { PROGRAMS, type Program, WORK_FILES } from "./programs.ts";

export const LAB = join(BUILD, "experiments");
const STORE = join(LAB, "store");
const DOMAIN = "default";
/** Where containers' state, bundles and copies are kept while experiments run. */
export const SCRATCH = join(LAB, "scratch");
const WORK = join(SCRATCH, "work");
export const MARK = `reg-experiment-${process.pid}`;

export interface Runtime {
  readonly name: string;
  readonly label: string;
  readonly path: string;
}

/** reg, and the newest crun and runc at hand. */
export function findRuntimes(): Runtime[] {
  const peers = findPeers();
  return [
    { name: "reg", label: "reg", path: join(BUILD, "reg") },
    ...(["crun", "runc"] as const).flatMap((kind) => {
      const peer = newestPeer(peers, kind);
      return peer === undefined ? [] : [{ name: kind, label: `${kind} ${peer.version}`, path: peer.path }];
    }),
  ];
}

export const imageRoot = (name: string) => join(LAB, "images", name, "root");
export const imageLayer = (name: string) => join(LAB, "images", name, "layer");
export const BASE = join(LAB, "base");

export function prepare(): Store {
  for (const folder of [SCRATCH, STORE]) fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(WORK, { recursive: true });
  for (const [name, text] of Object.entries(WORK_FILES)) fs.writeFileSync(join(WORK, name), text);
  return createStore(storeDirectory(STORE, DOMAIN));
}

/** Generates the program's environment from its own image, as `<name>@1`. */
export async function generate(store: Store, program: Program): Promise<void> {
  const closure = computeClosure({
    root: imageRoot(program.name),
    programs: program.programs,
    presets: program.presets ?? [],
    include: program.include ?? [],
  });
  await generateEnvironment(store, closure, {
    name: parseEnvironmentName(`${program.name}@1`),
    command: { args: program.task, env: [], cwd: "/" },
    replace: true,
  });
}

/** `<name>-<index>@1`: the program's environment with one file more, so that it is another one, and another tree. */
export async function generateVariant(store: Store, program: Program, index: number): Promise<string> {
  const root = join(SCRATCH, "variant");
  fs.mkdirSync(join(root, "etc"), { recursive: true });
  fs.writeFileSync(join(root, "etc/variant"), `${index}\n`);
  const digests = readUnits(store.directory, parseEnvironmentName(`${program.name}@1`));
  const units = digests.map((digest) => readUnit(store.directory, digest));
  const name = `${program.name}-${index}@1`;
  await installEnvironment(
    store,
    {
      name: parseEnvironmentName(name),
      command: { args: program.task, env: [], cwd: "/" },
      reasons: {},
      replace: true,
    },
    async (staging) => [
      await captureUnit(staging, { name: "variant", version: String(index), root, paths: ["etc/variant"] }),
      ...units,
    ],
  );
  return name;
}

export type Root =
  | { readonly environment: string }
  /** A root filesystem of its own. */
  | { readonly path: string };

/** A bundle that any experiment uses: read-only root, a tmpfs at /tmp, the work directory at /run, which all roots have. Only the root differs. */
export function writeBundle(bundle: string, root: Root, args: readonly string[], cgroup?: string): void {
  const config = makeConfig({
    command: { args, env: [], cwd: "/" },
    terminal: false,
    readonlyRoot: true,
    hostNetwork: false,
    ...("environment" in root ? { reg: { environments: [root.environment], store: STORE, domain: DOMAIN } } : {}),
  });
  const tmp = { destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["nosuid", "nodev", "mode=1777"] };
  const work = { destination: "/run", type: "none", source: WORK, options: ["rbind", "ro"] };
  fs.mkdirSync(join(bundle, "rootfs"), { recursive: true });
  const document = {
    ...config,
    ociVersion: "1.0.2", // what all of them know
    root: { path: "path" in root ? root.path : "rootfs", readonly: true },
    mounts: [...(config.mounts ?? []), tmp, work],
    linux: { ...config.linux, ...(cgroup === undefined ? {} : { cgroupsPath: cgroup }) },
  };
  fs.writeFileSync(join(bundle, "config.json"), JSON.stringify(document));
}

/** The runtime's global options. */
export function call(runtime: Runtime): string[] {
  return [runtime.path, "--root", join(SCRATCH, `state-${runtime.name}`)];
}

/** Starts a container that goes on. Throws with what the runtime said. */
export function startDetached(runtime: Runtime, bundle: string, id: string): void {
  const [program = "", ...args] = call(runtime);
  const log = fs.openSync(join(SCRATCH, "log"), "a");
  const { status } = spawnSync(
    program,
    [...args, "run", "--detach", "--bundle", bundle, "--pid-file", pidFile(id), id],
    {
      stdio: ["ignore", log, log],
    },
  );
  fs.closeSync(log);
  if (status !== 0)
    throw new Error(`${runtime.name} run ${id}: ${fs.readFileSync(join(SCRATCH, "log"), "utf8").slice(-500)}`);
}

function pidFile(id: string): string {
  return join(SCRATCH, `${id}.pid`);
}

/** The init process of a container, and its children. */
export function processesOf(id: string): number[] {
  const init = Number(fs.readFileSync(pidFile(id), "utf8"));
  const found = [init];
  for (const pid of found)
    try {
      found.push(
        ...fs.readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean).map(Number),
      );
    } catch {} // gone
  return found;
}

/** Waits until the processes use hardly any processor time: they have started, and wait. Some servers look around ten times a second. */
export async function waitUntilIdle(ids: readonly string[]): Promise<void> {
  const little = 1 + ids.length / 40;
  let before = Number.NEGATIVE_INFINITY;
  for (let calm = 0; calm < 3; ) {
    const used = ids.flatMap(processesOf).reduce((sum, pid) => sum + ticksOf(pid), 0);
    calm = used - before <= little ? calm + 1 : 0;
    before = used;
    await sleep(150);
  }
}

function ticksOf(pid: number): number {
  try {
    const fields = fs.readFileSync(`/proc/${pid}/stat`, "utf8").split(") ").at(-1)?.split(" ") ?? [];
    return Number(fields[11]) + Number(fields[12]); // utime, stime
  } catch {
    return 0;
  }
}

export function remove(runtime: Runtime, ids: readonly string[]): void {
  const [program = "", ...args] = call(runtime);
  for (const id of ids) spawnSync(program, [...args, "delete", "--force", id], { stdio: "ignore" });
}

/** Removes all containers of this run, and what they were made of. */
export function cleanUp(): void {
  for (const runtime of findRuntimes()) {
    const state = join(SCRATCH, `state-${runtime.name}`);
    if (fs.existsSync(state)) remove(runtime, fs.readdirSync(state));
  }
  removeCgroups(MARK);
  fs.rmSync(SCRATCH, { recursive: true, force: true });
}

/** Writes dirty pages back and drops clean ones, directory entries and inodes. */
export function dropCaches(): void {
  execFileSync("sync");
  fs.writeFileSync("/proc/sys/vm/drop_caches", "3");
}

export interface Run {
  readonly wallMs: number;
  readonly status: number;
}

/** measure.c: `count` runs of a command, `atOnce` at a time. `{}` is a run's number. */
export async function measure(
  command: readonly string[],
  count: number,
  atOnce: number,
): Promise<{ readonly runs: Run[]; readonly makespanMs: number }> {
  const errors = join(SCRATCH, "errors");
  const child = spawn(
    join(TOOLS, "measure"),
    ["-n", String(count), "-k", String(atOnce), "-e", errors, "--", ...command],
    {
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
  });
  await new Promise((resolve) => child.on("close", resolve));
  const records = output
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  const runs = records
    .filter(({ run }) => run !== undefined)
    .map(({ wall, steps }) => ({ wallMs: wall / 1e6, status: steps.at(-1)?.status ?? 127 }));
  const makespanMs = records.filter(({ group }) => group !== undefined).reduce((sum, { wall }) => sum + wall / 1e6, 0);
  return { runs, makespanMs };
}

/** The programs by name. */
export function programsNamed(...names: readonly string[]): Program[] {
  return PROGRAMS.filter(({ name }) => names.includes(name));
}
