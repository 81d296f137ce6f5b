/** /etc/ld.so.conf: folders of libraries, one a line, with `include GLOB` lines. Source: ldconfig(8). */
import { dirname, join } from "node:path";
import { hasWildcard, parsePattern } from "../glob.ts";
import type { Root } from "../root.ts";

/** More files than any system has; each costs the others nothing but its own text. */
const MOST_FILES = 1000;

/** The folders in order, each once; none when there is no such file. */
export function readConf(root: Root, path = "/etc/ld.so.conf"): string[] {
  const folders = new Set<string>();
  readInto(root, path, folders, new Set());
  return [...folders];
}

/** `seen`: the files that were read. One that is included again adds nothing, and may include those that include it. */
function readInto(root: Root, path: string, folders: Set<string>, seen: Set<string>): void {
  if (seen.has(path) || seen.size === MOST_FILES) return;
  seen.add(path);
  for (const line of root.readText(path)?.split("\n") ?? []) {
    const words = line.replace(/#.*/, "").trim();
    const [keyword, ...patterns] = words.split(/\s+/);
    if (keyword === "include") {
      for (const pattern of patterns)
        for (const file of expand(root, pattern.startsWith("/") ? pattern : join(dirname(path), pattern)))
          readInto(root, file, folders, seen);
    } else if (keyword === "hwcap" || words === "") continue;
    // `folder=TYPE` is libc5's.
    else for (const folder of words.split(/[\s:,]+/)) folders.add(folder.replace(/=.*$/, "").replace(/(.)\/+$/, "$1"));
  }
}

/** Wildcards in the last part of the path only. */
function expand(root: Root, pattern: string): string[] {
  if (!hasWildcard(pattern)) return [pattern];
  const folder = dirname(pattern);
  const matcher = parsePattern(pattern);
  return root
    .list(folder)
    .map((name) => join(folder, name))
    .filter((path) => matcher.test(path));
}
