/** What is in a store, by name. Files that a killed writer left are in tmp/ only, so what stands elsewhere counts. */
import * as fs from "node:fs";
import { isDigest } from "../../reg/layout.ts";
import { listEnvironments, parseUnits } from "../../reg/tree.ts";

/** Names `<name>@<version>`, sorted. */
export { listEnvironments };

/** Keys of all objects, sorted. */
export function listObjects(storeDir: string): string[] {
  return fs
    .readdirSync(`${storeDir}/objects`)
    .flatMap((folder) => fs.readdirSync(`${storeDir}/objects/${folder}`).map((rest) => folder + rest))
    .sort();
}

/** Digests of all units, sorted. */
export function listUnits(storeDir: string): string[] {
  return fs
    .readdirSync(`${storeDir}/units`)
    .map((name) => name.replace(/\.json$/, ""))
    .sort();
}

/** Digests of all trees, sorted. */
export function listTrees(storeDir: string): string[] {
  return fs.readdirSync(`${storeDir}/trees`).filter(isDigest).sort();
}

/** The units that a tree was built of; none when that is not known. */
export function unitsOfTree(storeDir: string, digest: string): string[] {
  try {
    return parseUnits(fs.readFileSync(`${storeDir}/trees/${digest}.units`, "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

/** The units that an environment lists; none when it has no list. */
export function unitsOfEnvironment(storeDir: string, name: string): string[] {
  try {
    return parseUnits(fs.readFileSync(`${storeDir}/environments/${name}/units`, "utf8"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}
