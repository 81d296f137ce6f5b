/** A closure as a folder, without a store: links to the root's own files, which nobody may write to. */
import {
  chmodSync,
  copyFileSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { Closure } from "../../runtime/reg-env/closure/closure.ts";

export function materialize(closure: Closure, folder: string): void {
  for (const { path } of closure.files.values()) {
    const from = join(closure.root, path);
    const to = join(folder, path);
    const stats = lstatSync(from);
    mkdirSync(stats.isDirectory() ? to : dirname(to), { recursive: true });
    if (stats.isSymbolicLink()) symlinkSync(readlinkSync(from), to);
    else if (stats.isFile()) linkOrCopy(from, to);
  }
  for (const [path, { content, mode }] of closure.generated) {
    mkdirSync(join(folder, dirname(path)), { recursive: true });
    writeFileSync(join(folder, path), content);
    chmodSync(join(folder, path), mode);
  }
}

function linkOrCopy(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch {
    copyFileSync(from, to);
  }
}
