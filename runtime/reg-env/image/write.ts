/**
 * An environment as an image of OCI: a layout, an archive of one, or the archive that `docker save` writes. There is no date in it.
 * Source: image-spec image-layout.md, manifest.md, config.md; Docker's "Image Specification v1.3" for docker-archive.
 */
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import type { Manifest } from "../../reg/manifest.ts";
import { type EnvironmentName, formatEnvironmentName } from "../../reg/name.ts";
import { readUnit } from "../../reg/tree.ts";
import { SEARCH_PATH } from "../closure/search-path.ts";
import { readManifest } from "../store/environment.ts";
import { FIXED_MTIME } from "../store/header.ts";
import { type Store, withShared } from "../store/store.ts";
import { planLayers, type WrittenLayer, writeLayer } from "./layers.ts";
import { END, headerOf, paddingOf } from "./tar.ts";

export type ImageFormat = "oci" | "oci-archive" | "docker-archive";

export interface WriteOptions {
  readonly format: ImageFormat;
  /** gzip gives the same bytes with the same version of zlib only. */
  readonly compress?: boolean;
  readonly onLayer?: (done: number, total: number) => Promise<void> | void;
}

export interface WrittenImage {
  /** Of the manifest; with docker-archive of the config. */
  readonly digest: string;
  readonly layers: number;
  readonly sizeBytes: number;
}

/** The prefix of images without a registry, as Podman and Buildah have it. */
const LOCAL = "localhost";
export const MANIFEST = "application/vnd.oci.image.manifest.v1+json";
const CONFIG = "application/vnd.oci.image.config.v1+json";
const LAYER = "application/vnd.oci.image.layer.v1.tar";
const CREATED = new Date(FIXED_MTIME * 1000).toISOString().replace(".000", "");
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: "amd64", ia32: "386" };

/** Writes the image to a path that does not exist yet. */
export function writeImage(
  store: Store,
  name: EnvironmentName,
  path: string,
  options: WriteOptions,
): Promise<WrittenImage> {
  return withShared(store, async () => {
    const manifest = readManifest(store, name);
    const folder = options.format === "oci" ? path : `${path}.layers-${process.pid}`;
    fs.mkdirSync(folder, { mode: 0o755 });
    try {
      const image = await writeLayout(store, manifest, folder, options);
      if (options.format === "oci-archive") archive(folder, listFiles(folder), path);
      if (options.format === "docker-archive") archiveForDocker(folder, manifest, image, path);
      const digest = options.format === "docker-archive" ? image.config : image.manifest;
      return { digest: `sha256:${digest}`, layers: image.layers.length, sizeBytes: image.sizeBytes };
    } catch (error) {
      fs.rmSync(path, { recursive: true, force: true });
      throw error;
    } finally {
      if (options.format !== "oci") fs.rmSync(folder, { recursive: true, force: true });
    }
  });
}

interface Layout {
  readonly manifest: string;
  readonly config: string;
  readonly layers: readonly string[];
  readonly sizeBytes: number;
}

async function writeLayout(store: Store, manifest: Manifest, folder: string, options: WriteOptions): Promise<Layout> {
  const { compress = false, onLayer = () => undefined } = options;
  const blobs = join(folder, "blobs/sha256");
  fs.mkdirSync(blobs, { recursive: true, mode: 0o755 });
  const units = manifest.units.map(({ digest }) => ({ digest, unit: readUnit(store.directory, digest) }));
  const planned = planLayers(units, `${manifest.name}-files`);
  const written: WrittenLayer[] = [];
  const descriptors: { mediaType: string; digest: string; size: number }[] = [];
  for (const layer of planned) {
    const temporary = join(folder, "layer");
    const fd = fs.openSync(temporary, "wx", 0o644);
    const own = writeLayer(store.directory, layer, fd);
    fs.closeSync(fd);
    written.push(own);
    const { digest, sizeBytes } = compress ? await gzip(temporary) : { digest: own.diffId, sizeBytes: own.sizeBytes };
    fs.renameSync(temporary, join(blobs, digest));
    descriptors.push({ mediaType: compress ? `${LAYER}+gzip` : LAYER, digest: `sha256:${digest}`, size: sizeBytes });
    await onLayer(descriptors.length, planned.length);
  }
  const put = (value: unknown) => {
    const text = JSON.stringify(value);
    const digest = createHash("sha256").update(text).digest("hex");
    fs.writeFileSync(join(blobs, digest), text);
    return { digest, descriptor: { digest: `sha256:${digest}`, size: Buffer.byteLength(text) } };
  };
  const config = put(configOf(manifest, written));
  const annotations = {
    "org.opencontainers.image.title": manifest.name,
    "org.opencontainers.image.version": manifest.version,
  };
  const own = put({
    schemaVersion: 2,
    mediaType: MANIFEST,
    config: { mediaType: CONFIG, ...config.descriptor },
    layers: descriptors,
    annotations,
  });
  const reference = referenceOf(manifest);
  const names = { "org.opencontainers.image.ref.name": reference, "io.containerd.image.name": reference };
  const index = {
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.index.v1+json",
    manifests: [{ mediaType: MANIFEST, ...own.descriptor, annotations: names }],
  };
  fs.writeFileSync(join(folder, "index.json"), JSON.stringify(index));
  fs.writeFileSync(join(folder, "oci-layout"), JSON.stringify({ imageLayoutVersion: "1.0.0" }));
  const sizeBytes = descriptors.reduce((sum, { size }) => sum + size, 0);
  return {
    manifest: own.digest,
    config: config.digest,
    layers: descriptors.map(({ digest }) => digest.slice(7)),
    sizeBytes,
  };
}

/** "localhost/web:1.2"; what a tag can not hold becomes "_". */
export function referenceOf({ name, version }: EnvironmentName): string {
  return `${LOCAL}/${name.replaceAll("+", "-")}:${version
    .replaceAll(/[^\w.-]/g, "_")
    .replace(/^[.-]/, "_")
    .slice(0, 128)}`;
}

function configOf(manifest: Manifest, layers: readonly WrittenLayer[]) {
  const { args, env, cwd, user } = manifest.command;
  return {
    created: CREATED,
    architecture: ARCHITECTURES[process.arch] ?? process.arch,
    os: "linux",
    config: {
      ...(user === undefined ? {} : { User: user }),
      Env: [`PATH=${SEARCH_PATH.join(":")}`, ...env],
      ...(args.length === 0 ? {} : { Cmd: args }),
      WorkingDir: cwd,
      Labels: {
        "org.reg.environment": formatEnvironmentName(manifest),
        "org.reg.tree": manifest.tree,
        // The order of units decides where files collide; the layers have another.
        "org.reg.units": manifest.units.map(({ digest }) => digest.slice(0, 12)).join(" "),
      },
    },
    rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => `sha256:${diffId}`) },
    history: layers.map(({ contents }) => ({
      created: CREATED,
      created_by: `reg-env: ${contents.units.map(({ name, version }) => `${name}@${version}`).join(" ")}`,
      comment: JSON.stringify(contents),
    })),
  };
}

async function gzip(path: string): Promise<{ digest: string; sizeBytes: number }> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  const packed = `${path}.gz`;
  await pipeline(
    fs.createReadStream(path),
    createGzip(),
    async function* (chunks: AsyncIterable<Buffer>) {
      for await (const chunk of chunks) {
        hash.update(chunk);
        sizeBytes += chunk.length;
        yield chunk;
      }
    },
    fs.createWriteStream(packed),
  );
  fs.renameSync(packed, path);
  return { digest: hash.digest("hex"), sizeBytes };
}

function listFiles(folder: string): { readonly path: string; readonly from: string }[] {
  const names = fs.readdirSync(join(folder, "blobs/sha256")).sort();
  return ["oci-layout", "index.json", ...names.map((name) => `blobs/sha256/${name}`)].map((path) => ({
    path,
    from: join(folder, path),
  }));
}

function archiveForDocker(folder: string, manifest: Manifest, { config, layers }: Layout, path: string): void {
  const blob = (digest: string) => join(folder, "blobs/sha256", digest);
  const own = [
    { Config: `${config}.json`, RepoTags: [referenceOf(manifest)], Layers: layers.map((digest) => `${digest}.tar`) },
  ];
  fs.writeFileSync(join(folder, "manifest.json"), JSON.stringify(own));
  const files = [
    { path: `${config}.json`, from: blob(config) },
    ...[...new Set(layers)].map((digest) => ({ path: `${digest}.tar`, from: blob(digest) })),
    { path: "manifest.json", from: join(folder, "manifest.json") },
  ];
  archive(folder, files, path);
}

function archive(
  folder: string,
  files: readonly { readonly path: string; readonly from: string }[],
  path: string,
): void {
  const temporary = join(folder, "archive");
  const fd = fs.openSync(temporary, "wx", 0o644);
  try {
    for (const file of files) {
      const { size } = fs.statSync(file.from);
      const header = {
        path: file.path,
        type: "file",
        mode: 0o644,
        uid: 0,
        gid: 0,
        mtime: FIXED_MTIME,
        sizeBytes: size,
      } as const;
      fs.writeFileSync(fd, headerOf(header));
      appendFile(fd, file.from);
      fs.writeFileSync(fd, Buffer.alloc(paddingOf(size)));
    }
    fs.writeFileSync(fd, END);
  } finally {
    fs.closeSync(fd);
  }
  fs.linkSync(temporary, path); // fails when there is something
}

function appendFile(to: number, path: string): void {
  const from = fs.openSync(path, "r");
  const block = Buffer.alloc(1024 * 1024);
  try {
    for (let count = fs.readSync(from, block); count > 0; count = fs.readSync(from, block))
      fs.writeFileSync(to, block.subarray(0, count));
  } finally {
    fs.closeSync(from);
  }
}
