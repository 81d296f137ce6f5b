/** The package database of a root, whichever it has. */
import type { Root } from "../root.ts";
import type { Package } from "../types.ts";
import { Apk } from "./apk.ts";
import { Dpkg } from "./dpkg.ts";

export interface Packages {
  readonly isEmpty: boolean;
  names(): string[];
  find(name: string): Package | undefined;
  ownerOf(path: string): Package | undefined;
  /** Installed packages that it depends on, of alternatives the first. */
  dependenciesOf(name: string): string[];
  /** Other installed packages that were built of the same source. */
  siblingsOf(name: string): string[];
  filesOf(name: string): string[] | undefined;
}

export function readPackages(root: Root): Packages {
  const dpkg = new Dpkg(root);
  return dpkg.isEmpty && root.isFile("/lib/apk/db/installed") ? new Apk(root) : dpkg;
}
