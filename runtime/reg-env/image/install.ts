/**
 * An environment from an image that `reg-env export` wrote: its layers say which units they are made of, so that the store has the very same
 * units and objects again, and shares them. Nothing is believed: each unit made of a layer has to have the digest that the layer claims.
 */
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { RegError } from "../../errors/errors.ts";
import { canonicalJson, digestOf, toHex } from "../../reg/digest.ts";
import type { Entry, FileEntry, Unit } from "../../reg/manifest.ts";
import { parseEnvironmentName } from "../../reg/name.ts";
import { treeDigest } from "../../reg/tree.ts";
import { SEARCH_PATH } from "../closure/search-path.ts";
import type { Reason } from "../closure/types.ts";
import { type Installed, installEnvironment } from "../store/environment.ts";
import { block } from "../store/hash.ts";
import { keepsTime, objectKey } from "../store/header.ts";
import { checkUnit, isSetId } from "../store/imported.ts";
import type { Staging } from "../store/staging.ts";
import type { Store } from "../store/store.ts";
import { sortEntries } from "../store/unit.ts";
import type { LayerContents } from "./layers.ts";
import type { Image, Part } from "./open.ts";
import { type FoundEntry, readTar } from "./tar.ts";

export interface InstallOptions {
  readonly replace?: boolean;
  readonly onFile?: () => Promise<void> | void;
  /** What a person should know about it. */
  readonly warn?: (text: string) => void;
}

/** Throws RegError for an image that was made by another program, or whose units are not what it says. */
export function installImage(store: Store, image: Image, options: InstallOptions = {}): Promise<Installed> {
  const { replace = false, onFile = () => undefined, warn = () => undefined } = options;
  const { labels, command, env, cwd, user, comments } = image.config;
  const label = labels["org.reg.environment"];
  const order = labels["org.reg.units"]?.split(" ");
  if (label === undefined || order === undefined)
    throw new RegError("EINVAL", `${image.name} was not written by reg-env export`, {
      hint: "reg-env generate NAME@VERSION --image makes an environment of any image",
    });
  const path = `PATH=${SEARCH_PATH.join(":")}`;
  const source = {
    name: parseEnvironmentName(label),
    command: { args: command, env: env.filter((each) => each !== path), cwd, ...(user === undefined ? {} : { user }) },
    reasons: {} as Record<string, Reason>,
    replace,
    withoutReasons: true,
  };
  return installEnvironment(store, source, async (staging) => {
    const parts = new Map<string, { readonly name: string; readonly version: string; readonly entries: Entry[] }>();
    for (let index = 0; index < image.layers; index++) {
      const contents = describe(comments[index], image.name);
      await readLayer(staging, await image.openLayer(index), contents, parts, image.name, onFile);
    }
    const found = new Map<string, Unit>();
    for (const [digest, { name, version, entries }] of parts) {
      const unit: Unit = { name, version, entries: sortEntries(entries) };
      if (digestOf(canonicalJson(unit)) !== digest)
        throw invalid(image.name, `the unit ${name}@${version} has another digest`);
      checkUnit(unit, image.name);
      found.set(digest, unit);
      for (const entry of unit.entries) {
        source.reasons[`/${entry.path}`] = { rule: "image", text: `came with the image ${image.digest}` };
        if (isSetId(entry)) warn(`/${entry.path} runs with the rights of its owner or group`);
      }
    }
    const units = order.map((prefix) =>
      [...found].find(([digest]) => digest.startsWith(prefix) && prefix.length >= 12),
    );
    const known = units.flatMap((each) => (each === undefined ? [] : [each]));
    const tree = treeDigest(known.map(([digest]) => digest));
    if (known.length !== found.size || known.length !== order.length || tree !== labels["org.reg.tree"])
      throw invalid(image.name, "its layers do not make the tree that it names");
    return known.map(([, unit]) => unit);
  });
}

function describe(comment: string | undefined, name: string): LayerContents {
  const isCount = (value: unknown) => Number.isInteger(value) && Number(value) >= 0;
  try {
    const contents = JSON.parse(comment ?? "") as LayerContents;
    const isGood = contents.units.every(
      (each) =>
        isCount(each.entries) &&
        each.folders.every((index) => isCount(index) && index < contents.folders) &&
        [each.digest, each.name, each.version].every((text) => typeof text === "string"),
    );
    if (isCount(contents.folders) && isGood) return contents;
  } catch {
    // told below
  }
  throw invalid(name, "a layer does not say which units it is made of");
}

/** Adds what the layer has of each unit to its parts. */
async function readLayer(
  staging: Staging,
  part: Part,
  contents: LayerContents,
  parts: Map<string, { readonly name: string; readonly version: string; readonly entries: Entry[] }>,
  name: string,
  onFile: () => Promise<void> | void,
): Promise<void> {
  const entries = readTar(part.fd, name, part.start, part.end);
  const next = () => {
    const { value, done } = entries.next();
    if (done === true) throw invalid(name, "a layer has less in it than it says");
    return value;
  };
  const folders: Entry[] = [];
  for (let index = 0; index < contents.folders; index++) folders.push(entryOf(next(), part, staging, name));
  for (const { name: own, version, digest, folders: indices, entries: count } of contents.units) {
    const known = parts.get(digest) ?? { name: own, version, entries: [] };
    parts.set(digest, known);
    known.entries.push(...indices.flatMap((index) => folders[index] ?? []));
    for (let index = 0; index < count; index++) {
      known.entries.push(entryOf(next(), part, staging, name));
      await onFile();
    }
  }
  if (entries.next().done !== true) throw invalid(name, "a layer has more in it than it says");
}

function entryOf(entry: FoundEntry, part: Part, staging: Staging, name: string): Entry {
  const { path, type, mode, uid, gid, mtime, sizeBytes, target = "", offset } = entry;
  if (type === "directory") return { type, path, mode, uid, gid };
  if (type === "symlink") return { type, path, target, uid, gid };
  if (type !== "file") throw invalid(name, `/${path} is of a kind that environments do not have`);
  const xattrs = Object.fromEntries(Object.entries(entry.xattrs ?? {}).map(([key, value]) => [key, toHex(value)]));
  const header = {
    content: hashAt(part.fd, offset, sizeBytes),
    uid,
    gid,
    mode,
    ...(keepsTime(path) ? { mtime } : {}),
    ...(entry.xattrs === undefined ? {} : { xattrs }),
  };
  const own: FileEntry = { type, path, object: objectKey(header), sizeBytes, ...header };
  staging.addObject(own, part.fd, offset);
  return own;
}

function hashAt(fd: number, offset: number, sizeBytes: number): string {
  const hash = createHash("sha256");
  for (let done = 0; done < sizeBytes; ) {
    const count = fs.readSync(fd, block, 0, Math.min(block.length, sizeBytes - done), offset + done);
    if (count === 0) break;
    hash.update(block.subarray(0, count));
    done += count;
  }
  return hash.digest("hex");
}

function invalid(name: string, fault: string): RegError {
  return new RegError("EINVAL", `${name}: ${fault}`, { hint: "it was changed since reg-env export wrote it" });
}
