/** Rules of /linux. */
import type { Config, Linux, MemoryPolicy, NamespaceType } from "../config.ts";
import { sysctlFile } from "../sysctl-name.ts";
import { hasWord } from "../words.ts";
import { isCpuList } from "./cpu-list.ts";
import { escapePointer, type Faults, show } from "./faults.ts";
import { type Namespaces, namespaceRules } from "./namespaces.ts";
import { resourceRules } from "./resources.ts";
import { seccompRules } from "./seccomp.ts";

export function linuxRules(config: Config, linux: Linux, namespaces: Namespaces, faults: Faults): void {
  namespaceRules(linux, namespaces, faults);
  for (const field of ["maskedPaths", "readonlyPaths"] as const)
    if ((linux[field] ?? []).length > 0 && !namespaces.has("mount"))
      faults.add(`/linux/${field}`, `no ${field} without a namespace of type mount`, linux[field]);
  if (linux.sysctl !== undefined) sysctlRules(linux.sysctl, config, namespaces, faults);
  const { devices = [] } = linux;
  for (let index = 0; index < devices.length; index++) deviceRules(linux, index, faults);
  if (linux.netDevices !== undefined) netDeviceRules(linux.netDevices, namespaces, faults);
  const propagation = linux.rootfsPropagation ?? "";
  const PROPAGATIONS = " private rprivate shared rshared slave rslave unbindable runbindable ";
  if (propagation !== "" && !hasWord(PROPAGATIONS, propagation))
    faults.add(
      "/linux/rootfsPropagation",
      "private, shared, slave or unbindable, or one of them with r in front",
      propagation,
      PROPAGATIONS,
    );
  if (linux.resources !== undefined) {
    resourceRules(linux.resources, "/linux/resources", faults);
    const { swap = 0, limit = 0 } = linux.resources.memory ?? {};
    if (swap > 0 && limit === 0)
      faults.add(
        "/linux/resources/memory/swap",
        "a memory limit too, because swap counts memory and swap together",
        swap,
      );
  }
  const closID = linux.intelRdt?.closID ?? "";
  if (closID.includes("/") || hasWord(" . .. info mon_data mon_groups ", closID))
    faults.add("/linux/intelRdt/closID", "the name of one directory", closID);
  if (linux.memoryPolicy !== undefined) memoryPolicyRules(linux.memoryPolicy, faults);
  if (linux.seccomp !== undefined) seccompRules(linux.seccomp, config, faults);
}

const IPC_SYSCTLS =
  " kernel/msgmax kernel/msgmnb kernel/msgmni kernel/sem kernel/shmall kernel/shmmax kernel/shmmni kernel/shm_rmid_forced ";

/** Only what belongs to a namespace of the container: the rest of /proc/sys is the host's. */
function sysctlRules(
  sysctl: Readonly<Record<string, string>>,
  config: Config,
  namespaces: Namespaces,
  faults: Faults,
): void {
  for (const [key, value] of Object.entries(sysctl)) {
    const file = sysctlFile(key);
    const at = `/linux/sysctl/${escapePointer(key)}`;
    if (file === undefined) {
      faults.add(at, "the name of a kernel parameter, without empty parts and ..", key);
      continue;
    }
    const needs = (type: NamespaceType): void => {
      if (namespaces.has(type)) return;
      const name = file.replace(/[./]/g, (separator) => (separator === "/" ? "." : "/"));
      faults.add(at, `no ${name} without a namespace of type ${type}`, value);
    };
    if (hasWord(IPC_SYSCTLS, file) || file.startsWith("fs/mqueue/")) needs("ipc");
    else if (file.startsWith("net/")) needs("network");
    else if (file.startsWith("user/")) needs("user");
    else if (file === "kernel/hostname" || file === "kernel/domainname") {
      const field = file === "kernel/hostname" ? "hostname" : "domainname";
      const set = config[field] ?? "";
      needs("uts");
      if (set !== value && (set !== "" || field === "hostname"))
        faults.add(at, `${field} instead, which is ${show(config[field])}`, value);
    } else {
      const choices = `${IPC_SYSCTLS}kernel/domainname `.replaceAll("/", ".");
      faults.add(at, "a parameter of one of the container's namespaces", key, choices);
    }
  }
}

/** mknod(2). */
function deviceRules(linux: Linux, index: number, faults: Faults): void {
  const device = linux.devices?.[index];
  if (device === undefined || device.type === "p") return;
  for (const number of ["major", "minor"] as const) {
    const value = device[number] ?? -1;
    const at = `/linux/devices/${index}/${number}`;
    const most = number === "major" ? 0xfff : 0xf_ffff; // the kernel cuts off what is more
    if (value < 0) faults.add(at, `the ${number} number of the device`, device[number]);
    else if (value > most) faults.add(at, `at most ${most}`, value);
  }
}

function netDeviceRules(devices: NonNullable<Linux["netDevices"]>, namespaces: Namespaces, faults: Faults): void {
  const names = Object.entries(devices);
  if (names.length > 0 && !namespaces.has("network"))
    faults.add("/linux/netDevices", "no netDevices without a namespace of type network", devices);
  for (const [host, { name = "" }] of names) {
    const at = `/linux/netDevices/${escapePointer(host)}`;
    if (!isDeviceName(host)) faults.add(at, "the name of a network device", host);
    if (name !== "" && !isDeviceName(name)) faults.add(`${at}/name`, "the name of a network device", name);
  }
}

/** What the kernel's dev_valid_name takes: 1 to 15 bytes, no slash, colon or white space. */
function isDeviceName(name: string): boolean {
  return name !== "." && name !== ".." && /^[^/:\s]{1,15}$/.test(name);
}

/** set_mempolicy(2). */
function memoryPolicyRules({ mode, nodes = "" }: MemoryPolicy, faults: Faults): void {
  const at = "/linux/memoryPolicy/nodes";
  if (nodes !== "" && !isCpuList(nodes)) faults.add(at, "a list of memory nodes such as 0-1", nodes);
  else if (mode === "MPOL_DEFAULT" || mode === "MPOL_LOCAL") {
    if (nodes !== "") faults.add(at, `no nodes for ${mode}`, nodes);
  } else if (mode !== "MPOL_PREFERRED" && nodes === "") faults.add(at, `at least one memory node for ${mode}`, nodes);
}
