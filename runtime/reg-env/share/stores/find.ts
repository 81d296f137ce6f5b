/** The image stores of a machine, or at a path: their kind is seen from what is in them. */
import * as fs from "node:fs";
import { resolve } from "node:path";
import { RegError } from "../../../errors/errors.ts";
import { containerdStore } from "./containerd.ts";
import { containersStorage } from "./containers-storage.ts";
import { dockerStore } from "./docker.ts";
import type { ImageStore } from "./store.ts";

/** The stores at `root`: Docker may have two. Throws RegError where there is none. */
export function storesAt(root: string): ImageStore[] {
  const stores = findAt(resolve(root));
  if (stores.length > 0) return stores;
  throw new RegError("ENOENT", `there is no image store at ${root}`, {
    hint: "Podman's is usually /var/lib/containers/storage, Docker's /var/lib/docker, containerd's /var/lib/containerd; what can be shared is what is kept for overlay",
  });
}

/** The stores in the usual places, for root or for a user. */
export function usualStores(): ImageStore[] {
  return usualRoots().flatMap(findAt);
}

function findAt(root: string): ImageStore[] {
  return [
    containersStorage(root),
    dockerStore(root),
    containerdStore(root),
    containerdStore(`${root}/containerd/daemon`, "docker"),
  ].filter((store) => store !== undefined);
}

function usualRoots(): string[] {
  if (isHostRoot()) return ["/var/lib/containers/storage", "/var/lib/docker", "/var/lib/containerd"];
  const data = process.env.XDG_DATA_HOME ?? `${process.env.HOME ?? ""}/.local/share`;
  return [`${data}/containers/storage`];
}

/** Not as in `podman unshare`, where a user is root too. */
export function isHostRoot(): boolean {
  return process.getuid?.() === 0 && /^ *0 +0 +4294967295$/m.test(fs.readFileSync("/proc/self/uid_map", "utf8"));
}
