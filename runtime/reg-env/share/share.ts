/** `reg-env share`: the equal files of an image store's read-only layers become one inode each, and so one copy on disk and in memory. */
import { digestOf } from "../../reg/digest.ts";
import { type MountTables, readMountTables } from "../mount-tables.ts";
import { Digests } from "./digests.ts";
import { domainsOf } from "./domains.ts";
import { withEngineLock } from "./engine-lock.ts";
import { groupFiles } from "./groups.ts";
import { findMerges, type Gain, gainOf, type Merge } from "./plan.ts";
import { type Done, Keepers, type Replacement, replaceAll } from "./replace.ts";
import { type Scan, scanLayers } from "./scan.ts";
import type { Exclusion, ImageStore, Layer, StoreState } from "./stores/store.ts";
import { copyAll, findCopies } from "./undo.ts";
import { type Recovered, Workplace } from "./workplace.ts";

/** Some tenths of a second: to free the file that was replaced is most of it. */
const BATCH = 200;
/** What can not be looked up so many times in a row is there to stay, such as what no process shows the way to any more. */
const LOOKS = 5;

export interface ShareOptions {
  readonly exclusions: readonly Exclusion[];
  /** Images that share among themselves only, selection by selection. */
  readonly domains?: readonly Exclusion[];
  readonly linkToMounted: boolean;
  readonly dryRun: boolean;
  /** Copies instead of links. */
  readonly undo: boolean;
  /** Where the digests are remembered. */
  readonly cache: string;
  /** How many files are replaced while the engine's lock is held. */
  readonly batch?: number;
  /** When it is aborted, share stops after the batch that it is at. */
  readonly signal?: AbortSignal;
  readonly onProgress: (text: string) => Promise<void> | void;
  /** Somebody else has the lock of the store: another share, or the engine. */
  readonly onWait: (who: string) => void;
}

export interface ShareReport {
  readonly engine: string;
  readonly root: string;
  readonly layers: { readonly free: number; readonly mounted: number; readonly excluded: number };
  /** Regular files with content in these layers. */
  readonly files: number;
  /** What was found to be equal, and not linked yet; with `undo`, linked. */
  readonly found: Gain;
  /** What was done; nothing in a dry run. */
  readonly done: Done;
  readonly recovered: Recovered;
  readonly linkedElsewhere: number;
  readonly skippedDirectories: number;
  /** Processes whose mounts could not be seen. */
  readonly hiddenProcesses: number;
  /** A mount that keeps all layers from being changed, see StoreState. */
  readonly unclear?: string;
  readonly readBytes: number;
  readonly milliseconds: number;
}

export async function shareStore(store: ImageStore, options: ShareOptions): Promise<ShareReport> {
  const start = performance.now();
  const { dryRun, onProgress, onWait } = options;
  const digests = new Digests(cachePath(options.cache, store));
  const workplace = new Workplace(store.base, () => onWait("another reg-env share"));
  try {
    const nothing: Recovered = { directories: 0, leftovers: 0 };
    const recovered = dryRun
      ? nothing
      : withEngineLock(
          store.lockFile,
          () => onWait(store.engine),
          () => workplace.begin(),
        );
    const { layers, unclear, tables, hiddenPids } = readStore(store, options.exclusions);
    const domainOf = domainsOf(store, options.domains ?? [], tables);
    const domains = layers.map(({ id }) => domainOf(id));
    const scan = await scanLayers(store.base, layers, {
      onProgress: (files, done) => onProgress(`${done} of ${layers.length} layers, ${files} files`),
    });
    const found = { store, workplace, scan, layers, domains, digests };
    const work = options.undo ? undoing(found) : await sharing(found, options);
    const done: Done = { files: 0, diskBytes: 0, cacheBytes: 0, changed: 0, refused: 0 };
    if (!dryRun) await carryOut(work, found, done, options);
    digests.save();
    return {
      engine: store.engine,
      root: store.root,
      layers: countStates(layers),
      files: scan.inodes.reduce((sum, { names }) => sum + names.length, 0),
      found: work.gain,
      done,
      recovered,
      linkedElsewhere: work.linkedElsewhere,
      skippedDirectories: scan.skippedDirectories,
      hiddenProcesses: hiddenPids.length,
      ...(unclear === undefined ? {} : { unclear }),
      readBytes: digests.readBytes,
      milliseconds: Math.round(performance.now() - start),
    };
  } finally {
    workplace.close();
  }
}

/**
 * The store and the mounts of now. Of a process that ends while it is looked at, such as a container's of another engine on the machine, the
 * mounts can be read and then not looked up any more: so it is asked again.
 */
function readStore(store: ImageStore, exclusions: readonly Exclusion[]): StoreState & MountTables {
  for (let look = 1; ; look++) {
    const mounts = readMountTables();
    const state = store.read(exclusions, mounts.tables);
    if (!state.supposed || look === LOOKS) return { ...state, ...mounts };
  }
}

/** A file for each store. */
function cachePath(cache: string, { base }: ImageStore): string {
  return `${cache}/${digestOf(base).slice(0, 16)}`;
}

interface Found {
  readonly store: ImageStore;
  readonly workplace: Workplace;
  readonly scan: Scan;
  readonly layers: readonly Layer[];
  /** Of each layer. */
  readonly domains: readonly string[];
  readonly digests: Digests;
}

/** What is to be done, in parts between which the engine may work. */
interface Work {
  readonly gain: Gain;
  readonly linkedElsewhere: number;
  readonly count: number;
  readonly run: (from: number, to: number, stateOf: (layer: number) => Layer["state"] | undefined, done: Done) => void;
}

async function sharing(found: Found, { linkToMounted, onProgress }: ShareOptions): Promise<Work> {
  const { scan, layers, domains, digests, workplace } = found;
  const { groups, linkedElsewhere } = groupFiles(scan, layers, domains);
  const finder = { device: scan.device, layers, directories: workplace.directories, digests, linkToMounted };
  const merges: Merge[] = [];
  for (const [index, group] of groups.entries()) {
    merges.push(...findMerges(group, finder));
    await onProgress(`read ${index + 1} of ${groups.length} groups of files that may be equal`);
  }
  const replacements = inOrder(merges);
  const keepers = new Keepers();
  return {
    gain: gainOf(merges.flatMap(({ replaced }) => replaced)),
    linkedElsewhere,
    count: replacements.length,
    run: (from, to, stateOf, done) =>
      replaceAll(replacements.slice(from, to), keepers, {
        layers,
        workplace,
        mayChange: (layer) => stateOf(layer) === "free",
        mayLink: (layer) => stateOf(layer) === "free" || (linkToMounted && stateOf(layer) === "mounted"),
        onChanged: (before, after) => digests.changed(scan.device, before, after),
        done,
      }),
  };
}

function undoing({ scan, layers, workplace }: Found): Work {
  const copies = findCopies(scan, layers);
  return {
    gain: gainOf(copies.map(({ inode, paths }) => ({ inode, names: paths }))),
    linkedElsewhere: scan.inodes.filter(({ links, names }) => links !== names.length).length,
    count: copies.length,
    run: (from, to, stateOf, done) =>
      copyAll(copies.slice(from, to), { layers, workplace, mayChange: (layer) => stateOf(layer) === "free", done }),
  };
}

/** In batches. For each of them the engine's records and the mounts are read again, with its lock held. */
async function carryOut(
  work: Work,
  { store, layers, domains }: Found,
  done: Done,
  { exclusions, domains: selections = [], batch = BATCH, signal, onProgress, onWait }: ShareOptions,
): Promise<void> {
  for (let at = 0; at < work.count && !signal?.aborted; at += batch) {
    withEngineLock(
      store.lockFile,
      () => onWait(store.engine),
      () => {
        const { layers: now, tables } = readStore(store, exclusions);
        const states = new Map(now.map(({ id, state }) => [id, state]));
        const domainOf = domainsOf(store, selections, tables);
        const stateOf = (layer: number) => {
          const { id = "" } = layers[layer] ?? {};
          return domainOf(id) === domains[layer] ? states.get(id) : undefined;
        };
        work.run(at, Math.min(at + batch, work.count), stateOf, done);
      },
    );
    await onProgress(`${done.files} files are done`);
  }
}

/** By layer and path, so that a directory is opened once, and the times of few directories change at a time. */
function inOrder(merges: readonly Merge[]): Replacement[] {
  return merges
    .flatMap((merge) => merge.replaced.map((candidate) => ({ merge, candidate })))
    .map((each) => ({ each, layer: each.candidate.layers[0] ?? 0, path: each.candidate.paths[0] ?? "" }))
    .sort((left, right) => left.layer - right.layer || (left.path < right.path ? -1 : 1))
    .map(({ each }) => each);
}

function countStates(layers: readonly Layer[]): ShareReport["layers"] {
  const counts = { free: 0, mounted: 0, excluded: 0 };
  for (const { state } of layers) counts[state]++;
  return counts;
}
