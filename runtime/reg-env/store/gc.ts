/**
 * Removes what no environment and no live container needs. While the lock is held nobody is between choosing a tree and mounting it,
 * and what is in tmp/ belongs to nobody. Trees go first, then units, then objects: killed at any moment, this leaves nothing that
 * refers to what is gone.
 */
import * as fs from "node:fs";
import { close } from "../../libc/file.ts";
import { objectPath, treePath, unitPath } from "../../reg/layout.ts";
import { lockExclusive } from "../../reg/lock.ts";
import { readUnit, treeDigest } from "../../reg/tree.ts";
import { listEnvironments, listObjects, listTrees, listUnits, unitsOfEnvironment, unitsOfTree } from "./contents.ts";
import { findLiveTrees } from "./live.ts";
import { listReplaced } from "./rebuild.ts";
import { removeTree } from "./remove.ts";
import type { Store } from "./store.ts";

export interface GcOptions {
  /** Only says what would be removed. */
  readonly dryRun?: boolean;
  /** Called when somebody else holds the store's lock. */
  readonly onWait?: () => void;
}

export interface GcSummary {
  readonly objects: number;
  readonly bytes: number;
  readonly units: number;
  readonly trees: number;
  readonly unfinished: number;
  /** Trees that no environment has, kept for containers that run. */
  readonly keptForContainers: number;
  /** Processes whose mounts could not be read, see live.ts. */
  readonly hiddenPids: readonly number[];
}

export function collectGarbage(store: Store, { dryRun = false, onWait }: GcOptions = {}): GcSummary {
  const directory = store.directory;
  const trash: string[] = [];
  const lock = lockExclusive(directory, onWait);
  try {
    const unfinished = fs.readdirSync(`${directory}/tmp`);
    const needs = findNeeds(directory);
    const trees = listTrees(directory).filter((digest) => !needs.trees.has(digest));
    const replaced = listReplaced(directory).filter(({ digest }) => !needs.live.has(digest));
    const lists = fs.readdirSync(`${directory}/trees`).filter((name) => name.endsWith(".units"));
    const units = listUnits(directory).filter((digest) => !needs.units.has(digest));
    const objects = listObjects(directory).filter((key) => !needs.objects.has(key));
    const bytes = objects.reduce((sum, key) => sum + fs.lstatSync(objectPath(directory, key)).size, 0);
    if (!dryRun) {
      // A tree of thousands of links is moved aside in one step, and removed when others can work again.
      const aside = fs.mkdtempSync(`${directory}/tmp/gc-`);
      trash.push(aside, ...unfinished.map((name) => `${directory}/tmp/${name}`));
      for (const digest of trees) fs.renameSync(treePath(directory, digest), `${aside}/${digest}`);
      for (const { name } of replaced) fs.renameSync(`${directory}/trees/${name}`, `${aside}/${name}`);
      for (const name of lists)
        if (!needs.trees.has(name.replace(/\.units$/, ""))) fs.rmSync(`${directory}/trees/${name}`);
      for (const digest of units) fs.rmSync(unitPath(directory, digest));
      for (const key of objects) fs.rmSync(objectPath(directory, key));
    }
    const { keptForContainers, hiddenPids } = needs;
    const counts = { objects: objects.length, units: units.length, trees: trees.length + replaced.length };
    return { ...counts, bytes, unfinished: unfinished.length, keptForContainers, hiddenPids };
  } finally {
    close(lock);
    for (const path of trash) removeTree(path);
  }
}

interface Needs {
  readonly trees: ReadonlySet<string>;
  readonly units: ReadonlySet<string>;
  readonly objects: ReadonlySet<string>;
  readonly keptForContainers: number;
  /** Trees that some container uses. */
  readonly live: ReadonlySet<string>;
  readonly hiddenPids: readonly number[];
}

function findNeeds(directory: string): Needs {
  const lists = listEnvironments(directory).map((name) => unitsOfEnvironment(directory, name));
  const ofEnvironments = new Set(lists.map(treeDigest));
  const { digests: live, hiddenPids } = findLiveTrees();
  const ofContainers = listTrees(directory).filter((digest) => live.has(digest) && !ofEnvironments.has(digest));
  const units = new Set([...lists.flat(), ...ofContainers.flatMap((digest) => unitsOfTree(directory, digest))]);
  const objects = new Set<string>();
  for (const unit of units)
    for (const entry of readUnit(directory, unit).entries) if (entry.type === "file") objects.add(entry.object);
  return {
    trees: new Set([...ofEnvironments, ...ofContainers]),
    units,
    objects,
    keptForContainers: ofContainers.length,
    live,
    hiddenPids,
  };
}
