/**
 * Which snapshots of containerd belong to images that are to be left out.
 *
 *   io.containerd.metadata.v1.bolt/meta.db             v1/<namespace>/images/<name>/{target/digest,labels/<label>}
 *   io.containerd.content.v1.content/blobs/sha256/...  indexes, manifests and configurations of images
 */
import * as fs from "node:fs";
import { type BoltBucket, findBucket, readBolt } from "./bolt.ts";
import { chainIds } from "./chain.ts";
import { isObject, type Json, readJson } from "./json.ts";
import type { Exclusion } from "./store.ts";

/** Indexes in indexes: more than any image has. */
const DEEPEST = 4;

/** Tells whether the snapshot with this key is left out. */
export function excludedSnapshots(root: string, exclusions: readonly Exclusion[]): (key: string) => boolean {
  const namespaces = new Set(exclusions.flatMap((each) => (each.kind === "namespace" ? [each.name] : [])));
  const chains = new Set<string>();
  if (exclusions.some(({ kind }) => kind !== "namespace")) {
    const database = `${root}/io.containerd.metadata.v1.bolt/meta.db`;
    for (const image of fs.existsSync(database) ? imagesOf(readBolt(database)) : [])
      for (const configuration of configurationsOf(root, image.digest))
        if (exclusions.some((exclusion) => isExcluded(image, configuration, exclusion)))
          for (const chain of chainIds(configuration)) chains.add(`${image.namespace} sha256:${chain}`);
  }
  return (key) => {
    const namespace = key.slice(0, key.indexOf("/"));
    return namespaces.has(namespace) || chains.has(`${namespace} ${key.slice(key.lastIndexOf("/") + 1)}`);
  };
}

interface Image {
  readonly namespace: string;
  readonly name: string;
  readonly digest: string;
  readonly labels: Readonly<Record<string, string>>;
}

function imagesOf(database: BoltBucket): Image[] {
  return bucketsIn(findBucket(database, "v1")).flatMap(([namespace, inside]) =>
    bucketsIn(findBucket(inside, "images")).map(([name, image]) => ({
      namespace,
      name,
      digest: stringsIn(findBucket(image, "target")).digest ?? "",
      labels: stringsIn(findBucket(image, "labels")),
    })),
  );
}

function bucketsIn(bucket: BoltBucket | undefined): (readonly [string, BoltBucket])[] {
  return (bucket?.entries() ?? []).flatMap((entry) =>
    "bucket" in entry ? [[entry.key.toString("utf8"), entry.bucket] as const] : [],
  );
}

function stringsIn(bucket: BoltBucket | undefined): Record<string, string> {
  const entries = (bucket?.entries() ?? []).flatMap((entry) =>
    "value" in entry ? [[entry.key.toString("utf8"), entry.value.toString("utf8")] as const] : [],
  );
  return Object.fromEntries(entries);
}

/** The configurations that a manifest, or an index of them, names, as far as they are there. */
function configurationsOf(root: string, digest: string, depth = 0): Json[] {
  const document = blob(root, digest);
  if (document === undefined || depth === DEEPEST) return [];
  const manifests = Array.isArray(document.manifests) ? document.manifests.filter(isObject) : [];
  const below = manifests.flatMap((each) => configurationsOf(root, String(each.digest), depth + 1));
  const configuration = isObject(document.config) ? blob(root, String(document.config.digest)) : undefined;
  return configuration === undefined ? below : [...below, configuration];
}

function blob(root: string, digest: string): Json | undefined {
  const [, name] = /^sha256:([0-9a-f]{64})$/.exec(digest) ?? [];
  if (name === undefined) return undefined;
  const value = readJson(`${root}/io.containerd.content.v1.content/blobs/sha256/${name}`);
  return isObject(value) ? value : undefined;
}

function isExcluded(image: Image, configuration: Json, exclusion: Exclusion): boolean {
  if (exclusion.kind === "namespace") return false;
  if (exclusion.kind === "image") return image.name === exclusion.name || image.digest === exclusion.name;
  const config = configuration.config;
  const own = isObject(config) && isObject(config.Labels) ? config.Labels : {};
  const value = own[exclusion.name] ?? image.labels[exclusion.name];
  return value !== undefined && (exclusion.value === undefined || value === exclusion.value);
}
