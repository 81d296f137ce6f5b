/** Rules of the Reg extension, and of what the host's configuration allows of it. */
import type { HostConfig, Reg } from "../config.ts";
import { hasWord } from "../words.ts";
import { escapePointer, type Faults } from "./faults.ts";
import { cleanPath } from "./mounts.ts";

/** As runtime/reg/name.ts reads them. */
const ENVIRONMENT = /^[a-z0-9][a-z0-9+._-]*@[\w.+~:-]+$/;
const DOMAIN = /^[a-z0-9][a-z0-9._-]{0,62}$/;
const DOMAIN_WORDS = "up to 63 lower-case letters, digits and . _ -";

export function regRules(
  { environments, store, domain, writable, workdir }: Reg,
  pointer: string,
  faults: Faults,
): void {
  if (environments.length === 0) faults.add(`${pointer}/environments`, "at least one environment", environments);
  environments.forEach((name, index) => {
    if (!ENVIRONMENT.test(name)) faults.add(`${pointer}/environments/${index}`, "an environment, name@version", name);
  });
  if (store !== undefined && !store.startsWith("/")) faults.add(`${pointer}/store`, "an absolute path", store);
  if (domain !== undefined && !DOMAIN.test(domain)) faults.add(`${pointer}/domain`, DOMAIN_WORDS, domain);
  if (writable?.size !== undefined) {
    if (writable.type !== "tmpfs") faults.add(`${pointer}/writable/size`, "no size without type tmpfs", writable.size);
    else if (!/^\d+[kKmMgG%]?$/.test(writable.size))
      faults.add(`${pointer}/writable/size`, "a number of bytes, such as 64m", writable.size); // tmpfs(5)
  }
  if (writable?.path !== undefined && writable.type !== "directory")
    faults.add(`${pointer}/writable/path`, "no path without type directory", writable.path);
  if (workdir === undefined) return;
  const { destination } = workdir;
  if (!destination.startsWith("/")) faults.add(`${pointer}/workdir/destination`, "an absolute path", destination);
  else if (`${cleanPath(destination)}/`.startsWith("/proc/"))
    faults.add(`${pointer}/workdir/destination`, "a path outside /proc", destination);
}

/** A name that is not known would be a permission that nobody gets. */
export function hostConfigRules(config: HostConfig, faults: Faults): void {
  for (const name in config)
    if (name !== "annotations") faults.add(`/${escapePointer(name)}`, "annotations", name, " annotations ");
  const { annotations = {} } = config;
  const KNOWN = " domains stores writableDirectory workdir ";
  for (const name in annotations)
    if (!hasWord(KNOWN, name))
      faults.add(
        `/annotations/${escapePointer(name)}`,
        `one of${KNOWN.trimEnd().replaceAll(" ", ", ").slice(1)}`,
        name,
        KNOWN,
      );
  for (const [index, store] of (annotations.stores ?? []).entries())
    if (!store.startsWith("/")) faults.add(`/annotations/stores/${index}`, "an absolute path", store);
  for (const [index, domain] of (annotations.domains ?? []).entries())
    if (!DOMAIN.test(domain)) faults.add(`/annotations/domains/${index}`, DOMAIN_WORDS, domain);
}
