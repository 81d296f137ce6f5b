/**
 * The store of Podman, Buildah and CRI-O: containers/storage with its driver "overlay".
 *
 *   overlay/<id>/diff                                    the content of a layer
 *   overlay-layers/{layers,volatile-layers}.json         id, parent
 *   overlay-images/images.json                           id, layer, mapped-layers, names
 *   overlay-containers/{containers,volatile-containers}.json   id, layer: the writable one
 *   overlay-layers/layers.lock                           held to change or mount layers
 *
 * Source: the documentation of containers/storage, docs/containers-storage-*.md, and stores as they are found.
 */
import * as fs from "node:fs";
import type { MountTable } from "../../mount-tables.ts";
import { isObject, type Json, readJson, readObjects, stringOf, stringsOf } from "./json.ts";
import { mountedLayers, namelessOverlay } from "./overlay-links.ts";
import type { Exclusion, ImageStore, Layer, StoreState } from "./store.ts";

const ID = /^[0-9a-f]{64}$/;

/** undefined when there is none at `root`. */
export function containersStorage(root: string): ImageStore | undefined {
  if (!fs.existsSync(`${root}/overlay-layers`) || !fs.existsSync(`${root}/overlay`)) return undefined;
  return {
    engine: "containers-storage",
    root,
    base: `${root}/overlay`,
    lockFile: `${root}/overlay-layers/layers.lock`,
    watched: [`${root}/overlay-images`],
    read: (exclusions, mountTables) => read(root, exclusions, mountTables),
  };
}

function read(root: string, exclusions: readonly Exclusion[], mountTables: readonly MountTable[]): StoreState {
  const base = `${root}/overlay`;
  const layers = new Map<string, Json>();
  for (const name of ["layers.json", "volatile-layers.json"])
    for (const layer of readObjects(`${root}/overlay-layers/${name}`)) {
      const id = stringOf(layer, "id");
      if (id !== undefined && ID.test(id)) layers.set(id, layer);
    }
  const writable = new Set(
    ["containers.json", "volatile-containers.json"]
      .flatMap((name) => readObjects(`${root}/overlay-containers/${name}`))
      .map((container) => stringOf(container, "layer")),
  );
  const used = new Set<string>();
  const excluded = new Set<string>();
  for (const image of readObjects(`${root}/overlay-images/images.json`)) {
    const ids = chainsOf(layers, [stringOf(image, "layer"), ...stringsOf(image, "mapped-layers")]);
    for (const id of ids) used.add(id);
    if (exclusions.some((exclusion) => isExcluded(root, image, exclusion))) for (const id of ids) excluded.add(id);
  }
  const mounted = mountedLayers(base, mountTables);
  const nameless = namelessOverlay(mountTables);
  const result: Layer[] = [];
  for (const id of used) {
    if (writable.has(id) || !isPlain(base, id, layers.get(id))) continue;
    const state = excluded.has(id) ? "excluded" : mounted.has(id) || nameless !== undefined ? "mounted" : "free";
    result.push({ id, directory: `${id}/diff`, state });
  }
  return nameless === undefined ? { layers: result } : { layers: result, unclear: nameless };
}

/** The layers, and all that are below them. */
function chainsOf(layers: ReadonlyMap<string, Json>, tops: readonly (string | undefined)[]): Set<string> {
  const ids = new Set<string>();
  for (const top of tops)
    for (let id = top; id !== undefined && !ids.has(id); ) {
      const layer = layers.get(id);
      if (layer === undefined) break;
      ids.add(id);
      id = stringOf(layer, "parent");
    }
  return ids;
}

/** Complete, and files under their own names: composefs keeps a tree of digests. */
function isPlain(base: string, id: string, layer: Json | undefined): boolean {
  const flags = layer?.flags;
  if (isObject(flags) && flags.incomplete === true) return false;
  return !fs.existsSync(`${base}/${id}/composefs-data`);
}

function isExcluded(root: string, image: Json, exclusion: Exclusion): boolean {
  if (exclusion.kind === "namespace") return false;
  if (exclusion.kind === "image")
    return stringsOf(image, "names").includes(exclusion.name) || stringOf(image, "id") === exclusion.name;
  const value = labelsOf(root, image)[exclusion.name];
  return value !== undefined && (exclusion.value === undefined || value === exclusion.value);
}

/** An image's id is the digest of its configuration, which is kept under that name in base64, as it has a colon. */
function labelsOf(root: string, image: Json): Json {
  const id = stringOf(image, "id") ?? "";
  if (!ID.test(id)) return {};
  const name = `=${Buffer.from(`sha256:${id}`).toString("base64")}`;
  const configuration = readJson(`${root}/overlay-images/${id}/${name}`);
  const config = isObject(configuration) ? configuration.config : undefined;
  const labels = isObject(config) ? config.Labels : undefined;
  return isObject(labels) ? labels : {};
}
