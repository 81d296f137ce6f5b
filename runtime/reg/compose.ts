/**
 * From the Reg extension of a config to what the container is made of: the tree of its environments as the lower layer of the
 * root, a layer for its writes, and the work directory as a mount. The rest of the runtime knows nothing of environments.
 */
import type { HeldComposition } from "../container/plan.ts";
import { at, RegError } from "../errors/errors.ts";
import { close } from "../libc/file.ts";
import type { Config } from "../oci/config.ts";
import { parseMountOptions } from "../oci/plan/mount-options.ts";
import { cleanPath, type MountPlan } from "../oci/plan/mounts.ts";
import type { RootLayers } from "../oci/plan/plan.ts";
import { type Extension, extensionOf } from "./extension.ts";
import { readHostConfig } from "./host-config.ts";
import { DEFAULT_DOMAIN, storeDirectory } from "./layout.ts";
import { lockShared } from "./lock.ts";
import { parseEnvironmentName } from "./name.ts";
import { openTree } from "./tree.ts";
import { believedStore, defaultStore } from "./trust.ts";

/** fsconfig(2) takes no longer string, and `reg-env gc` finds trees in use by it. */
const LONGEST_PATH = 255;

/**
 * Composes the root of a config; undefined when it has no Reg extension. `bundle` is absolute; `hostConfig` names another file
 * than HOST_CONFIG. The store is locked against its garbage collection until `release`. Throws RegError when an environment is
 * not there.
 */
export function compose(config: Config, bundle: string, hostConfig?: string): HeldComposition | undefined {
  const extension = extensionOf(config, () => readHostConfig(hostConfig));
  if (extension === undefined) return undefined;
  const { reg, pointer } = extension;
  const field = pointer("environments");
  const store = at(pointer("store"), () =>
    believedStore(storeDirectory(reg.store ?? defaultStore(), reg.domain ?? DEFAULT_DOMAIN)),
  );
  const lock = at(pointer("store"), () => lockShared(store));
  try {
    const { path: lower } = at(field, () => openTree(store, reg.environments.map(parseEnvironmentName)));
    if (lower.length > LONGEST_PATH)
      throw new RegError("ENAMETOOLONG", `the path ${lower} is longer than ${LONGEST_PATH} bytes`, {
        field: pointer("store"),
        hint: "move the store",
      });
    const upper = upperOf(extension, bundle);
    return {
      layers: { lower, field, ...(upper === undefined ? {} : { upper }) },
      mounts: workdirMount(extension, bundle),
      release: () => close(lock),
    };
  } catch (error) {
    close(lock);
    throw error;
  }
}

function upperOf({ reg: { writable }, confined }: Extension, bundle: string): RootLayers["upper"] {
  if (writable === undefined || writable.type === "none") return undefined;
  if (writable.type === "directory") {
    const path = inBundle(writable.path ?? "writable", bundle);
    return { type: "directory", path, ...(confined ? { within: bundle } : {}) };
  }
  return { type: "tmpfs", ...(writable.size === undefined ? {} : { size: writable.size }) };
}

function workdirMount({ reg: { workdir }, pointer, confined }: Extension, bundle: string): MountPlan[] {
  if (workdir === undefined) return [];
  const options = parseMountOptions(["rbind", workdir.readonly === true ? "ro" : "rw"]);
  const source = inBundle(workdir.source, bundle);
  const destination = cleanPath(workdir.destination);
  const within = confined ? { within: bundle } : {};
  return [{ kind: "bind", source, destination, options, field: pointer("workdir"), ...within }];
}

function inBundle(path: string, bundle: string): string {
  return cleanPath(path.startsWith("/") ? path : `${bundle}/${path}`);
}
