/**
 * Makes a damaged store whole again while it is used: objects get their content from root filesystems that have the same file, trees are
 * built anew. Who shares an object need not be gone: each tree changes as a whole, and containers that run keep the old one.
 */
import * as fs from "node:fs";
import { ENOENT, ENOTDIR } from "../../errors/errno.ts";
import { RegError } from "../../errors/errors.ts";
import * as C from "../../libc/constants.ts";
import { isErrno, open, openat2, withFd } from "../../libc/file.ts";
import { objectPath, treePath } from "../../reg/layout.ts";
import type { FileEntry } from "../../reg/manifest.ts";
import { readUnit, treeDigest, treeOf } from "../../reg/tree.ts";
import { listEnvironments, listUnits, unitsOfEnvironment, unitsOfTree } from "./contents.ts";
import { rebuildTree, rebuildTreesWith } from "./rebuild.ts";
import { Staging } from "./staging.ts";
import { type Store, withShared } from "./store.ts";
import type { StoreFault } from "./verify.ts";

const ELOOP = 40;

/**
 * Repairs what verify found, as far as `roots` (directories) have the files; verify says afterwards what is left. Units and manifests have no
 * second copy: their environments have to be made again.
 */
export function repairStore(store: Store, faults: readonly StoreFault[], roots: readonly string[]): Promise<void> {
  return withShared(store, () => {
    const objects = new Set(faults.flatMap(({ object }) => (object === undefined ? [] : [object])));
    const missing = new Set([...objects].filter((key) => !fs.existsSync(objectPath(store.directory, key))));
    const staging = new Staging(store);
    try {
      const entries = entriesOf(store, objects);
      for (const root of roots)
        withFd(open(root, C.O_RDONLY | C.O_DIRECTORY), (fd) => {
          for (const entry of entries) takeFrom(fd, entry, staging);
        });
      staging.publish();
    } finally {
      staging.close();
    }
    // Their trees had the last link to what was the object.
    rebuildTreesWith(store.directory, missing);
    const trees = new Set(faults.flatMap(({ tree }) => (tree === undefined ? [] : [tree])));
    for (const digest of trees) repairTree(store, digest);
  });
}

/** Files of all units whose objects are among these, under every path that they have. */
function entriesOf(store: Store, objects: ReadonlySet<string>): FileEntry[] {
  if (objects.size === 0) return [];
  return listUnits(store.directory).flatMap((digest) => {
    const unit = attempt(() => readUnit(store.directory, digest));
    return (unit?.entries ?? []).filter((entry) => entry.type === "file" && objects.has(entry.object)) as FileEntry[];
  });
}

/** Stages the object if the root has that very content at that path. */
function takeFrom(root: number, entry: FileEntry, staging: Staging): void {
  if (entry.sizeBytes === 0) {
    withFd(open("/dev/null", C.O_RDONLY), (fd) => staging.addObject(entry, fd));
    return;
  }
  try {
    withFd(openat2(root, entry.path, C.O_RDONLY | C.O_NONBLOCK, C.RESOLVE_IN_ROOT | C.RESOLVE_NO_MAGICLINKS), (fd) => {
      const status = fs.fstatSync(fd);
      if (status.isFile() && status.size === entry.sizeBytes) attempt(() => staging.addObject(entry, fd));
    });
  } catch (error) {
    if (!isErrno(error, ENOENT, ENOTDIR, ELOOP)) throw error;
  }
}

function repairTree(store: Store, digest: string): void {
  const { directory } = store;
  attempt(() => {
    if (fs.existsSync(treePath(directory, digest)) && treeDigest(unitsOfTree(directory, digest)) === digest)
      rebuildTree(directory, digest);
    else {
      const lists = listEnvironments(directory).map((name) => unitsOfEnvironment(directory, name));
      const units = lists.find((each) => treeDigest(each) === digest);
      if (units !== undefined) treeOf(directory, units);
    }
  });
}

/** What can not be repaired is named by the next verify. */
function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (error instanceof RegError) return undefined;
    throw error;
  }
}
