/** Memory: N containers, each of an environment or image of its own, of programs that have libraries in common. */
import * as fs from "node:fs";
import { join } from "node:path";
import { parseEnvironmentName } from "../../runtime/reg/name.ts";
import { writeBundle as writeCopy } from "../../runtime/reg-env/bundle.ts";
import { readManifest } from "../../runtime/reg-env/store/environment.ts";
import type { Store } from "../../runtime/reg-env/store/store.ts";
import {
  dropCaches,
  findRuntimes,
  generateVariant,
  MARK,
  processesOf,
  programsNamed,
  type Root,
  remove,
  SCRATCH,
  startDetached,
  waitUntilIdle,
  writeBundle,
} from "./lab.ts";
import type { Program } from "./programs.ts";

export const SERVERS = programsNamed("nginx", "redis", "python", "node", "perl");

/** Sums over all processes of N containers, in bytes. */
export interface MemoryRow {
  readonly layout: Layout;
  readonly containers: number;
  readonly rss: number;
  readonly pss: number;
  readonly pssFile: number;
  readonly pssAnon: number;
  /** By how much MemAvailable and MemFree fell. */
  readonly available: number;
  readonly free: number;
}

/** A root for each image; or trees of one store. The files are the same. */
export type Layout = "copies" | "shared";

export async function measureMemory(
  store: Store,
  counts: readonly number[],
  servers: readonly Program[] = SERVERS,
): Promise<MemoryRow[]> {
  const rows: MemoryRow[] = [];
  for (const layout of ["shared", "copies"] as const) {
    const most = Math.max(...counts);
    for (let index = 0; index < most; index++) await makeMember(store, layout, index, servers);
    for (const count of counts) rows.push(await measureCrowd(layout, count));
    fs.rmSync(crowdFolder(layout), { recursive: true, force: true });
  }
  return rows;
}

function crowdFolder(layout: Layout): string {
  return join(SCRATCH, `crowd-${layout}`);
}

/** The bundle of container number `index`: programs take turns, and every container has an environment of its own. */
async function makeMember(store: Store, layout: Layout, index: number, servers: readonly Program[]): Promise<void> {
  const program = servers[index % servers.length];
  if (program?.server === undefined) throw new Error("no server");
  const environment = await generateVariant(store, program, index);
  const bundle = join(crowdFolder(layout), String(index));
  fs.mkdirSync(crowdFolder(layout), { recursive: true });
  const root: Root = layout === "shared" ? { environment } : { path: join(bundle, "rootfs") };
  if (layout === "copies") await writeCopy(store, readManifest(store, parseEnvironmentName(environment)), bundle);
  writeBundle(bundle, root, program.server);
}

async function measureCrowd(layout: Layout, count: number): Promise<MemoryRow> {
  const [runtime] = findRuntimes();
  if (runtime === undefined) throw new Error("no reg");
  const ids = Array.from({ length: count }, (_, index) => `${MARK}-${layout}-${index}`);
  dropCaches();
  const before = readMeminfo();
  try {
    for (const [index, id] of ids.entries()) startDetached(runtime, join(crowdFolder(layout), String(index)), id);
    await waitUntilIdle(ids);
    const after = readMeminfo();
    const sums = { rss: 0, pss: 0, pssFile: 0, pssAnon: 0 };
    for (const pid of ids.flatMap(processesOf)) {
      const rollup = fs.readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
      sums.rss += field(rollup, "Rss");
      sums.pss += field(rollup, "Pss");
      sums.pssFile += field(rollup, "Pss_File");
      sums.pssAnon += field(rollup, "Pss_Anon");
    }
    return {
      layout,
      containers: count,
      ...sums,
      available: before.available - after.available,
      free: before.free - after.free,
    };
  } finally {
    remove(runtime, ids);
  }
}

function field(text: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? 0) * 1024;
}

function readMeminfo(): { available: number; free: number } {
  const text = fs.readFileSync("/proc/meminfo", "utf8");
  return { available: field(text, "MemAvailable"), free: field(text, "MemFree") };
}
