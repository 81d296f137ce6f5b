/**
 * Environments as a directory that can be copied to another host: manifest.json, reasons.json, units/<digest>.json, and content/<SHA-256>,
 * each content once, without owner or mode, which the units have.
 */
import * as fs from "node:fs";
import { environmentPath, objectPath, unitPath } from "../../reg/layout.ts";
import type { Entry, FileEntry, Unit } from "../../reg/manifest.ts";
import { type EnvironmentName, formatEnvironmentName, parseEnvironmentName } from "../../reg/name.ts";
import { readUnit } from "../../reg/tree.ts";
import { type Installed, installEnvironment, readManifest } from "./environment.ts";
import { isSetId, openContent, readImportedManifest, readImportedReasons, readImportedUnit } from "./imported.ts";
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
  options: {
    readonly replace?: boolean;
    readonly onFile?: () => Promise<void> | void;
    /** What a person should know about it. */
    readonly warn?: (text: string) => void;
  } = {},
): Promise<Installed> {
  const manifest = readImportedManifest(directory);
  const reasons = readImportedReasons(directory);
  const name = parseEnvironmentName(formatEnvironmentName(manifest));
  const { replace = false, onFile = () => undefined, warn = () => undefined } = options;
  return installEnvironment(store, { name, command: manifest.command, reasons, replace }, async (staging) => {
    const units: Unit[] = [];
    for (const { digest } of manifest.units) {
      const unit = readImportedUnit(directory, digest);
      for (const entry of unit.entries) {
        if (isSetId(entry)) warn(`/${entry.path} runs with the rights of its owner or group (mode ${modeOf(entry)})`);
        if (entry.type === "file") stageImported(staging, directory, entry);
        await onFile();
      }
      units.push(unit);
    }
    return units;
  });
}

function modeOf(entry: Entry): string {
  return entry.type === "symlink" ? "" : entry.mode.toString(8).padStart(4, "0");
}

function stageImported(staging: Staging, directory: string, entry: FileEntry): void {
  const fd = openContent(directory, entry);
  try {
    staging.addObject(entry, fd);
  } finally {
    fs.closeSync(fd);
  }
}
