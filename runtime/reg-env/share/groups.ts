/** Which files could be one: everything is compared that costs nothing, so that only what agrees so far has to be read. */
import type { Bytes } from "./bytes.ts";
import type { Inode, Scan } from "./scan.ts";
import type { Layer } from "./stores/store.ts";

/** A file with the names that it has in each layer: the same ones in all. */
export interface Candidate {
  readonly inode: Inode;
  /** Sorted; more than one where the image has hard links itself. */
  readonly paths: readonly Bytes[];
  /** The layers that have it. */
  readonly layers: readonly number[];
  /** One of them is part of something mounted: its names stay what they are. */
  readonly mounted: boolean;
}

export interface Grouping {
  /** Two or more inodes each, that agree in paths, size, time, owner and mode. Those of large files first. */
  readonly groups: readonly (readonly Candidate[])[];
  /** Files with more links than the layers have names for: who has the others is not known. */
  readonly linkedElsewhere: number;
}

/**
 * Only files with the same path are put together. In one image, where two paths are two files, they stay two: with one inode, an overlay with
 * an index would let a write to the one show in the other, mv(1) would do nothing between them, and tar(1) would make links of them. What is lost is
 * little, as a file of some package has the same path wherever it is installed.
 */
export function groupFiles(scan: Scan, layers: readonly Layer[], domains: readonly string[]): Grouping {
  const byKey = new Map<string, Candidate | Candidate[]>();
  let linkedElsewhere = 0;
  for (const inode of scan.inodes) {
    if (inode.names.length !== inode.links) {
      linkedElsewhere++;
      continue;
    }
    const candidate = candidateOf(inode, layers);
    const [domain, ...others] = new Set(candidate?.layers.map((layer) => domains[layer]));
    // One that was linked before there were domains stays as it is.
    if (candidate === undefined || others.length > 0) continue;
    const key = [domain, inode.sizeBytes, inode.mtimeNs, inode.mode, inode.uid, inode.gid, ...candidate.paths].join(
      "\0",
    );
    const equal = byKey.get(key);
    if (equal === undefined) byKey.set(key, candidate);
    else if (Array.isArray(equal)) equal.push(candidate);
    else byKey.set(key, [equal, candidate]);
  }
  const groups = [...byKey.values()].filter((group) => Array.isArray(group));
  return { groups: groups.sort((left, right) => sizeOf(right) - sizeOf(left)), linkedElsewhere };
}

function sizeOf(group: readonly Candidate[]): number {
  return group[0]?.inode.sizeBytes ?? 0;
}

/** undefined when the file has a name in a layer that is left alone, or other names in one layer than in another. */
function candidateOf(inode: Inode, layers: readonly Layer[]): Candidate | undefined {
  const pathsOf = new Map<number, Bytes[]>();
  let mounted = false;
  for (const { layer, path } of inode.names) {
    const state = layers[layer]?.state;
    if (state === "excluded") return undefined;
    mounted ||= state === "mounted";
    const paths = pathsOf.get(layer);
    if (paths === undefined) pathsOf.set(layer, [path]);
    else paths.push(path);
  }
  const [first = [], ...rest] = [...pathsOf.values()].map((paths) => paths.sort());
  if (rest.some((paths) => paths.length !== first.length || paths.some((path, index) => path !== first[index])))
    return undefined;
  return { inode, paths: first, layers: [...pathsOf.keys()], mounted };
}
