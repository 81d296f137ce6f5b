/**
 * Rules of config.json that need more than a type: what the schema cannot say, and what runc or crun refuse before they
 * make anything. Pure. On the way to every container, so the tables are strings and nothing is built before a fault.
 * What depends on the host (is this path a network namespace, is the cgroup v2) is for the plan, not here.
 *
 * Sources: runtime-spec config.md and config-linux.md; the manual page named at each rule.
 */

import { type CheckFault, escapePointer, Faults } from "./check/faults.ts";
import { linuxRules } from "./check/linux.ts";
import { mountRules } from "./check/mounts.ts";
import { Namespaces } from "./check/namespaces.ts";
import { processRules } from "./check/process.ts";
import { hostConfigRules, regRules } from "./check/reg.ts";
import { resourceRules } from "./check/resources.ts";
import type { Config, Hook, HostConfig, LinuxResources, Mount, Process, Reg } from "./config.ts";
import { hasWord } from "./words.ts";

/** Faults of config.json that its schema does not see. */
export function check(config: Config): CheckFault[] {
  const faults = new Faults();
  if (!/^1\.\d+(\.\d+)?([-+].*)?$/.test(config.ociVersion))
    faults.add("/ociVersion", "a version 1.x of the specification", config.ociVersion);
  checkRoot(config, faults);
  if (config.process !== undefined) processRules(config.process, "/process", faults);
  const { linux = {} } = config;
  const namespaces = new Namespaces(linux);
  utsRules(config, namespaces, faults);
  const { mounts = [] } = config;
  for (let index = 0; index < mounts.length; index++)
    mountRules(mounts[index] as Mount, `/mounts/${index}`, namespaces, faults);
  hookRules(config, faults);
  linuxRules(config, linux, namespaces, faults);
  if (config.reg !== undefined) regRules(config.reg, "/reg", faults);
  return faults.list;
}

/** Faults of the document that `exec --process` reads. */
export function checkProcess(process: Process): CheckFault[] {
  const faults = new Faults();
  processRules(process, "", faults);
  return faults.list;
}

/** Faults of the document that `update --resources` reads. */
export function checkResources(resources: LinuxResources): CheckFault[] {
  const faults = new Faults();
  resourceRules(resources, "", faults);
  return faults.list;
}

/** Faults of the Reg extension that annotations make up. */
export function checkReg(reg: Reg): CheckFault[] {
  const faults = new Faults();
  regRules(reg, "", faults);
  return faults.list;
}

/** Faults of the host's configuration. */
export function checkHostConfig(config: HostConfig): CheckFault[] {
  const faults = new Faults();
  hostConfigRules(config, faults);
  return faults.list;
}

/** Strings with a NUL byte, which the kernel would cut short. Only for a text that has the escape: it walks everything. */
export function checkNul(document: unknown): CheckFault[] {
  const faults = new Faults();
  const pending: [pointer: string, value: unknown][] = [["", document]];
  for (let entry = pending.pop(); entry !== undefined; entry = pending.pop()) {
    const [pointer, value] = entry;
    if (hasWord(NUL_ALLOWED, pointer)) continue;
    if (typeof value === "string") {
      if (value.includes("\0")) faults.add(pointer, "a string without NUL bytes", value);
    } else if (typeof value === "object" && value !== null) {
      const keys = Object.keys(value).reverse();
      for (const key of keys) {
        const below = `${pointer}/${escapePointer(key)}`;
        if (key.includes("\0")) faults.add(below, "a name without NUL bytes", key);
        else pending.push([below, (value as Record<string, unknown>)[key]]);
      }
    }
  }
  return faults.list;
}

/** Never given to the kernel as a string. */
const NUL_ALLOWED = " /annotations /linux/seccomp/listenerMetadata /windows /solaris /vm /zos /freebsd ";

function checkRoot(config: Config, faults: Faults): void {
  if ((config.root?.path ?? "") !== "" || config.reg !== undefined) return;
  for (const name in config.annotations) if (name.startsWith("org.reg.")) return;
  if (config.root === undefined) faults.add("/root", "the root filesystem", undefined);
  else faults.add("/root/path", "the path of the root filesystem", config.root.path);
}

function utsRules(config: Config, namespaces: Namespaces, faults: Faults): void {
  for (const field of ["hostname", "domainname"] as const) {
    const name = config[field];
    if (name === undefined || name === "") continue;
    if (!namespaces.has("uts")) faults.add(`/${field}`, `no ${field} without a namespace of type uts`, name);
    if (name.length > 64) faults.add(`/${field}`, "at most 64 bytes", name); // uname(2)
  }
}

function hookRules({ hooks = {} }: Config, faults: Faults): void {
  for (const [kind, list] of Object.entries(hooks) as [string, readonly Hook[]][]) {
    if (!hasWord(" prestart createRuntime createContainer startContainer poststart poststop ", kind)) continue;
    for (let index = 0; index < list.length; index++) {
      const { path, timeout } = list[index] as Hook;
      if (!path.startsWith("/")) faults.add(`/hooks/${kind}/${index}/path`, "an absolute path", path);
      if (timeout !== undefined && timeout <= 0)
        faults.add(`/hooks/${kind}/${index}/timeout`, "a number of seconds above 0", timeout);
    }
  }
}
