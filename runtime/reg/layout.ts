/**
 * Where things are in a store. A sharing domain is a complete store of its own, so that nothing in it, and no page of memory,
 * is shared with another domain:
 *
 *   <store>/<domain>/                    mode 0700
 *     lock                               flock(2): shared by whoever adds or uses, exclusive by gc
 *     objects/ab/<62 hexadecimal digits> files, named by the digest of content, owner, mode and extended attributes
 *     units/<digest>.json                lists of entries, named by the digest of their text
 *     environments/<name>@<version>/     `units` (digests, one a line), `tree` (symlink), manifest.json, reasons.json
 *     trees/<digest>/                    a root filesystem of hard links, named by the digest of its units
 *     trees/<digest>.units               those units, one a line, for verify and gc
 *     tmp/                               what is not finished
 */
import { RegError } from "../errors/errors.ts";
import { type EnvironmentName, formatEnvironmentName } from "./name.ts";

export const DEFAULT_STORE = "/var/lib/reg";
export const DEFAULT_DOMAIN = "default";

const DOMAIN = /^[a-z0-9][a-z0-9._-]{0,62}$/;

/** Throws RegError EINVAL for what can not be the name of a sharing domain. */
export function checkDomain(domain: string): void {
  if (DOMAIN.test(domain) && !domain.includes("..")) return;
  throw new RegError("EINVAL", `sharing domain ${JSON.stringify(domain.slice(0, 64))} is no good name`, {
    hint: "use up to 63 lower-case letters, digits and . _ -, beginning with a letter or digit",
  });
}

/** The directory of a domain, which the other functions take. */
export function storeDirectory(store: string, domain: string): string {
  checkDomain(domain);
  if (!store.startsWith("/")) throw new RegError("EINVAL", `store ${JSON.stringify(store)} is not an absolute path`);
  return `${store.replace(/\/+$/, "")}/${domain}`;
}

/** How errors name the store: "the store /var/lib/reg, domain default". */
export function describeStore(storeDir: string): string {
  const slash = storeDir.lastIndexOf("/");
  return `the store ${storeDir.slice(0, slash) || "/"}, domain ${storeDir.slice(slash + 1)}`;
}

export const FOLDERS = ["objects", "units", "environments", "trees", "tmp"] as const;

export const lockPath = (storeDir: string) => `${storeDir}/lock`;
/** Below the store's directory. */
export const objectName = (key: string) => `objects/${key.slice(0, 2)}/${key.slice(2)}`;
export const objectPath = (storeDir: string, key: string) => `${storeDir}/${objectName(key)}`;
export const unitPath = (storeDir: string, digest: string) => `${storeDir}/units/${digest}.json`;
export const treePath = (storeDir: string, digest: string) => `${storeDir}/trees/${digest}`;
export const environmentPath = (storeDir: string, environment: EnvironmentName) =>
  `${storeDir}/environments/${formatEnvironmentName(environment)}`;

/** Whether this is the name of a unit or a tree. */
export function isDigest(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}
