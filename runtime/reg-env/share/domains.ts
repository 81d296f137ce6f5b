/** Which layers share with which: images that were named as a domain share among themselves, and with nobody else. */
import type { MountTable } from "../mount-tables.ts";
import type { Exclusion, ImageStore } from "./stores/store.ts";

/**
 * The domain of each layer, by its id: a word that says which of the selections it is in. A layer of two tenants' images is in both, and shares
 * with those that are in both as well.
 */
export function domainsOf(
  store: ImageStore,
  selections: readonly Exclusion[],
  tables: readonly MountTable[],
): (layer: string) => string {
  // What a store would leave out is what the selection means.
  const selected = selections.map(
    (selection) =>
      new Set(store.read([selection], tables).layers.flatMap(({ id, state }) => (state === "excluded" ? [id] : []))),
  );
  return (layer) => selected.map((ids) => (ids.has(layer) ? "1" : "0")).join("");
}
