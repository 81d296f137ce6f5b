/** Removing trees: who is not root must be able to write a directory to empty it, and those of trees have their modes from packages. */
import * as fs from "node:fs";
import { join } from "node:path";

/** rm -rf of something in tmp/ of a store. */
export function removeTree(path: string): void {
  try {
    fs.rmSync(path, { recursive: true, force: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EACCES") throw error;
    openDirectories(path);
    fs.rmSync(path, { recursive: true, force: true });
  }
}

function openDirectories(path: string): void {
  fs.chmodSync(path, 0o700);
  for (const entry of fs.readdirSync(path, { withFileTypes: true }))
    if (entry.isDirectory()) openDirectories(join(path, entry.name));
}
