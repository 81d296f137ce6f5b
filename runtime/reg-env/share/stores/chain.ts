/** The names of an image's layers, each with all that are below it. */
import { createHash } from "node:crypto";
import { isObject, type Json, stringsOf } from "./json.ts";

/** From an image's configuration, the lowest layer first, in hexadecimal. Source: image-spec config.md, "Layer ChainID". */
export function chainIds(configuration: Json): string[] {
  const rootfs = configuration.rootfs;
  const chains: string[] = [];
  for (const diff of isObject(rootfs) ? stringsOf(rootfs, "diff_ids") : []) {
    const below = chains.at(-1);
    chains.push(
      below === undefined
        ? diff.replace(/^sha256:/, "")
        : createHash("sha256").update(`sha256:${below} ${diff}`).digest("hex"),
    );
  }
  return chains;
}
