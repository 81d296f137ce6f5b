/** The base unit: what a container needs of every root filesystem, mount points above all. */

import type { Entry, Unit } from "../../reg/manifest.ts";
import { stageContent } from "./capture.ts";
import type { Staging } from "./staging.ts";
import { sortEntries } from "./unit.ts";

const DIRECTORIES: Readonly<Record<string, number>> = {
  dev: 0o755,
  etc: 0o755,
  proc: 0o755,
  run: 0o755,
  sys: 0o755,
  tmp: 0o1777,
};
/** Empty ones, over which engines mount their own. */
const FILES = ["etc/hostname", "etc/hosts", "etc/resolv.conf"];

const OWNER = { uid: 0, gid: 0 };

/** The same for every environment that this version makes; an environment's own files go before it. */
export function stageBase(staging: Staging): Unit {
  const entries: Entry[] = Object.entries(DIRECTORIES).map(([path, mode]) => ({
    type: "directory",
    path,
    mode,
    ...OWNER,
  }));
  for (const path of FILES) entries.push(stageContent(staging, path, new Uint8Array(), 0o644));
  return { name: "base", version: "1", entries: sortEntries(entries) };
}
