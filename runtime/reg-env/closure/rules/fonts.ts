/** Fonts, for whatever draws text: fontconfig looks for them by what is there, so no file names any. Source: fonts-conf(5). */
import type { Collector, Rule } from "../collector.ts";

const FOLDERS = ["/usr/share/fonts", "/usr/local/share/fonts"];
/** More than a handful of families has: collections for all scripts of the world are ten times as large. */
const MOST_BYTES = 48 * 1024 * 1024;
/** What fontconfig's own configuration prefers, for when there is more. */
const PREFERRED = /\/(dejavu|liberation|urw-base35|gsfonts)[^/]*(\/|$)/;

export const fonts: Rule = {
  name: "fonts",
  apply({ path, elf }, collector) {
    if (elf?.soname === undefined || !/^libfontconfig\.so/.test(elf.soname)) return;
    const asker = { rule: "fonts", from: path, text: `${path} looks for fonts`, as: "data" } as const;
    for (const folder of FOLDERS) {
      const isSmall = sizeOf(folder, collector) <= MOST_BYTES;
      collector.addTree(folder, asker, (file, stats) => isSmall || stats.isDirectory() || PREFERRED.test(file));
      if (!isSmall)
        collector.warnings.add(
          `of the many fonts in ${folder} only the usual ones come in (--include ${folder} for all)`,
        );
    }
  },
};

function sizeOf(folder: string, { root }: Collector): number {
  let bytes = 0;
  const waiting = root.isDirectory(folder) ? [folder] : [];
  for (const each of waiting)
    for (const name of root.list(each)) {
      const found = root.locate(`${each}/${name}`);
      if (found?.stats.isDirectory() === true) waiting.push(found.path);
      else bytes += found?.stats.size ?? 0;
    }
  return bytes;
}
