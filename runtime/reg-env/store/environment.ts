/** Environments of a store: added and removed whole. */
import * as fs from "node:fs";
import { RegError } from "../../errors/errors.ts";
import { checked } from "../../libc/call.ts";
import * as C from "../../libc/constants.ts";
import { libc } from "../../libc/libc.ts";
import { cString } from "../../libc/memory.ts";
import { canonicalJson } from "../../reg/digest.ts";
import { environmentPath } from "../../reg/layout.ts";
import type { EnvironmentCommand, Manifest, Unit } from "../../reg/manifest.ts";
import { type EnvironmentName, formatEnvironmentName } from "../../reg/name.ts";
import { formatUnits, readUnit, treeDigest, treeOf, unknownEnvironment } from "../../reg/tree.ts";
import type { Reason } from "../closure/types.ts";
import { Staging, type StagingSummary } from "./staging.ts";
import { type Store, withShared } from "./store.ts";

export interface EnvironmentSource {
  readonly name: EnvironmentName;
  readonly command: EnvironmentCommand;
  /** By path, as in the closure. */
  readonly reasons: Readonly<Record<string, Reason>>;
  /** They are a guess: those of an environment that is there, and the same, are kept. */
  readonly withoutReasons?: boolean;
  /** An environment of this name that is there and differs is replaced; otherwise it is an error. */
  readonly replace?: boolean;
}

export interface Installed extends StagingSummary {
  readonly manifest: Manifest;
  /** Where its tree is. */
  readonly tree: string;
  /** False when the very same environment was there. */
  readonly changed: boolean;
}

/** Installs an environment. `capture` stages its files and gives its units, in order of precedence, the base (base.ts) last. */
export function installEnvironment(
  store: Store,
  source: EnvironmentSource,
  capture: (staging: Staging) => Promise<readonly Unit[]>,
): Promise<Installed> {
  return withShared(store, async () => {
    const staging = new Staging(store);
    try {
      const units = await capture(staging);
      const digests = units.map((unit) => staging.addUnit(unit));
      const manifest = manifestOf(source, units, digests);
      const directory = writeEnvironment(staging, source, manifest, digests);
      const summary = staging.publish();
      const known = new Map(units.map((unit, index) => [digests[index] ?? "", unit]));
      const tree = treeOf(store.directory, digests, known);
      const changed = place(store, source, directory);
      return { ...summary, manifest, tree: tree.path, changed };
    } finally {
      staging.close();
    }
  });
}

function manifestOf(source: EnvironmentSource, units: readonly Unit[], digests: readonly string[]): Manifest {
  return {
    ...source.name,
    tree: treeDigest(digests),
    units: units.map(({ name, version }, index) => ({ name, version, digest: digests[index] ?? "" })),
    command: source.command,
  };
}

/** The environment's directory, in tmp/. */
function writeEnvironment(
  staging: Staging,
  source: EnvironmentSource,
  manifest: Manifest,
  digests: readonly string[],
): string {
  const directory = `${staging.directory}/environment`;
  fs.mkdirSync(directory, { mode: 0o700 });
  fs.writeFileSync(`${directory}/units`, formatUnits(digests), { mode: 0o600 });
  fs.symlinkSync(`../../trees/${manifest.tree}`, `${directory}/tree`);
  fs.writeFileSync(`${directory}/manifest.json`, canonicalJson(manifest), { mode: 0o600 });
  fs.writeFileSync(`${directory}/reasons.json`, canonicalJson(source.reasons), { mode: 0o600 });
  return directory;
}

/** Renames it into its place; false when the same is there. */
function place(store: Store, source: EnvironmentSource, directory: string): boolean {
  const path = environmentPath(store.directory, source.name);
  try {
    fs.renameSync(directory, path);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOTEMPTY" && code !== "EEXIST") throw error;
  }
  if (isSame(directory, path, source.withoutReasons === true ? ["manifest.json"] : FILES)) return false;
  if (source.replace !== true)
    throw new RegError("EEXIST", `environment ${formatEnvironmentName(source.name)} is there already, and differs`, {
      hint: "choose another version, or replace it: --replace",
    });
  // In one step, so that there is no moment without it; what was there goes with the rest of tmp/.
  checked(
    libc.syscall(C.SYS_renameat2, C.AT_FDCWD, cString(directory), C.AT_FDCWD, cString(path), C.RENAME_EXCHANGE),
    "renameat2(2)",
    path,
  );
  return true;
}

const FILES = ["manifest.json", "reasons.json"];

function isSame(left: string, right: string, names: readonly string[]): boolean {
  return names.every((name) => fs.readFileSync(`${left}/${name}`).equals(fs.readFileSync(`${right}/${name}`)));
}

/** The manifest of an installed environment. Throws RegError where there is none. */
export function readManifest(store: Store, name: EnvironmentName): Manifest {
  return readJson(store, name, "manifest.json") as Manifest;
}

export function readReasons(store: Store, name: EnvironmentName): Readonly<Record<string, Reason>> {
  return readJson(store, name, "reasons.json") as Readonly<Record<string, Reason>>;
}

function readJson(store: Store, name: EnvironmentName, file: string): unknown {
  try {
    return JSON.parse(fs.readFileSync(`${environmentPath(store.directory, name)}/${file}`, "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") throw unknownEnvironment(store.directory, name);
    throw error;
  }
}

/** The same environment by another name: its units, its command and its reasons. */
export function tagEnvironment(
  store: Store,
  name: EnvironmentName,
  other: EnvironmentName,
  replace: boolean,
): Promise<Installed> {
  const { units, command } = readManifest(store, name);
  const source = { name: other, command, reasons: readReasons(store, name), replace };
  return installEnvironment(store, source, async () => units.map(({ digest }) => readUnit(store.directory, digest)));
}

/** Removes an environment. Containers that run in it go on; its files are gc's to remove. */
export function uninstallEnvironment(store: Store, name: EnvironmentName): Promise<void> {
  return withShared(store, () => {
    const temporary = fs.mkdtempSync(`${store.directory}/tmp/remove-${process.pid}-`);
    try {
      fs.renameSync(environmentPath(store.directory, name), `${temporary}/environment`);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") throw unknownEnvironment(store.directory, name);
      throw error;
    } finally {
      fs.rmSync(temporary, { recursive: true, force: true });
    }
  });
}
