/**
 * Node.js as Debian builds it: parts of its own library are files below /usr/share/nodejs, whose paths are compiled in.
 */
import { basename } from "node:path";
import type { Rule } from "../collector.ts";
import { stringsOf } from "../strings.ts";

export const node: Rule = {
  name: "node",
  apply({ path, elf, process }, collector) {
    if (elf === undefined || process === undefined || process.program.path !== path) return;
    const library = process.objects.find((object) => [...object.names].some((name) => name.startsWith("libnode.so")));
    if (library === undefined && basename(path) !== "node" && basename(path) !== "nodejs") return;
    const file = library?.path ?? path;
    for (const part of stringsOf(
      collector.root.hostPath(file),
      "/nodejs/",
      /^\/usr\/(share|lib)\/nodejs\/[\w./@-]+\.js$/,
    ))
      collector.add(part, { rule: "node", from: file, text: `${file} reads this part of its own library`, as: "data" });
  },
};
