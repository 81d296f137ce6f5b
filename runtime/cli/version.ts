/**
 * `reg --version`: lines of `NAME: VALUE` after `reg version X`, as runc and crun have them. Docker reads the name and the
 * version from the line with the word "version", and the commit; containerd's go-runc takes only runc's own, and leaves
 * its fields empty for others; Podman shows the text.
 */
import { host } from "#host";
import type { FeaturesOptions } from "../oci/features.ts";
import { print } from "./output.ts";

export const VERSION = "0.2.0";
export const SPEC_VERSION = "1.3.0";

/** Set by native-shim/build.sh. */
declare const REG_COMMIT: string | undefined;
declare const REG_ENGINE: string | undefined;
declare const REG_LIBSECCOMP: string | undefined;

/** The commit that was built, "-dirty" behind it when files differed; undefined outside of a checkout. */
export const COMMIT = typeof REG_COMMIT === "undefined" || REG_COMMIT === "" ? undefined : REG_COMMIT;

/** What runs the TypeScript. */
export const ENGINE =
  host.kind === "node" ? "Node.js" : `QuickJS-NG ${typeof REG_ENGINE === "undefined" ? "" : REG_ENGINE}`;

/** The version of libseccomp in this program; undefined on Node, where the native binary compiles filters. */
export const LIBSECCOMP = typeof REG_LIBSECCOMP === "undefined" ? undefined : REG_LIBSECCOMP;

/** What `features` says about this program. */
export function about(): FeaturesOptions {
  return {
    version: VERSION,
    specVersion: SPEC_VERSION,
    ...(COMMIT === undefined ? {} : { commit: COMMIT }),
    ...(LIBSECCOMP === undefined ? {} : { libseccomp: LIBSECCOMP }),
  };
}

export function versionText(): string {
  const commit = COMMIT === undefined ? "" : `commit: ${COMMIT}\n`;
  const libseccomp = LIBSECCOMP === undefined ? "" : `libseccomp: ${LIBSECCOMP}\n`;
  return `reg version ${VERSION}\n${commit}spec: ${SPEC_VERSION}\nengine: ${ENGINE.trim()}\n${libseccomp}`;
}

export function showVersion(): void {
  print(versionText());
}
