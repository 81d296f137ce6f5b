/** How large a store is, and what sharing saves. */
import * as fs from "node:fs";
import { objectPath } from "../../reg/layout.ts";
import type { FileEntry } from "../../reg/manifest.ts";
import { mergeUnits } from "../../reg/merge.ts";
import { readUnit } from "../../reg/tree.ts";
import { listEnvironments, listObjects, listTrees, listUnits, unitsOfEnvironment } from "./contents.ts";
import { type Store, withShared } from "./store.ts";

export interface EnvironmentStats {
  readonly name: string;
  readonly files: number;
  readonly bytes: number;
  /** Bytes of files that no other environment of this domain has. */
  readonly ownBytes: number;
}

export interface StoreStats {
  readonly objects: number;
  readonly bytes: number;
  readonly units: number;
  readonly trees: number;
  readonly environments: readonly EnvironmentStats[];
  /** Units that several environments have, those of most first. */
  readonly sharedUnits: readonly {
    readonly unit: string;
    readonly digest: string;
    readonly environments: number;
    readonly bytes: number;
  }[];
  /** What the environments would take if each had files of its own. */
  readonly copiesBytes: number;
  /** s of the sharing model: the part of all environments' bytes that another environment has too. */
  readonly sharing: number;
}

export function storeStats(store: Store): Promise<StoreStats> {
  return withShared(store, () => {
    const { directory } = store;
    const objects = listObjects(directory);
    const bytes = objects.reduce((sum, key) => sum + fs.lstatSync(objectPath(directory, key)).size, 0);
    const names = listEnvironments(directory);
    const filesOf = new Map(names.map((name) => [name, filesOfEnvironment(directory, name)]));
    const users = count([...filesOf.values()].flatMap((files) => [...new Set(files.map(({ object }) => object))]));
    const environments = names.map((name) => {
      const files = filesOf.get(name) ?? [];
      const own = files.filter(({ object }) => users.get(object) === 1);
      return { name, files: files.length, bytes: sizeOf(files), ownBytes: sizeOf(own) };
    });
    const copiesBytes = environments.reduce((sum, each) => sum + each.bytes, 0);
    const ownBytes = environments.reduce((sum, each) => sum + each.ownBytes, 0);
    return {
      objects: objects.length,
      bytes,
      units: listUnits(directory).length,
      trees: listTrees(directory).length,
      environments,
      sharedUnits: sharedUnits(directory, names),
      copiesBytes,
      sharing: copiesBytes === 0 ? 0 : 1 - ownBytes / copiesBytes,
    };
  });
}

/** The files of an environment's tree. */
export function filesOfEnvironment(directory: string, name: string): FileEntry[] {
  const units = unitsOfEnvironment(directory, name).map((digest) => readUnit(directory, digest));
  return mergeUnits(units).filter((entry) => entry.type === "file");
}

function sharedUnits(directory: string, names: readonly string[]): StoreStats["sharedUnits"] {
  const users = count(names.flatMap((name) => unitsOfEnvironment(directory, name)));
  return [...users]
    .filter(([, environments]) => environments > 1)
    .map(([digest, environments]) => {
      const { name, version, entries } = readUnit(directory, digest);
      const bytes = sizeOf(entries.filter((entry) => entry.type === "file"));
      return { unit: `${name}@${version}`, digest, environments, bytes };
    })
    .sort((left, right) => right.environments - left.environments || right.bytes - left.bytes);
}

function sizeOf(files: readonly FileEntry[]): number {
  return files.reduce((sum, file) => sum + file.sizeBytes, 0);
}

function count(items: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1);
  return counts;
}
