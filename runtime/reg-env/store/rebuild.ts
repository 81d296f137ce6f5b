/**
 * Trees made anew of their units, after an object was replaced or a tree was damaged. Containers that run go on in the old one, which is kept
 * beside the new one, as trees/<digest>.replaced-..., for as long as the kernel knows a mount of either.
 */
import * as fs from "node:fs";
import { RegError } from "../../errors/errors.ts";
import { checked } from "../../libc/call.ts";
import * as C from "../../libc/constants.ts";
import { libc } from "../../libc/libc.ts";
import { cString } from "../../libc/memory.ts";
import { treePath } from "../../reg/layout.ts";
import { makeTree, readUnit } from "../../reg/tree.ts";
import { listTrees, unitsOfTree } from "./contents.ts";

const REPLACED = /^([0-9a-f]{64})\.replaced-/;

/** Rebuilds every tree that has one of these objects. The caller holds the store's shared lock. */
export function rebuildTreesWith(storeDir: string, objects: ReadonlySet<string>): void {
  const known = new Map<string, boolean | undefined>();
  /** undefined for a unit that can not be read: verify tells of it. */
  const hasOne = (unit: string) => {
    if (!known.has(unit)) known.set(unit, unitHasOne(storeDir, unit, objects));
    return known.get(unit);
  };
  for (const digest of listTrees(storeDir)) {
    const answers = unitsOfTree(storeDir, digest).map(hasOne);
    if (answers.includes(true) && !answers.includes(undefined)) rebuildTree(storeDir, digest);
  }
}

function unitHasOne(storeDir: string, unit: string, objects: ReadonlySet<string>): boolean | undefined {
  try {
    return readUnit(storeDir, unit).entries.some((entry) => entry.type === "file" && objects.has(entry.object));
  } catch (error) {
    if (error instanceof RegError) return undefined;
    throw error;
  }
}

/** Its units have to be whole. */
export function rebuildTree(storeDir: string, digest: string): void {
  const made = makeTree(storeDir, unitsOfTree(storeDir, digest));
  const path = treePath(storeDir, digest);
  // It gets the name first under which gc looks for it: a kill in between leaves nothing that is mounted in tmp/.
  const aside = `${path}.replaced-${process.pid}-${process.hrtime.bigint()}`;
  fs.renameSync(made, aside);
  checked(
    libc.syscall(C.SYS_renameat2, C.AT_FDCWD, cString(aside), C.AT_FDCWD, cString(path), C.RENAME_EXCHANGE),
    "renameat2(2)",
    path,
  );
}

/** Trees that were replaced, by the names in trees/, with their digests. */
export function listReplaced(storeDir: string): { readonly name: string; readonly digest: string }[] {
  return fs.readdirSync(`${storeDir}/trees`).flatMap((name) => {
    const digest = REPLACED.exec(name)?.[1];
    return digest === undefined ? [] : [{ name, digest }];
  });
}
