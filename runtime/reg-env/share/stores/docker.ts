/**
 * Docker's store with the driver overlay2. What its containerd image store has is read as containerd's, see containerd.ts.
 *
 *   overlay2/<cache-id>/diff                                     the content of a layer
 *   image/overlay2/layerdb/sha256/<chain>/{cache-id,parent}      layers of images, which are read-only
 *   image/overlay2/layerdb/mounts/<container>/{mount-id,init-id} layers of containers
 *   image/overlay2/imagedb/content/sha256/<id>                   configuration of an image: labels, and the layers' digests
 *   image/overlay2/repositories.json                             names of images
 *
 * The daemon's lock is in its own memory. So nothing keeps it from mounting or removing a layer between our look at the mounts and the
 * rename: see ARCHITECTURE.md for what that means. Source: moby/layer, docs of the overlay2 driver, and stores as they are found.
 */
import * as fs from "node:fs";
import type { MountTable } from "../../mount-tables.ts";
import { chainIds } from "./chain.ts";
import { isObject, type Json, readJson } from "./json.ts";
import { mountedLayers, namelessOverlay, readShort } from "./overlay-links.ts";
import type { Exclusion, ImageStore, Layer, StoreState } from "./store.ts";

const DIGEST = /^[0-9a-f]{64}$/;
const CACHE_ID = /^[0-9a-z]{64}$/;

/** undefined when there is none at `root`. */
export function dockerStore(root: string): ImageStore | undefined {
  if (!fs.existsSync(`${root}/image/overlay2/layerdb/sha256`) || !fs.existsSync(`${root}/overlay2`)) return undefined;
  return {
    engine: "docker",
    root,
    base: `${root}/overlay2`,
    watched: [`${root}/image/overlay2/imagedb/content/sha256`],
    read: (exclusions, mountTables) => read(root, exclusions, mountTables),
  };
}

function read(root: string, exclusions: readonly Exclusion[], mountTables: readonly MountTable[]): StoreState {
  const layerdb = `${root}/image/overlay2/layerdb`;
  const writable = new Set(
    namesIn(`${layerdb}/mounts`).flatMap((container) =>
      ["mount-id", "init-id"].map((name) => readShort(`${layerdb}/mounts/${container}/${name}`)),
    ),
  );
  const excluded = excludedChains(root, exclusions);
  const mounted = mountedLayers(`${root}/overlay2`, mountTables);
  const nameless = namelessOverlay(mountTables);
  const layers: Layer[] = [];
  for (const chain of namesIn(`${layerdb}/sha256`).filter((name) => DIGEST.test(name))) {
    const id = readShort(`${layerdb}/sha256/${chain}/cache-id`);
    if (id === undefined || !CACHE_ID.test(id) || writable.has(id)) continue;
    const state = excluded.has(chain) ? "excluded" : mounted.has(id) || nameless !== undefined ? "mounted" : "free";
    layers.push({ id, directory: `${id}/diff`, state });
  }
  return nameless === undefined ? { layers } : { layers, unclear: nameless };
}

function namesIn(directory: string): string[] {
  try {
    return fs.readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return []; // no container was ever made
    throw error;
  }
}

/** The chain ids, in hexadecimal, of all layers of the images that are left out. */
function excludedChains(root: string, exclusions: readonly Exclusion[]): Set<string> {
  const chains = new Set<string>();
  if (exclusions.length === 0) return chains;
  const names = namesOfImages(root);
  const folder = `${root}/image/overlay2/imagedb/content/sha256`;
  for (const id of namesIn(folder).filter((name) => DIGEST.test(name))) {
    const configuration = readJson(`${folder}/${id}`);
    if (!isObject(configuration)) continue;
    if (!exclusions.some((exclusion) => isExcluded(id, names.get(id) ?? [], configuration, exclusion))) continue;
    for (const chain of chainIds(configuration)) chains.add(chain);
  }
  return chains;
}

function isExcluded(id: string, names: readonly string[], configuration: Json, exclusion: Exclusion): boolean {
  if (exclusion.kind === "namespace") return false;
  if (exclusion.kind === "image") return names.includes(exclusion.name) || id === exclusion.name;
  const config = configuration.config;
  const labels = isObject(config) && isObject(config.Labels) ? config.Labels : {};
  const value = labels[exclusion.name];
  return value !== undefined && (exclusion.value === undefined || value === exclusion.value);
}

/** Names by id: { Repositories: { name: { "name:tag": "sha256:<id>" } } }. */
function namesOfImages(root: string): Map<string, string[]> {
  const names = new Map<string, string[]>();
  const file = readJson(`${root}/image/overlay2/repositories.json`);
  const repositories = isObject(file) && isObject(file.Repositories) ? file.Repositories : {};
  for (const tags of Object.values(repositories))
    for (const [name, digest] of Object.entries(isObject(tags) ? tags : {})) {
      if (typeof digest !== "string") continue;
      const id = digest.replace(/^sha256:/, "");
      names.set(id, [...(names.get(id) ?? []), name]);
    }
  return names;
}
