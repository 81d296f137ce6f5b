/** What an environment is made of, as a bill of materials: its units as packages, each with why it is in. Source: SPDX 2.3. */
import { type EnvironmentName, formatEnvironmentName } from "../../reg/name.ts";
import { readUnit } from "../../reg/tree.ts";
import { readManifest, readReasons } from "../store/environment.ts";
import { FIXED_MTIME } from "../store/header.ts";
import type { Store } from "../store/store.ts";

/** SPDX's JSON. The same environment gives the same text. */
export function billOfMaterials(store: Store, name: EnvironmentName): object {
  const manifest = readManifest(store, name);
  const reasons = readReasons(store, name);
  const id = (digest: string) => `SPDXRef-Package-${digest.slice(0, 16)}`;
  const packages = manifest.units.map(({ name: unit, version, digest }) => {
    const { entries } = readUnit(store.directory, digest);
    const files = entries.filter(({ type }) => type === "file");
    const first = files.find(({ path }) => reasons[`/${path}`] !== undefined);
    const reason = first === undefined ? undefined : reasons[`/${first.path}`]?.text;
    return {
      SPDXID: id(digest),
      name: unit,
      versionInfo: version,
      downloadLocation: "NOASSERTION",
      filesAnalyzed: false,
      comment: `${files.length} files${reason === undefined ? "" : `; /${first?.path}: ${reason}`}`,
      checksums: [{ algorithm: "SHA256", checksumValue: digest }],
    };
  });
  return {
    spdxVersion: "SPDX-2.3",
    dataLicense: "CC0-1.0",
    SPDXID: "SPDXRef-DOCUMENT",
    name: formatEnvironmentName(name),
    documentNamespace: `urn:reg:environment:${manifest.tree}`,
    creationInfo: {
      created: new Date(FIXED_MTIME * 1000).toISOString().replace(".000", ""),
      creators: ["Tool: reg-env"],
    },
    packages,
    relationships: manifest.units.map(({ digest }) => ({
      spdxElementId: "SPDXRef-DOCUMENT",
      relationshipType: "DESCRIBES",
      relatedSpdxElement: id(digest),
    })),
  };
}
