/**
 * Environments as a directory that can be copied to another host: manifest.json, reasons.json, units/<digest>.json, and content/<SHA-256>,
 * each content once, without owner or mode, which the units have.
 */
import * as fs from "node:fs";
import { RegError } from "../../errors/errors.ts";
import { digestOf } from "../../reg/digest.ts";
import { environmentPath, isDigest, objectPath, unitPath } from "../../reg/layout.ts";
import type { Entry, Manifest, Unit } from "../../reg/manifest.ts";
import { type EnvironmentName, formatEnvironmentName, parseEnvironmentName } from "../../reg/name.ts";
import { readUnit } from "../../reg/tree.ts";
import type { Reason } from "../closure/types.ts";
import { type Installed, installEnvironment, readManifest } from "./environment.ts";
import { objectKey } from "./header.ts";
import type { Staging } from "./staging.ts";
import { type Store, withShared } from "./store.ts";

/** Writes an environment into a new directory. */
export function exportEnvironment(store: Store, name: EnvironmentName, directory: string): Promise<void> {
  return withShared(store, () => {
    const manifest = readManifest(store, name);
    fs.mkdirSync(directory);
    fs.mkdirSync(`${directory}/units`);
    fs.mkdirSync(`${directory}/content`);
    for (const { digest } of manifest.units) {
      fs.copyFileSync(unitPath(store.directory, digest), `${directory}/units/${digest}.json`);
      for (const entry of readUnit(store.directory, digest).entries) {
        if (entry.type !== "file" || fs.existsSync(`${directory}/content/${entry.content}`)) continue;
        fs.copyFileSync(
          objectPath(store.directory, entry.object),
          `${directory}/content/${entry.content}`,
          fs.constants.COPYFILE_FICLONE,
        );
      }
    }
    const environment = environmentPath(store.directory, name);
    fs.copyFileSync(`${environment}/reasons.json`, `${directory}/reasons.json`);
    fs.copyFileSync(`${environment}/manifest.json`, `${directory}/manifest.json`); // last: without it, it is not whole
  });
}

/** Installs what exportEnvironment wrote. Nothing in it is believed: digests are checked, and paths stay inside. */
export function importEnvironment(
  store: Store,
  directory: string,
  options: { readonly replace?: boolean; readonly onFile?: () => Promise<void> | void } = {},
): Promise<Installed> {
  const manifest = readImported(`${directory}/manifest.json`) as Manifest;
  const reasons = readImported(`${directory}/reasons.json`) as Readonly<Record<string, Reason>>;
  const name = parseEnvironmentName(formatEnvironmentName(manifest));
  const { replace = false, onFile = () => undefined } = options;
  return installEnvironment(store, { name, command: manifest.command, reasons, replace }, async (staging) => {
    const units: Unit[] = [];
    for (const { digest } of manifest.units) {
      const unit = readImportedUnit(directory, digest);
      for (const entry of unit.entries) {
        checkEntry(entry, directory);
        if (entry.type === "file") stageImported(staging, directory, entry);
        await onFile();
      }
      units.push(unit);
    }
    return units;
  });
}

function readImported(path: string): unknown {
  try {
    return JSON.parse(fs.readFileSync(path, "utf8"));
  } catch (error) {
    throw new RegError("EINVAL", `read ${path}: ${error instanceof Error ? error.message : error}`, {
      hint: "reg-env install takes a directory that reg-env export wrote",
      cause: error,
    });
  }
}

function readImportedUnit(directory: string, digest: string): Unit {
  const path = `${directory}/units/${digest}.json`;
  if (!isDigest(digest))
    throw new RegError("EINVAL", `${directory}/manifest.json: ${JSON.stringify(digest)} is no digest`);
  const text = fs.readFileSync(path, "utf8");
  if (digestOf(text) !== digest)
    throw new RegError("EINVAL", `${path}: its text has another digest; it was changed on its way`);
  return readImported(path) as Unit;
}

function stageImported(staging: Staging, directory: string, entry: Extract<Entry, { type: "file" }>): void {
  if (objectKey(entry) !== entry.object)
    throw new RegError("EINVAL", `${directory}: /${entry.path} has the wrong object in its unit`);
  const fd = fs.openSync(`${directory}/content/${entry.content}`, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
  try {
    staging.addObject(entry, fd);
  } finally {
    fs.closeSync(fd);
  }
}

/** Throws RegError for a path that could lead out of a tree. */
function checkEntry(entry: Entry, directory: string): void {
  const names = entry.path.split("/");
  if (names.some((name) => name === "" || name === "." || name === "..") || entry.path.includes("\0"))
    throw new RegError("EINVAL", `${directory}: ${JSON.stringify(entry.path)} is no path inside a tree`);
  if (entry.type === "file" && !isDigest(entry.content))
    throw new RegError("EINVAL", `${directory}: ${JSON.stringify(entry.content)} is no digest`);
}
