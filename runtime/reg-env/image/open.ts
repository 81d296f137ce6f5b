/**
 * Images as others hand them over: a layout of OCI, an archive of one, or what `docker save` writes. Nothing is believed that was not checked: each blob is held
 * against its digest when it is read, each layer against the config.
 */
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { join } from "node:path";
import { RegError } from "../../errors/errors.ts";
import { printable } from "../../errors/printable.ts";
import { block } from "../store/hash.ts";
import { compressionOf, decompress } from "./decompress.ts";
import { readTar } from "./tar.ts";

/** A part of an open file. */
export interface Part {
  readonly fd: number;
  readonly start: number;
  readonly end: number;
}

export interface ImageConfig {
  readonly architecture: string;
  readonly command: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly user?: string;
  readonly labels: Readonly<Record<string, string>>;
  /** What each layer says of itself, from the bottom up; undefined where it says nothing. */
  readonly comments: readonly (string | undefined)[];
}

export interface Image {
  /** The path that it was read from. */
  readonly name: string;
  /** Of its manifest; of its config where it has none (docker-archive). */
  readonly digest: string;
  readonly config: ImageConfig;
  readonly layers: number;
  /** The archive of a layer, uncompressed; the part is good until the next call, or close. */
  openLayer(index: number): Promise<Part>;
  close(): void;
}

const LARGEST_JSON_BYTES = 16 * 1024 * 1024;
const MOST_LAYERS = 1000;
const DIGEST = /^sha256:([0-9a-f]{64})$/;

/** Where blobs are. */
interface Blobs {
  open(name: string): Part;
  has(name: string): boolean;
  close(): void;
}

/** `digest`: what the manifest has to be. Throws RegError for what is no image, or another. */
export function openImage(path: string, digest?: string): Image {
  const blobs = fs.statSync(path).isDirectory() ? folderOf(path) : archiveOf(path);
  try {
    const image = blobs.has("oci-layout") ? readLayout(path, blobs) : readDockerArchive(path, blobs);
    if (digest !== undefined && digest !== image.digest)
      throw new RegError("EBADMSG", `${path} has the digest ${image.digest}, not ${digest}`, {
        hint: "it is another image than expected, or was changed on its way",
      });
    return image;
  } catch (error) {
    blobs.close();
    throw error;
  }
}

function readLayout(path: string, blobs: Blobs): Image {
  const index = object(readJson(blobs, "index.json", path), path);
  const [first, ...others] = list(index.manifests, path).map((each) => object(each, path));
  if (first === undefined || others.length > 0)
    throw invalid(path, `it has ${others.length + (first === undefined ? 0 : 1)} images; one is expected`);
  let digest = text(first.digest, path);
  let manifest = object(readBlob(blobs, digest, path), path);
  // An index of several architectures.
  if (Array.isArray(manifest.manifests)) {
    const architecture = { x64: "amd64" }[process.arch as string] ?? process.arch;
    const own = manifest.manifests
      .map((each) => object(each, path))
      .find((each) => object(each.platform ?? {}, path).architecture === architecture);
    if (own === undefined) throw invalid(path, `it has no image for ${architecture}`);
    digest = text(own.digest, path);
    manifest = object(readBlob(blobs, digest, path), path);
  }
  const config = readBlob(blobs, text(object(manifest.config, path).digest, path), path);
  const layers = list(manifest.layers, path).map((each) => nameOfBlob(text(object(each, path).digest, path), path));
  return makeImage(path, digest, config, layers, blobs, true);
}

function readDockerArchive(path: string, blobs: Blobs): Image {
  if (!blobs.has("manifest.json")) throw invalid(path, "it has neither oci-layout nor manifest.json");
  const [first, ...others] = list(readJson(blobs, "manifest.json", path), path).map((each) => object(each, path));
  if (first === undefined || others.length > 0) throw invalid(path, "one image is expected in it");
  const name = text(first.Config, path);
  const bytes = readPart(blobs.open(name), path);
  const digest = `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
  const layers = list(first.Layers, path).map((each) => text(each, path));
  return makeImage(path, digest, parse(bytes, path), layers, blobs, false);
}

function makeImage(
  name: string,
  digest: string,
  document: unknown,
  layers: readonly string[],
  blobs: Blobs,
  named: boolean,
): Image {
  const config = object(document, name);
  const diffIds = list(object(config.rootfs, name).diff_ids, name).map((each) => text(each, name));
  if (diffIds.length !== layers.length || layers.length > MOST_LAYERS)
    throw invalid(name, `its config tells of ${diffIds.length} layers, and it has ${layers.length}`);
  let temporary: { readonly fd: number; readonly folder: string } | undefined;
  const drop = () => {
    if (temporary === undefined) return;
    fs.closeSync(temporary.fd);
    fs.rmSync(temporary.folder, { recursive: true, force: true });
    temporary = undefined;
  };
  return {
    name,
    digest,
    config: readConfig(config, name),
    layers: layers.length,
    openLayer: async (index) => {
      drop();
      const blob = layers[index] ?? "";
      const part = blobs.open(blob);
      const expected = DIGEST.exec(diffIds[index] ?? "")?.[1];
      if (named && hashOf(part) !== blob.slice(blob.lastIndexOf("/") + 1)) throw changed(name, blob);
      const compression = compressionOf(part);
      let plain = part;
      if (compression !== undefined) {
        temporary = await decompress(part, compression, name);
        plain = { fd: temporary.fd, start: 0, end: fs.fstatSync(temporary.fd).size };
      }
      if (expected === undefined || hashOf(plain) !== expected) throw changed(name, blob);
      return plain;
    },
    close: () => {
      drop();
      blobs.close();
    },
  };
}

function readConfig(document: Readonly<Record<string, unknown>>, name: string): ImageConfig {
  const config = object(document.config ?? {}, name);
  const texts = (value: unknown) =>
    value === undefined || value === null ? [] : list(value, name).map((each) => text(each, name));
  const user = config.User === undefined ? "" : text(config.User, name);
  const cwd = config.WorkingDir === undefined ? "" : text(config.WorkingDir, name);
  const labels = Object.entries(object(config.Labels ?? {}, name)).map(([key, value]) => [key, text(value, name)]);
  const history = document.history === undefined ? [] : list(document.history, name).map((each) => object(each, name));
  return {
    architecture: String(document.architecture ?? ""),
    command: [...texts(config.Entrypoint), ...texts(config.Cmd)],
    env: texts(config.Env),
    cwd: cwd === "" ? "/" : cwd,
    ...(user === "" ? {} : { user }),
    labels: Object.fromEntries(labels) as Record<string, string>,
    comments: history
      .filter((each) => each.empty_layer !== true)
      .map((each) => (typeof each.comment === "string" ? each.comment : undefined)),
  };
}

function folderOf(path: string): Blobs {
  const open: number[] = [];
  return {
    has: (name) => fs.existsSync(join(path, name)),
    open: (name) => {
      const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
      const fd = fs.openSync(join(path, name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
      open.push(fd);
      const status = fs.fstatSync(fd);
      if (!status.isFile()) throw invalid(path, `${name} is no regular file`);
      return { fd, start: 0, end: status.size };
    },
    close: () => {
      for (const fd of open.splice(0)) fs.closeSync(fd);
    },
  };
}

function archiveOf(path: string): Blobs {
  const { O_RDONLY, O_NONBLOCK } = fs.constants;
  const fd = fs.openSync(path, O_RDONLY | O_NONBLOCK);
  const parts = new Map<string, Part>();
  const links = new Map<string, string>();
  try {
    if (!fs.fstatSync(fd).isFile()) throw invalid(path, "it is no regular file");
    for (const entry of readTar(fd, path)) {
      if (entry.type === "file")
        parts.set(entry.path, { fd, start: entry.offset, end: entry.offset + entry.sizeBytes });
      // Equal layers of `docker save`.
      else if (entry.target !== undefined) links.set(entry.path, join(entry.path, "..", entry.target));
    }
  } catch (error) {
    fs.closeSync(fd);
    throw error;
  }
  const find = (name: string) => parts.get(name) ?? parts.get(links.get(name) ?? "");
  return {
    has: (name) => find(name) !== undefined,
    open: (name) => {
      const part = find(name);
      if (part === undefined) throw invalid(path, `it lacks ${printable(name)}`);
      return part;
    },
    close: () => fs.closeSync(fd),
  };
}

function readBlob(blobs: Blobs, digest: string, path: string): unknown {
  const name = nameOfBlob(digest, path);
  const bytes = readPart(blobs.open(name), path);
  if (`sha256:${createHash("sha256").update(bytes).digest("hex")}` !== digest) throw changed(path, name);
  return parse(bytes, path);
}

function nameOfBlob(digest: string, path: string): string {
  const hex = DIGEST.exec(digest)?.[1];
  if (hex === undefined)
    throw invalid(path, `${printable(JSON.stringify(digest.slice(0, 80)))} is no digest of SHA-256`);
  return `blobs/sha256/${hex}`;
}

function readJson(blobs: Blobs, name: string, path: string): unknown {
  return parse(readPart(blobs.open(name), path), path);
}

function readPart({ fd, start, end }: Part, path: string): Buffer {
  if (end - start > LARGEST_JSON_BYTES) throw invalid(path, `a description of ${end - start} bytes is in it`);
  const bytes = Buffer.alloc(end - start);
  for (let done = 0; done < bytes.length; ) {
    const count = fs.readSync(fd, bytes, done, bytes.length - done, start + done);
    if (count === 0) throw invalid(path, "it ends too early");
    done += count;
  }
  return bytes;
}

function hashOf({ fd, start, end }: Part): string {
  const hash = createHash("sha256");
  for (let position = start; position < end; ) {
    const count = fs.readSync(fd, block, 0, Math.min(block.length, end - position), position);
    if (count === 0) break;
    hash.update(block.subarray(0, count));
    position += count;
  }
  return hash.digest("hex");
}

type Json = Readonly<Record<string, unknown>>;

function parse(bytes: Buffer, path: string): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch (error) {
    throw invalid(path, `a description in it is no JSON: ${error instanceof Error ? error.message : error}`);
  }
}

function object(value: unknown, path: string): Json {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value as Json;
  throw invalid(path, "a description in it lacks what it should have");
}

function list(value: unknown, path: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw invalid(path, "a description in it lacks a list");
}

function text(value: unknown, path: string): string {
  if (typeof value === "string") return value;
  throw invalid(path, "a description in it lacks a text");
}

function invalid(path: string, fault: string): RegError {
  return new RegError("EINVAL", `${path} is no image that can be read: ${fault}`, {
    hint: "a layout or an archive of OCI, or what docker save and podman save write",
  });
}

function changed(path: string, blob: string): RegError {
  return new RegError("EBADMSG", `${path}: ${printable(blob)} has another digest; it was changed on its way`);
}
