/**
 * The driver `overlay2` of Docker and its twin in containers/storage: a layer is a directory <id>/ with its content in diff/, a short name
 * for mount options in `link`, and the short names of those below it in `lower`. Any of these names in a mount table means that the
 * layer, and all below it, are in use: an overlay names its upper and lower directories in its options, a bind mount what it shows as
 * its root. So the layers below are found even where a mount names them in a way that tells nothing.
 */
import * as fs from "node:fs";
import type { MountTable } from "../../mount-tables.ts";

const ID = /^[0-9a-z]{64}(-init)?$/;
const LINK = /^[0-9A-Z]{26}$/;

/** Names of layers' directories below `base` that are part of something mounted. */
export function mountedLayers(base: string, mountTables: readonly MountTable[]): Set<string> {
  const words = wordsOf(mountTables);
  const idOf = new Map<string, string>();
  const ids = fs.readdirSync(base).filter((name) => ID.test(name));
  for (const id of ids) {
    const link = readShort(`${base}/${id}/link`);
    if (link !== undefined && LINK.test(link)) idOf.set(link, id);
  }
  const mounted = new Set<string>();
  const add = (id: string) => {
    if (mounted.has(id)) return;
    mounted.add(id);
    for (const name of (readShort(`${base}/${id}/lower`) ?? "").split(":")) {
      const lower = idOf.get(name.replace(/^l\//, ""));
      if (lower !== undefined) mounted.add(lower); // `lower` lists all that are below, so theirs need not be read
    }
  };
  for (const id of ids) if (words.has(id)) add(id);
  for (const [link, id] of idOf) if (words.has(link)) add(id);
  return mounted;
}

/** What stands between the separators of paths and options. */
function wordsOf(mountTables: readonly MountTable[]): Set<string> {
  const words = new Set<string>();
  for (const { text } of mountTables) for (const [word] of text.matchAll(/[0-9A-Za-z-]{26,}/g)) words.add(word);
  return words;
}

/** A small file, undefined when there is none or when it is something else. */
export function readShort(path: string): string | undefined {
  try {
    const status = fs.lstatSync(path);
    if (!status.isFile() || status.size > 1_048_576) return undefined;
    return fs.readFileSync(path, "utf8").trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ENOTDIR") return undefined; // removed meanwhile, or the lowest layer
    throw error;
  }
}

/**
 * A mount that names layers by descriptors alone: nobody else can say what they are. Returns its mount point. What has an upper directory
 * too is known by that.
 */
export function namelessOverlay(mountTables: readonly MountTable[]): string | undefined {
  for (const { text } of mountTables)
    for (const line of text.split("\n")) {
      if (!line.includes(" - overlay ") || line.includes("upperdir=")) continue;
      if (/lowerdir\+?=(\/proc\/self\/fd\/|\/dev\/fd\/)/.test(line)) return line.split(" ")[4] ?? "";
    }
  return undefined;
}
