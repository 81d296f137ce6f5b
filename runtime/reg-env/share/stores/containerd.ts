/**
 * containerd's overlayfs snapshotter, also below Docker's image store of containerd.
 *
 *   io.containerd.snapshotter.v1.overlayfs/snapshots/<number>/fs   the content of a snapshot
 *   io.containerd.snapshotter.v1.overlayfs/metadata.db             bolt: v1/snapshots/<key>: id, kind, parent
 *   io.containerd.metadata.v1.bolt/meta.db                         bolt: images, see containerd-images.ts
 *
 * A snapshot's key is "<namespace>/<number>/<name>", and the name of a layer is that of its chain, "sha256:...". Committed snapshots
 * are read-only; those of containers are active, and views have no files of their own. The daemon takes no lock that others could take.
 * Source: containerd's core/snapshots/storage and docs/snapshotters, and stores as they are found.
 */
import * as fs from "node:fs";
import type { MountTable } from "../../mount-tables.ts";
import { type BoltBucket, type BoltEntry, findBucket, readBolt } from "./bolt.ts";
import { excludedSnapshots } from "./containerd-images.ts";
import { mountedIds } from "./mounted-snapshots.ts";
import { namelessOverlay } from "./overlay-links.ts";
import type { Exclusion, ImageStore, Layer, StoreState } from "./store.ts";

const COMMITTED = 3;

/** undefined when there is none at `root`. */
export function containerdStore(root: string, engine = "containerd"): ImageStore | undefined {
  const base = `${root}/io.containerd.snapshotter.v1.overlayfs`;
  if (!fs.existsSync(`${base}/metadata.db`) || !fs.existsSync(`${base}/snapshots`)) return undefined;
  return {
    engine,
    root,
    base,
    watched: [`${base}/snapshots`],
    read: (exclusions, mountTables) => read(root, base, exclusions, mountTables),
  };
}

interface Snapshot {
  readonly key: string;
  readonly id: string;
  readonly kind: number;
  readonly parent: string | undefined;
}

function read(
  root: string,
  base: string,
  exclusions: readonly Exclusion[],
  mountTables: readonly MountTable[],
): StoreState {
  const snapshots = snapshotsOf(readBolt(`${base}/metadata.db`));
  const { mounted, supposed } = mountedSnapshots(base, snapshots, mountTables);
  const excluded = exclusions.length === 0 ? undefined : excludedSnapshots(root, exclusions);
  const nameless = namelessOverlay(mountTables);
  const layers: Layer[] = [];
  for (const snapshot of snapshots.values()) {
    if (snapshot.kind !== COMMITTED) continue;
    const isMounted = mounted.has(snapshot.key) || nameless !== undefined;
    const state = excluded?.(snapshot.key) ? "excluded" : isMounted ? "mounted" : "free";
    layers.push({ id: snapshot.id, directory: `snapshots/${snapshot.id}/fs`, state });
  }
  return nameless === undefined ? { layers, supposed } : { layers, unclear: nameless };
}

/** By their keys. */
function snapshotsOf(database: BoltBucket): Map<string, Snapshot> {
  const snapshots = new Map<string, Snapshot>();
  for (const { key, ...rest } of findBucket(database, "v1", "snapshots")?.entries() ?? []) {
    if (!("bucket" in rest)) continue;
    const fields = new Map(rest.bucket.entries().map((entry) => [entry.key.toString("latin1"), contentOf(entry)]));
    const id = uvarint(fields.get("id"));
    if (id === undefined) continue;
    const name = key.toString("utf8");
    const parent = fields.get("parent")?.toString("utf8");
    snapshots.set(name, { key: name, id: String(id), kind: fields.get("kind")?.at(0) ?? 0, parent });
  }
  return snapshots;
}

function contentOf(entry: BoltEntry): Buffer | undefined {
  return "value" in entry ? entry.value : undefined;
}

/** A number of 7 bits in each byte, the lowest first. undefined for what is none, or more than 2^53. */
function uvarint(bytes: Buffer | undefined): number | undefined {
  let value = 0;
  for (const [index, byte] of (bytes ?? Buffer.alloc(0)).entries()) {
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (value > Number.MAX_SAFE_INTEGER) return undefined;
    if (byte < 0x80) return value;
  }
  return undefined;
}

/** Keys of the snapshots that are mounted, and of all that are below them. */
function mountedSnapshots(
  base: string,
  snapshots: ReadonlyMap<string, Snapshot>,
  mountTables: readonly MountTable[],
): { readonly mounted: ReadonlySet<string>; readonly supposed: boolean } {
  const directories = new Map([...snapshots.values()].map(({ id }) => [id, `${base}/snapshots/${id}/fs`]));
  const { ids, supposed } = mountedIds(directories, mountTables);
  const mounted = new Set<string>();
  for (const { key, id } of snapshots.values()) {
    if (!ids.has(id)) continue;
    for (let at = snapshots.get(key); at !== undefined && !mounted.has(at.key); at = snapshots.get(at.parent ?? ""))
      mounted.add(at.key);
  }
  return { mounted, supposed };
}
