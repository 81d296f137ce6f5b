/** Fonts, for whatever draws text: fontconfig looks for them by what is there, so no file names any. Source: fonts-conf(5). */
import type { Rule } from "../collector.ts";
import { sizeBelow } from "../folder-size.ts";

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
      const isSmall = sizeBelow(folder, MOST_BYTES, collector.root) <= MOST_BYTES;
      collector.addTree(folder, asker, (file, stats) => isSmall || stats.isDirectory() || PREFERRED.test(file));
      if (!isSmall)
        collector.warnings.add(
          `of the many fonts in ${folder} only the usual ones come in (--include ${folder} for all)`,
        );
    }
  },
};
