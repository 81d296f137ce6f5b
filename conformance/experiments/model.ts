/**
 * The sharing model. A container has a private part A and a file-backed working set L, of which the share s is the same for all; in
 * a memory of M fit
 *
 *   N_max(s) = (M - s L) / (A + (1 - s) L)
 *
 * A and L are fitted to a few containers that share everything; then containers with other shares are started below one cgroup with a
 * limit, until the kernel first has to reclaim, and counted.
 */
import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { objectPath } from "../../runtime/reg/layout.ts";
import type { Entry } from "../../runtime/reg/manifest.ts";
import { mergeUnits } from "../../runtime/reg/merge.ts";
import { parseEnvironmentName } from "../../runtime/reg/name.ts";
import { readUnit, readUnits } from "../../runtime/reg/tree.ts";
import type { Store } from "../../runtime/reg-env/store/store.ts";
import { cgroupV2 } from "../testing.ts";
import {
  dropCaches,
  findRuntimes,
  MARK,
  programsNamed,
  remove,
  SCRATCH,
  startDetached,
  waitUntilIdle,
  writeBundle,
} from "./lab.ts";

const LIMIT_BYTES = 384 * 1024 * 1024;

export interface ModelResult {
  readonly program: string;
  readonly limit: number;
  /** Fitted, bytes. */
  readonly privatePart: number;
  readonly fileSet: number;
  readonly points: readonly {
    /** Of the bytes that a container reads. */
    readonly share: number;
    readonly predicted: number;
    readonly measured: number;
  }[];
}

export async function measureModel(store: Store, quick: boolean): Promise<ModelResult[]> {
  const results: ModelResult[] = [];
  for (const program of programsNamed("python", "node")) {
    if (program.server === undefined) continue;
    const units = readUnits(store.directory, parseEnvironmentName(`${program.name}@1`));
    const entries = mergeUnits(units.map((digest) => readUnit(store.directory, digest)));
    const field = new Field(store, entries, program.server);
    const used = await field.usage(quick ? 4 : 12);
    const { privatePart, fileSet } = fit(used);
    const touched = field.touched;
    const points: ModelResult["points"][number][] = [];
    for (const wanted of quick ? [0, 1] : [0, 0.25, 0.5, 0.75, 0.9, 1]) {
      const { shared, share } = choose(entries, touched, wanted);
      const predicted = (LIMIT_BYTES - share * fileSet) / (privatePart + (1 - share) * fileSet);
      points.push({ share, predicted, measured: await field.fill(shared, Math.ceil(predicted * 1.3) + 3) });
    }
    results.push({ program: program.name, limit: LIMIT_BYTES, privatePart, fileSet, points });
  }
  return results;
}

/** Least squares of used = L + n A; the first container pays for the shared files. */
function fit(used: readonly number[]): { privatePart: number; fileSet: number } {
  const count = used.length;
  const meanX = (count + 1) / 2;
  const meanY = used.reduce((sum, each) => sum + each, 0) / count;
  const covariance = used.reduce((sum, each, index) => sum + (index + 1 - meanX) * (each - meanY), 0);
  const variance = used.reduce((sum, _, index) => sum + (index + 1 - meanX) ** 2, 0);
  const privatePart = covariance / variance;
  return { privatePart, fileSet: meanY - privatePart * meanX };
}

/** Files whose touched bytes make the wanted share, large ones first; and the share that they really make. */
function choose(
  entries: readonly Entry[],
  touched: ReadonlyMap<string, number>,
  wanted: number,
): { shared: ReadonlySet<string>; share: number } {
  const total = [...touched.values()].reduce((sum, bytes) => sum + bytes, 0);
  const shared = new Set<string>();
  let bytes = 0;
  const files = entries.filter(({ type }) => type === "file").map(({ path }) => path);
  for (const path of files.sort((left, right) => (touched.get(right) ?? 0) - (touched.get(left) ?? 0))) {
    const more = touched.get(path) ?? 0;
    if (bytes + more > wanted * total + 1) continue;
    shared.add(path);
    bytes += more;
  }
  return { shared, share: total === 0 ? 0 : bytes / total };
}

/** Containers below one cgroup, each with a root of hard links to the store for what is shared, and of copies for the rest. */
class Field {
  /** Bytes of each file that a container has in memory. */
  readonly touched = new Map<string, number>();
  readonly #store: Store;
  readonly #entries: readonly Entry[];
  readonly #args: readonly string[];
  readonly #cgroup = `${MARK}-model`;
  #series = 0;

  constructor(store: Store, entries: readonly Entry[], args: readonly string[]) {
    this.#store = store;
    this.#entries = entries;
    this.#args = args;
  }

  /** Bytes that 1, 2, ... containers with everything shared have used, all together. */
  async usage(count: number): Promise<number[]> {
    const all = new Set(this.#entries.map(({ path }) => path));
    const used: number[] = [];
    await this.#grow(all, count, (root) => {
      if (used.length === 0) this.#noteTouched(root);
      used.push(readNumber(this.#file(cgroupV2.met ? "memory.current" : "memory.usage_in_bytes")));
      return true;
    });
    return used;
  }

  /** How many containers start before the kernel has to reclaim; at most `most`. */
  async fill(shared: ReadonlySet<string>, most: number): Promise<number> {
    let count = 0;
    await this.#grow(shared, most, () => {
      if (this.#reclaimed()) return false;
      count++;
      return true;
    });
    return count;
  }

  async #grow(shared: ReadonlySet<string>, most: number, look: (root: string) => boolean): Promise<void> {
    const [runtime] = findRuntimes();
    if (runtime === undefined) throw new Error("no reg");
    const series = this.#series++;
    const folder = join(SCRATCH, `model-${series}`);
    const ids: string[] = [];
    try {
      for (let index = 0; index < most; index++) this.#makeRoot(join(folder, String(index), "root"), shared);
      this.#makeCgroup();
      dropCaches();
      for (let index = 0; index < most; index++) {
        const id = `${MARK}-model-${series}-${index}`;
        ids.push(id);
        const bundle = join(folder, String(index));
        const root = join(bundle, "root");
        writeBundle(bundle, { path: root }, this.#args, `/${this.#cgroup}/${id}`);
        startDetached(runtime, bundle, id);
        await waitUntilIdle(ids.slice(-1));
        if (!look(root)) break;
      }
    } finally {
      remove(runtime, ids);
      this.#removeCgroup();
      fs.rmSync(folder, { recursive: true, force: true });
    }
  }

  #makeRoot(root: string, shared: ReadonlySet<string>): void {
    fs.mkdirSync(root, { recursive: true });
    for (const entry of this.#entries) {
      const path = join(root, entry.path);
      if (entry.type === "directory") fs.mkdirSync(path);
      else if (entry.type === "symlink") fs.symlinkSync(entry.target, path);
      else if (shared.has(entry.path)) fs.linkSync(objectPath(this.#store.directory, entry.object), path);
      else fs.copyFileSync(objectPath(this.#store.directory, entry.object), path);
      if (entry.type === "file" && !shared.has(entry.path)) fs.chmodSync(path, entry.mode);
    }
  }

  /** What of each file is in the page cache, as fincore(1) says. */
  #noteTouched(root: string): void {
    const files = this.#entries.filter((entry) => entry.type === "file" && entry.sizeBytes > 0);
    for (let first = 0; first < files.length; first += 500) {
      const paths = files.slice(first, first + 500).map(({ path }) => path);
      const options = ["--bytes", "--raw", "--noheadings", "--output", "RES,FILE"];
      const output = execFileSync("fincore", [...options, ...paths], { cwd: root, encoding: "utf8" });
      for (const [, bytes, path = ""] of output.matchAll(/^(\d+) (.*)$/gm)) this.touched.set(path, Number(bytes));
    }
  }

  #reclaimed(): boolean {
    if (!cgroupV2.met) return readNumber(this.#file("memory.failcnt")) > 0;
    return Number(/^max (\d+)$/m.exec(fs.readFileSync(this.#file("memory.events"), "utf8"))?.[1] ?? 0) > 0;
  }

  #makeCgroup(): void {
    fs.mkdirSync(this.#file(""), { recursive: true });
    if (cgroupV2.met) fs.writeFileSync(this.#file("cgroup.subtree_control"), "+memory");
    fs.writeFileSync(this.#file(cgroupV2.met ? "memory.max" : "memory.limit_in_bytes"), String(LIMIT_BYTES));
    if (!cgroupV2.met) fs.writeFileSync(this.#file("memory.failcnt"), "0");
  }

  #removeCgroup(): void {
    try {
      fs.rmdirSync(this.#file(""));
    } catch {} // another controller's folder is lab.ts's to remove
  }

  #file(name: string): string {
    return join(cgroupV2.met ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory", this.#cgroup, name);
  }
}

function readNumber(path: string): number {
  return Number(fs.readFileSync(path, "utf8"));
}
