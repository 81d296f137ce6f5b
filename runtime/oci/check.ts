/**
 * Rules of config.json that need more than a type: what the schema cannot say, and what runc or crun refuse before they
 * make anything. Pure. On the way to every container, so the tables are strings and nothing is built before a fault.
 * What depends on the host (is this path a network namespace, is the cgroup v2) is for the plan, not here.
 *
 * Sources: runtime-spec config.md and config-linux.md; the manual page named at each rule.
 */
import type { Fault } from "../errors/errors.ts";
import type {
  Config,
  Cpu,
  DeviceRule,
  Hook,
  HostConfig,
  Linux,
  LinuxResources,
  LinuxSeccomp,
  MemoryPolicy,
  Mount,
  NamespaceType,
  Process,
  Reg,
  Rlimit,
  Scheduler,
} from "./config.ts";
import { sysctlFile } from "./sysctl-name.ts";
import { hasWord } from "./words.ts";

/** A fault before its suggestion is looked for: `choices` are the values that would have been right. */
export interface CheckFault extends Fault {
  readonly choices?: string;
}

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

/** Faults of the host's configuration. A name that is not known would be a permission that nobody gets. */
export function checkHostConfig(config: HostConfig): CheckFault[] {
  const faults = new Faults();
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

/** The value as a reader can find it in the document, at most some 60 characters of it. */
export function show(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : `a list of ${value.length}`;
  if (typeof value === "object" && value !== null) return "an object";
  if (typeof value !== "string") return String(value);
  const text = JSON.stringify(value.slice(0, 62));
  return text.length <= 62 && value.length <= 62 ? text : `${text.slice(0, 58)}..."`;
}

/** A name as a step of a JSON pointer, RFC 6901. */
export function escapePointer(name: string): string {
  return name.includes("~") || name.includes("/") ? name.replaceAll("~", "~0").replaceAll("/", "~1") : name;
}

/** So many are collected. oci-schemas/build.ts has the same limit. */
export const MOST_FAULTS = 10_000;

class Faults {
  readonly list: CheckFault[] = [];

  add(pointer: string, expected: string, found: unknown, choices?: string): void {
    if (this.list.length >= MOST_FAULTS) return;
    this.list.push({ pointer, expected, found: show(found), ...(choices === undefined ? {} : { choices }) });
  }
}

/** Which kinds of namespaces the container has of its own or joins. */
class Namespaces {
  readonly #linux: Linux;

  constructor(linux: Linux) {
    this.#linux = linux;
  }

  has(type: NamespaceType): boolean {
    return this.#linux.namespaces?.some((namespace) => namespace.type === type) ?? false;
  }

  /** Whether it joins one by path. */
  joins(type: NamespaceType): boolean {
    return (
      this.#linux.namespaces?.some((namespace) => namespace.type === type && (namespace.path ?? "") !== "") ?? false
    );
  }
}

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

function processRules(process: Process, at: string, faults: Faults): void {
  const { args = [], cwd, oomScoreAdj, scheduler, ioPriority, execCPUAffinity, rlimits } = process;
  if (!cwd.startsWith("/")) faults.add(`${at}/cwd`, "an absolute path", cwd);
  if (args.length === 0) faults.add(`${at}/args`, "at least the program to run", process.args);
  if (oomScoreAdj !== undefined && (oomScoreAdj < -1000 || oomScoreAdj > 1000))
    faults.add(`${at}/oomScoreAdj`, "-1000 to 1000", oomScoreAdj);
  if (scheduler !== undefined) schedulerRules(scheduler, `${at}/scheduler`, faults);
  if (ioPriority?.priority !== undefined && (ioPriority.priority < 0 || ioPriority.priority > 7))
    faults.add(`${at}/ioPriority/priority`, "0 to 7", ioPriority.priority); // ioprio_set(2)
  for (const phase of ["initial", "final"] as const) {
    const list = execCPUAffinity?.[phase];
    if (list !== undefined && list !== "" && !isCpuList(list))
      faults.add(`${at}/execCPUAffinity/${phase}`, "a list of CPUs such as 0-3,7", list);
  }
  if (rlimits !== undefined) rlimitRules(rlimits, `${at}/rlimits`, faults);
}

function rlimitRules(rlimits: readonly Rlimit[], at: string, faults: Faults): void {
  let seen = " ";
  for (let index = 0; index < rlimits.length; index++) {
    const { type, soft, hard } = rlimits[index] as Rlimit;
    if (seen.includes(` ${type} `)) faults.add(`${at}/${index}/type`, "each type once", type);
    else seen += `${type} `;
    if (soft > hard) faults.add(`${at}/${index}/soft`, `at most the hard limit, ${hard}`, soft); // setrlimit(2)
  }
}

/** sched(7), sched_setattr(2). */
function schedulerRules(scheduler: Scheduler, at: string, faults: Faults): void {
  const { policy, nice = 0, priority = 0, runtime = 0, deadline = 0, period = 0, flags = [] } = scheduler;
  if ((policy === "SCHED_OTHER" || policy === "SCHED_BATCH") && (nice < -20 || nice > 19))
    faults.add(`${at}/nice`, `-20 to 19 for ${policy}`, nice);
  const realtime = policy === "SCHED_FIFO" || policy === "SCHED_RR";
  if (!realtime && priority !== 0)
    faults.add(`${at}/priority`, `no priority for ${policy}, only for SCHED_FIFO and SCHED_RR`, priority);
  const keeps = flags.includes("SCHED_FLAG_KEEP_POLICY") || flags.includes("SCHED_FLAG_KEEP_PARAMS");
  if (realtime && !keeps && (priority < 1 || priority > 99))
    faults.add(`${at}/priority`, `1 to 99 for ${policy}`, scheduler.priority);
  if (policy !== "SCHED_DEADLINE") {
    for (const field of ["runtime", "deadline", "period"] as const)
      if ((scheduler[field] ?? 0) !== 0)
        faults.add(`${at}/${field}`, `no ${field} for ${policy}, only for SCHED_DEADLINE`, scheduler[field]);
    return;
  }
  if (keeps) return;
  if (deadline === 0) faults.add(`${at}/deadline`, "a deadline for SCHED_DEADLINE", scheduler.deadline);
  else if (runtime > deadline) faults.add(`${at}/runtime`, `at most the deadline, ${deadline}`, runtime);
  if (period !== 0 && deadline > period) faults.add(`${at}/deadline`, `at most the period, ${period}`, deadline);
}

/** The files of /proc that a mount may cover: tools such as lxcfs stand in for them, and none of them holds a secret. */
const PROC_FILES =
  " /proc/cpuinfo /proc/diskstats /proc/meminfo /proc/stat /proc/swaps /proc/uptime /proc/loadavg /proc/slabinfo /proc/sys/kernel/ns_last_pid /proc/sys/crypto/fips_enabled ";

function mountRules(mount: Mount, at: string, namespaces: Namespaces, faults: Faults): void {
  const { destination, type, options, uidMappings, gidMappings } = mount;
  const bind = type === "bind" || (options !== undefined && (options.includes("bind") || options.includes("rbind")));
  if (destination === "") faults.add(`${at}/destination`, "a path in the container", destination);
  if (destination.includes("proc")) {
    const path = cleanPath(destination);
    // Else an image could hide what /proc/self/attr and /proc/sys are: CVE-2019-16884, CVE-2019-19921.
    if (path === "/proc" && type !== "proc" && !bind)
      faults.add(`${at}/type`, "proc, or a bind mount of a proc filesystem, for a mount on /proc", type);
    if (path.startsWith("/proc/") && !hasWord(PROC_FILES, path))
      faults.add(
        `${at}/destination`,
        `outside /proc, or one of${PROC_FILES.trimEnd().replaceAll(" /", ", /").slice(1)}`,
        destination,
      );
  }
  const asked = options?.find((option) => option.startsWith("idmap") || option.startsWith("ridmap"));
  if (asked?.includes("=") === true) faults.add(`${at}/options`, "idmap, with uidMappings and gidMappings", asked);
  if (uidMappings === undefined && gidMappings === undefined && asked === undefined) return;
  if (!bind) faults.add(at, "a bind mount, because it has id mappings", type === undefined ? "no type" : type);
  if (uidMappings === undefined && gidMappings === undefined) {
    if (!namespaces.has("user"))
      faults.add(`${at}/options`, `uidMappings and gidMappings, or a user namespace, for ${asked}`, asked);
    return;
  }
  for (const field of ["uidMappings", "gidMappings"] as const)
    if ((mount[field] ?? []).length === 0)
      faults.add(`${at}/${field}`, "both uidMappings and gidMappings, or none", mount[field]);
}

function linuxRules(config: Config, linux: Linux, namespaces: Namespaces, faults: Faults): void {
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

function namespaceRules(linux: Linux, namespaces: Namespaces, faults: Faults): void {
  let seen = " ";
  for (const [index, { type }] of (linux.namespaces ?? []).entries()) {
    if (seen.includes(` ${type} `)) faults.add(`/linux/namespaces/${index}`, "each type of namespace once", type);
    else seen += `${type} `;
  }
  const user = namespaces.has("user");
  const joined = namespaces.joins("user");
  for (const field of ["uidMappings", "gidMappings"] as const) {
    const mappings = linux[field] ?? [];
    if (mappings.length > 0 && !user)
      faults.add(`/linux/${field}`, `no ${field} without a namespace of type user`, mappings);
    // A joined namespace has its mappings; containerd repeats them, and the plan compares them.
    if (mappings.length === 0 && user && !joined)
      faults.add(`/linux/${field}`, `${field} for the user namespace`, linux[field]);
  }
  if (linux.timeOffsets === undefined) return;
  if (Object.keys(linux.timeOffsets).length > 0) {
    if (!namespaces.has("time"))
      faults.add("/linux/timeOffsets", "no timeOffsets without a namespace of type time", linux.timeOffsets);
    if (namespaces.joins("time"))
      faults.add("/linux/timeOffsets", "no timeOffsets for a time namespace that is joined by path", linux.timeOffsets);
  }
  for (const [clock, { nanosecs = 0 }] of Object.entries(linux.timeOffsets)) {
    const at = `/linux/timeOffsets/${escapePointer(clock)}`;
    if (clock !== "monotonic" && clock !== "boottime")
      faults.add(at, "monotonic or boottime", clock, " monotonic boottime "); // time_namespaces(7)
    if (nanosecs > 999_999_999) faults.add(`${at}/nanosecs`, "less than a second", nanosecs);
  }
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

function resourceRules(resources: LinuxResources, at: string, faults: Faults): void {
  const { devices = [], memory = {}, cpu, hugepageLimits = [], rdma = {}, unified = {} } = resources;
  if (devices.length > MOST_DEVICE_RULES) faults.add(`${at}/devices`, `at most ${MOST_DEVICE_RULES} rules`, devices); // each is compared with those before it
  for (let index = 0; index < devices.length; index++)
    deviceAccessRules(devices[index] as DeviceRule, `${at}/devices/${index}`, faults);
  const { limit = 0, swap = 0 } = memory;
  if (limit > 0 && swap > 0 && swap < limit)
    faults.add(`${at}/memory/swap`, `at least the memory limit, ${limit}, because swap counts both together`, swap);
  if (cpu !== undefined) cpuRules(cpu, `${at}/cpu`, faults);
  for (const [index, { pageSize }] of hugepageLimits.entries())
    if (!/^[1-9]\d*[KMG]B$/.test(pageSize))
      faults.add(`${at}/hugepageLimits/${index}/pageSize`, "a page size such as 2MB", pageSize);
  for (const [device, limits] of Object.entries(rdma)) {
    const pointer = `${at}/rdma/${escapePointer(device)}`;
    if (device === "" || /\s/.test(device)) faults.add(pointer, "the name of an RDMA device", device);
    if (limits.hcaHandles === undefined && limits.hcaObjects === undefined)
      faults.add(pointer, "hcaHandles, hcaObjects or both", limits);
  }
  for (const file of Object.keys(unified))
    if (file === "" || file === "." || file === ".." || file.includes("/"))
      faults.add(`${at}/unified/${escapePointer(file)}`, "the name of a file in the container's cgroup", file);
}

const MOST_DEVICE_RULES = 2048;

function deviceAccessRules({ type = "", access = "" }: DeviceRule, at: string, faults: Faults): void {
  if (!hasWord(" a b c ", type) && type !== "") faults.add(`${at}/type`, "a, b or c", type);
  if (!/^[rwm]*$/.test(access)) faults.add(`${at}/access`, "some of the letters r, w and m", access);
}

function cpuRules({ quota = 0, burst = 0, idle = 0 }: Cpu, at: string, faults: Faults): void {
  if (quota > 0 && burst > quota) faults.add(`${at}/burst`, `at most the quota, ${quota}`, burst);
  if (idle !== 0 && idle !== 1) faults.add(`${at}/idle`, "0 or 1", idle);
}

/** set_mempolicy(2). */
function memoryPolicyRules({ mode, nodes = "" }: MemoryPolicy, faults: Faults): void {
  const at = "/linux/memoryPolicy/nodes";
  if (nodes !== "" && !isCpuList(nodes)) faults.add(at, "a list of memory nodes such as 0-1", nodes);
  else if (mode === "MPOL_DEFAULT" || mode === "MPOL_LOCAL") {
    if (nodes !== "") faults.add(at, `no nodes for ${mode}`, nodes);
  } else if (mode !== "MPOL_PREFERRED" && nodes === "") faults.add(at, `at least one memory node for ${mode}`, nodes);
}

const ARCHITECTURES =
  " X86 X86_64 X32 ARM AARCH64 LOONGARCH64 M68K MIPS MIPS64 MIPS64N32 MIPSEL MIPSEL64 MIPSEL64N32 PARISC PARISC64 PPC PPC64 PPC64LE RISCV64 S390 S390X SH SHEB ";
const SECCOMP_FLAGS = " TSYNC LOG SPEC_ALLOW WAIT_KILLABLE_RECV ";

/** seccomp_init(3), seccomp_rule_add(3). */
function seccompRules(seccomp: LinuxSeccomp, { annotations }: Config, faults: Faults): void {
  const at = "/linux/seccomp";
  const { defaultAction = "", syscalls = [], architectures = [], flags = [] } = seccomp;
  if (defaultAction === "" && syscalls.length > 0)
    faults.add(`${at}/defaultAction`, "an action, because there are rules", seccomp.defaultAction);
  // The filter would stop the very call that hands its listener over.
  if (defaultAction === "SCMP_ACT_NOTIFY")
    faults.add(`${at}/defaultAction`, "another action, because init must send the listener", defaultAction);
  if (seccomp.defaultErrnoRet !== undefined && defaultAction !== "" && !takesErrno(defaultAction))
    faults.add(`${at}/defaultErrnoRet`, `no errno for ${defaultAction}`, seccomp.defaultErrnoRet);
  for (const [index, name] of architectures.entries()) {
    const bare = name.replace("SCMP_ARCH_", "").toUpperCase();
    if (!hasWord(ARCHITECTURES, bare))
      faults.add(
        `${at}/architectures/${index}`,
        "an architecture that libseccomp knows",
        name,
        prefixed("SCMP_ARCH_", ARCHITECTURES),
      );
  }
  for (const [index, name] of flags.entries())
    if (!hasWord(SECCOMP_FLAGS, name.replace("SECCOMP_FILTER_FLAG_", "")) || !name.startsWith("SECCOMP_"))
      faults.add(`${at}/flags/${index}`, "a flag of seccomp(2)", name, prefixed("SECCOMP_FILTER_FLAG_", SECCOMP_FLAGS));
  let notifies = false;
  for (let index = 0; index < syscalls.length; index++) {
    const { action, errnoRet, args } = syscalls[index] as (typeof syscalls)[number];
    if (action === "SCMP_ACT_NOTIFY") notifies = true;
    if (errnoRet !== undefined && !takesErrno(action))
      faults.add(`${at}/syscalls/${index}/errnoRet`, `no errno for ${action}`, errnoRet);
    if (args === undefined) continue;
    for (let number = 0; number < args.length; number++) {
      const argument = args[number]?.index ?? 0;
      if (argument > 5) faults.add(`${at}/syscalls/${index}/args/${number}/index`, "0 to 5", argument);
    }
  }
  // crun's callers name the listener by annotation.
  if (notifies && (seccomp.listenerPath ?? "") === "" && annotations?.["run.oci.seccomp.receiver"] === undefined)
    faults.add(`${at}/listenerPath`, "a socket for SCMP_ACT_NOTIFY", seccomp.listenerPath);
}

function takesErrno(action: string): boolean {
  return action === "SCMP_ACT_ERRNO" || action === "SCMP_ACT_TRACE";
}

function prefixed(prefix: string, names: string): string {
  return names.trim().replaceAll(" ", ` ${prefix}`).replace("", prefix);
}

/** cpuset(7), "List format"; spaces around and empty elements are accepted, as runc does. */
function isCpuList(list: string): boolean {
  let any = false;
  for (const part of list.split(",")) {
    const element = part.trim();
    if (element === "") continue;
    if (!/^\d+(-\d+)?$/.test(element)) return false;
    const [first = "0", last = first] = element.split("-");
    if (Number(first) > Number(last)) return false;
    any = true;
  }
  return any;
}

/** Absolute, without ".", "..", double or trailing slashes; symbolic links are not looked at. */
function cleanPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  return `/${parts.join("/")}`;
}

/** As runtime/reg/name.ts reads them. */
const ENVIRONMENT = /^[a-z0-9][a-z0-9+._-]*@[\w.+~:-]+$/;
const DOMAIN = /^[a-z0-9][a-z0-9._-]{0,62}$/;
const DOMAIN_WORDS = "up to 63 lower-case letters, digits and . _ -";

function regRules({ environments, store, domain, writable, workdir }: Reg, pointer: string, faults: Faults): void {
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
