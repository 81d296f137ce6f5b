/** A store with environments made by hand, for tests of what the runtime makes of them; `reg-env` is tested elsewhere. */
import { createHash } from "node:crypto";
import { chmodSync, mkdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeRootfs } from "../fixtures/bundle.ts";
import type { Fixture } from "../fixtures/fixture.ts";

/** The environment of every such store: busybox, and the mount points of the default config. */
export const ENVIRONMENT = "small@1";

export interface Store {
  readonly path: string;
  /** The environment's tree. */
  readonly tree: string;
}

export function makeStore(fixture: Fixture, domain = "default"): Store {
  const path = fixture.path("store");
  const directory = join(path, domain);
  for (const folder of ["objects", "units", "environments", "trees", "tmp"])
    mkdirSync(join(directory, folder), { recursive: true });
  writeFileSync(join(directory, "lock"), "");
  chmodSync(directory, 0o700);
  const digest = createHash("sha256").update(domain).digest("hex");
  const tree = join(directory, "trees", digest);
  const rootfs = join(directory, "tmp", "rootfs");
  makeRootfs(rootfs);
  renameSync(rootfs, tree);
  chmodSync(tree, 0o755);
  const environment = join(directory, "environments", ENVIRONMENT);
  mkdirSync(environment);
  symlinkSync(`../../trees/${digest}`, join(environment, "tree"));
  writeFileSync(join(environment, "units"), `${digest}\n`);
  return { path, tree };
}
