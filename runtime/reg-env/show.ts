/** What an environment is made of, and how two of them differ. */
import type { Manifest } from "../reg/manifest.ts";
import { mergeUnits } from "../reg/merge.ts";
import type { EnvironmentName } from "../reg/name.ts";
import { readUnit } from "../reg/tree.ts";
import { readManifest, readReasons } from "./store/environment.ts";
import { type Store, withShared } from "./store/store.ts";

export interface ShownFile {
  /** Without a leading slash. */
  readonly path: string;
  readonly sizeBytes: number;
  /** name@version */
  readonly unit: string;
  readonly object: string;
  readonly reason?: string;
}

export interface ShownEnvironment {
  readonly manifest: Manifest;
  /** The largest first. */
  readonly units: readonly { readonly unit: string; readonly files: number; readonly bytes: number }[];
  /** The largest first. */
  readonly files: readonly ShownFile[];
}

/** Throws RegError where there is no such environment. */
export function describeEnvironment(store: Store, name: EnvironmentName): Promise<ShownEnvironment> {
  return withShared(store, () => {
    const manifest = readManifest(store, name);
    const reasons = readReasons(store, name);
    const units = manifest.units.map(({ digest }) => readUnit(store.directory, digest));
    const owners = new Map<string, string>();
    for (const unit of units)
      for (const { path } of unit.entries) if (!owners.has(path)) owners.set(path, `${unit.name}@${unit.version}`);
    const files = mergeUnits(units).flatMap((entry): ShownFile[] => {
      if (entry.type !== "file") return [];
      const { path, sizeBytes, object } = entry;
      const reason = reasons[`/${path}`]?.text;
      return [{ path, sizeBytes, object, unit: owners.get(path) ?? "", ...(reason === undefined ? {} : { reason }) }];
    });
    const sums = new Map<string, { files: number; bytes: number }>();
    for (const { unit, sizeBytes } of files) {
      const { files: count, bytes } = sums.get(unit) ?? { files: 0, bytes: 0 };
      sums.set(unit, { files: count + 1, bytes: bytes + sizeBytes });
    }
    const bySize = [...sums].sort(([left, a], [right, b]) => b.bytes - a.bytes || (left < right ? -1 : 1));
    return {
      manifest,
      units: bySize.map(([unit, sum]) => ({ unit, ...sum })),
      files: [...files].sort((left, right) => right.sizeBytes - left.sizeBytes || (left.path < right.path ? -1 : 1)),
    };
  });
}

export interface Difference {
  readonly path: string;
  readonly change: "added" | "removed" | "changed";
  readonly sizeBytes: number;
}

/** From the first to the second, by path. */
export function compareEnvironments(first: ShownEnvironment, second: ShownEnvironment): Difference[] {
  const before = new Map(first.files.map((file) => [file.path, file]));
  const after = new Map(second.files.map((file) => [file.path, file]));
  const found: Difference[] = [];
  for (const { path, sizeBytes, object } of second.files) {
    const other = before.get(path);
    if (other === undefined) found.push({ path, change: "added", sizeBytes });
    else if (other.object !== object) found.push({ path, change: "changed", sizeBytes });
  }
  for (const { path, sizeBytes } of first.files)
    if (!after.has(path)) found.push({ path, change: "removed", sizeBytes });
  return found.sort((left, right) => (left.path < right.path ? -1 : 1));
}
