/** `reg-env share --undo`: what layers have in common by links becomes a file of each layer's own again. */
import * as fs from "node:fs";
import { RegError } from "../../errors/errors.ts";
import { checked } from "../../libc/call.ts";
import * as C from "../../libc/constants.ts";
import { close, open } from "../../libc/file.ts";
import { libc } from "../../libc/libc.ts";
import { copyEntry } from "../../linux/copy-tree.ts";
import { type Bytes, toText } from "./bytes.ts";
import { split } from "./directories.ts";
import { inPages, isSame, pathOf } from "./plan.ts";
import type { Done } from "./replace.ts";
import type { Inode, Scan } from "./scan.ts";
import type { Layer } from "./stores/store.ts";
import type { Workplace } from "./workplace.ts";

/** The names that a file has in one layer, which become a copy. */
export interface Copy {
  readonly inode: Inode;
  readonly layer: number;
  readonly paths: readonly Bytes[];
}

/**
 * All that has to be copied so that no file is in two layers: the names in mounted layers stay what they are, or those in the first one.
 * Files that have links elsewhere are left alone.
 */
export function findCopies(scan: Scan, layers: readonly Layer[]): Copy[] {
  return scan.inodes.flatMap((inode) => {
    if (inode.links === 1 || inode.names.length !== inode.links) return [];
    const pathsOf = new Map<number, Bytes[]>();
    for (const { layer, path } of inode.names) {
      const paths = pathsOf.get(layer);
      if (paths === undefined) pathsOf.set(layer, [path]);
      else paths.push(path);
    }
    const free = [...pathsOf.keys()].filter((layer) => layers[layer]?.state === "free");
    const stays = free.length === pathsOf.size ? free.slice(1) : free;
    return stays.map((layer) => ({ inode, layer, paths: (pathsOf.get(layer) ?? []).sort() }));
  });
}

export interface UndoSurroundings {
  readonly layers: readonly Layer[];
  readonly workplace: Workplace;
  readonly mayChange: (layer: number) => boolean;
  readonly done: Done;
}

/** Carries out a batch. The engine's lock is held. */
export function copyAll(copies: readonly Copy[], { layers, workplace, mayChange, done }: UndoSurroundings): void {
  const ready: { readonly copy: Copy; readonly links: readonly string[]; readonly paths: readonly Bytes[] }[] = [];
  const folder = open(workplace.folder, C.O_RDONLY | C.O_DIRECTORY);
  try {
    for (const copy of copies) {
      const paths = copy.paths.map((path) => pathOf({ layer: copy.layer, path }, layers));
      const links = mayChange(copy.layer) ? makeCopy(copy.inode, paths, workplace, folder) : undefined;
      if (links === undefined) done.changed++;
      else ready.push({ copy, links, paths });
    }
    // The content has to be on the disk before the names are.
    checked(libc.syncfs(folder), "syncfs(2)", "the image store");
  } finally {
    close(folder);
  }
  const several = ready
    .filter(({ paths }) => paths.length > 1)
    .map(({ copy, links, paths }) => ({ paths, from: copy.inode.number, to: fs.lstatSync(links[0] ?? "").ino }));
  workplace.batch(
    ready.flatMap(({ paths }) => paths),
    several,
    () => {
      for (const { copy, links, paths } of ready) {
        if (!putAll(links, paths, copy.inode.number, workplace)) {
          done.changed++;
          continue;
        }
        done.files += paths.length;
        done.diskBytes += copy.inode.diskBytes;
        done.cacheBytes += inPages(copy.inode.sizeBytes);
      }
    },
  );
}

/** False when the layer is gone. */
function putAll(links: readonly string[], paths: readonly Bytes[], inode: number, workplace: Workplace): boolean {
  try {
    for (const [index, path] of paths.entries()) workplace.exchange(links[index] ?? "", path, inode);
    return true;
  } catch (error) {
    if ((error as { code?: string }).code !== "ENOENT") throw error;
    for (const link of links) fs.rmSync(link, { force: true });
    return false;
  }
}

/** A copy, under as many names as it will have; undefined when the file is not what it was. */
function makeCopy(inode: Inode, paths: readonly Bytes[], workplace: Workplace, folder: number): string[] | undefined {
  const [first] = paths;
  if (first === undefined) return undefined;
  try {
    const [directory, name] = split(first);
    // Other copies of it have been renamed away, which changes ctime; all else has to be as it was.
    const status = fs.lstatSync(workplace.directories.file(directory, name), { bigint: true });
    if (!isSame({ ...inode, ctimeNs: status.ctimeNs }, status)) return undefined;
    const [link, ...links] = paths.map(() => workplace.temporary());
    if (link === undefined) return undefined;
    copyEntry(workplace.directories.open(directory), toText(name), folder, link.slice(link.lastIndexOf("/") + 1));
    for (const other of links) fs.linkSync(link, other);
    return [link, ...links];
  } catch (error) {
    const { code = "" } = error as { code?: string };
    if (code === "ENOENT" || code === "ENOTDIR" || code === "ELOOP") return undefined; // the layer is gone
    if (code === "ENOSPC" || code === "EDQUOT")
      throw new RegError(code, `copy a file in the image store: no space left (${code})`, {
        hint: "--undo needs the space that sharing had gained; what is done is done, the rest is still shared",
        cause: error,
      });
    throw error;
  }
}
