/**
 * An environment as layers of an image. A unit has of its package what the environment needs, so units of one package differ where its large files are the
 * same: a layer is one large file, or the rest of a large unit, or that of small units, sixteen parts of them by the digest of their name. So a layer has
 * the same bytes in whatever environment and on whatever machine, and images have a hundred layers at most.
 */
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { RegError } from "../../errors/errors.ts";
import { fromHex } from "../../reg/copy.ts";
import { canonicalJson, digestOf } from "../../reg/digest.ts";
import { objectPath } from "../../reg/layout.ts";
import type { Entry, Unit } from "../../reg/manifest.ts";
import { mergeUnits } from "../../reg/merge.ts";
import { block } from "../store/hash.ts";
import { FIXED_MTIME } from "../store/header.ts";
import { END, headerOf, paddingOf, type TarEntry } from "./tar.ts";

/** What a layer says of a unit in it, so that the unit can be made again. */
export interface UnitInLayer {
  readonly name: string;
  readonly version: string;
  readonly digest: string;
  /** Which of the layer's folders the unit has itself, said once; the others are above files of some unit. */
  readonly folders: readonly number[];
  /** How many files and links are its own, one after the other. */
  readonly entries: number;
}

/** A layer has its folders first, as no path may be in it twice. */
export interface LayerContents {
  readonly folders: number;
  readonly units: readonly UnitInLayer[];
}

/** A part of a unit. */
interface Piece {
  readonly unit: Unit;
  readonly digest: string;
  readonly entries: readonly Entry[];
}

export interface PlannedLayer {
  readonly pieces: readonly Piece[];
}

export interface WrittenLayer {
  /** SHA-256 of the archive. */
  readonly diffId: string;
  readonly sizeBytes: number;
  readonly contents: LayerContents;
}

const LARGE_BYTES = 256 * 1024;
const MOST_FILES = 60;
const MOST_UNITS = 20;

/** From the bottom up. `units` as in the manifest: the last is the base; `own` is the name of what no package owns. */
export function planLayers(
  units: readonly { readonly unit: Unit; readonly digest: string }[],
  own: string,
): PlannedLayer[] {
  refuseOverlap(units.map(({ unit }) => unit));
  const whole = ({ unit, digest }: { unit: Unit; digest: string }): Piece => ({ unit, digest, entries: unit.entries });
  const base = units.slice(-1).map(whole);
  const others = units.slice(0, -1).filter(({ unit }) => unit.name !== own);
  const top = units.slice(0, -1).filter(({ unit }) => unit.name === own);
  const files = largest(
    others.flatMap(({ unit, digest }) =>
      unit.entries.flatMap((entry) => (entry.type === "file" ? [{ unit, digest, entries: [entry] }] : [])),
    ),
    MOST_FILES,
  );
  const apart = new Set(files.flatMap(({ entries }) => entries));
  const rests = others.flatMap(({ unit, digest }) => {
    const entries = unit.entries.filter((entry) => !apart.has(entry));
    return entries.length === 0 && unit.entries.length > 0 ? [] : [{ unit, digest, entries }];
  });
  const large = largest(rests, MOST_UNITS);
  const buckets = new Map<string, Piece[]>();
  for (const piece of rests) {
    if (large.includes(piece)) continue;
    const key = digestOf(piece.unit.name).slice(0, 1);
    buckets.set(key, [...(buckets.get(key) ?? []), piece]);
  }
  return [
    { pieces: base },
    ...[...large, ...files].map((piece) => ({ pieces: [piece] })),
    ...[...buckets]
      .sort(([left], [right]) => (left < right ? -1 : 1))
      .map(([, pieces]) => ({ pieces: pieces.sort(byName) })),
    ...(top.length === 0 ? [] : [{ pieces: top.map(whole) }]),
  ];
}

/** So many of those that are large, by name. */
function largest(pieces: readonly Piece[], most: number): Piece[] {
  return pieces
    .map((piece) => ({ piece, bytes: sizeOf(piece.entries) }))
    .filter(({ bytes }) => bytes >= LARGE_BYTES)
    .sort((left, right) => right.bytes - left.bytes || byName(left.piece, right.piece))
    .slice(0, most)
    .map(({ piece }) => piece)
    .sort(byName);
}

function byName(left: Piece, right: Piece): number {
  const key = ({ unit, digest, entries }: Piece) => `${unit.name}\0${entries[0]?.path ?? ""}\0${digest}`;
  return key(left) < key(right) ? -1 : 1;
}

/** Layers know of no precedence between units, but that the base is below all others; environments of one root have no need for more. */
function refuseOverlap(units: readonly Unit[]): void {
  const seen = new Map<string, Unit>();
  for (const unit of units.slice(0, -1))
    for (const { path, type } of unit.entries) {
      const other = seen.get(path);
      if (other !== undefined && type !== "directory") throw overlapping(path, other, unit);
      seen.set(path, unit);
    }
  for (const entry of mergeUnits(units))
    if (
      entry.type !== "directory" &&
      !seen.has(entry.path) &&
      !units.at(-1)?.entries.some(({ path }) => path === entry.path)
    )
      throw overlapping(entry.path);
}

function overlapping(path: string, ...units: readonly Unit[]): RegError {
  const whose =
    units.length === 0 ? "is moved by a symbolic link" : `is in ${units.map(({ name }) => name).join(" and ")}`;
  return new RegError("EINVAL", `/${path} ${whose}: this environment can not be written as layers`, {
    hint: "export it as a directory: --format directory",
  });
}

function sizeOf(entries: readonly Entry[]): number {
  return entries.reduce((sum, entry) => sum + (entry.type === "file" ? entry.sizeBytes : 0), 0);
}

/** Writes the archive of a layer to an open file. */
export function writeLayer(storeDir: string, layer: PlannedLayer, fd: number): WrittenLayer {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  const put = (bytes: Uint8Array) => {
    for (let done = 0; done < bytes.length; ) done += fs.writeSync(fd, bytes, done);
    hash.update(bytes);
    sizeBytes += bytes.length;
  };
  const folders = foldersOf(layer);
  for (const folder of folders.values()) put(headerOf(tarEntry(folder)));
  const indices = new Map([...folders.keys()].map((path, index) => [path, index]));
  const units = layer.pieces.map(({ unit, digest, entries: all }) => {
    const own = all.flatMap(({ type, path }) => (type === "directory" ? [indices.get(path) ?? -1] : []));
    const entries = all.filter(({ type }) => type !== "directory");
    for (const entry of entries) {
      put(headerOf(tarEntry(entry)));
      if (entry.type === "file") putContent(objectPath(storeDir, entry.object), entry.sizeBytes, put);
    }
    return { name: unit.name, version: unit.version, digest, folders: own, entries: entries.length };
  });
  put(END);
  return { diffId: hash.digest("hex"), sizeBytes, contents: { folders: folders.size, units } };
}

/** Those of the units, and those above: an engine would make them with a mode of its own. Parents come first. */
function foldersOf({ pieces }: PlannedLayer): Map<string, Entry> {
  const found = new Map<string, Entry>();
  const put = (entry: Entry, unit: Unit) => {
    const other = found.get(entry.path);
    if (other !== undefined && canonicalJson(other) !== canonicalJson(entry)) throw overlapping(entry.path, unit);
    found.set(entry.path, entry);
  };
  const implied = new Set<string>();
  for (const { unit, entries } of pieces) {
    const known = new Map(unit.entries.map((entry) => [entry.path, entry]));
    for (const entry of entries) {
      if (entry.type === "directory") put(entry, unit);
      for (let end = entry.path.lastIndexOf("/"); end > 0; end = entry.path.lastIndexOf("/", end - 1)) {
        const parent = known.get(entry.path.slice(0, end));
        if (parent === undefined) implied.add(entry.path.slice(0, end));
        else put(parent, unit);
      }
    }
  }
  for (const path of implied)
    if (!found.has(path)) found.set(path, { type: "directory", path, mode: 0o755, uid: 0, gid: 0 });
  return new Map([...found].sort(([left], [right]) => (left < right ? -1 : 1)));
}

function tarEntry(entry: Entry): TarEntry {
  const { path, uid, gid } = entry;
  const common = { path, uid, gid, mtime: FIXED_MTIME, sizeBytes: 0 };
  if (entry.type === "symlink") return { ...common, type: "symlink", mode: 0o777, target: entry.target };
  if (entry.type === "directory") return { ...common, type: "directory", mode: entry.mode };
  const xattrs = Object.fromEntries(Object.entries(entry.xattrs ?? {}).map(([name, value]) => [name, fromHex(value)]));
  return {
    ...common,
    type: "file",
    mode: entry.mode,
    mtime: entry.mtime ?? FIXED_MTIME,
    sizeBytes: entry.sizeBytes,
    ...(entry.xattrs === undefined ? {} : { xattrs }),
  };
}

function putContent(path: string, sizeBytes: number, put: (bytes: Uint8Array) => void): void {
  const fd = fs.openSync(path, "r");
  try {
    let left = sizeBytes;
    while (left > 0) {
      const count = fs.readSync(fd, block, 0, Math.min(block.length, left), sizeBytes - left);
      if (count === 0)
        throw new RegError("EIO", `${path} is shorter than its unit says`, { hint: "reg-env verify --repair" });
      put(block.subarray(0, count));
      left -= count;
    }
    put(Buffer.alloc(paddingOf(sizeBytes)));
  } finally {
    fs.closeSync(fd);
  }
}
