/** How much is below a folder of a root. */
import type { Root } from "./root.ts";

/** Bytes of all files below it; counting stops above `most`. */
export function sizeBelow(folder: string, most: number, root: Root): number {
  let bytes = 0;
  const waiting = root.isDirectory(folder) ? [folder] : [];
  for (const each of waiting)
    for (const name of root.list(each)) {
      const found = root.locate(`${each}/${name}`);
      if (found?.stats.isDirectory() === true) waiting.push(found.path);
      else bytes += found?.stats.size ?? 0;
      if (bytes > most) return bytes;
    }
  return bytes;
}
