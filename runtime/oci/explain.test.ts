import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ConfigError } from "../errors/errors.ts";
import { defaultSpec } from "./default-spec.ts";
import { explain } from "./explain.ts";
import { parseConfig, parseProcess, parseResources } from "./parse.ts";
import { InvalidDocument } from "./validate.ts";

/** Changes by JSON pointer; undefined removes. */
type Edits = Readonly<Record<string, unknown>>;

/** The default config.json with edits. */
function edited(edits: Edits): string {
  const document = JSON.parse(JSON.stringify(defaultSpec({ rootless: false })));
  for (const [pointer, value] of Object.entries(edits)) {
    const steps = pointer.split("/").slice(1);
    const last = steps.pop() ?? "";
    let parent = document;
    for (const step of steps) parent = parent[step] ??= {};
    if (value === undefined) delete parent[last];
    else parent[last] = value;
  }
  return JSON.stringify(document);
}

function explained(parse: () => unknown): ConfigError {
  try {
    parse();
  } catch (error) {
    if (error instanceof InvalidDocument) return explain(error);
    throw error;
  }
  throw new Error("the document was accepted");
}

const NO_NETWORK = ["pid", "ipc", "uts", "mount", "cgroup"].map((type) => ({ type }));
const USER = [...NO_NETWORK, { type: "user" }];
const RULE = { names: ["mkdir"], action: "SCMP_ACT_ERRNO" };
const SECCOMP = { defaultAction: "SCMP_ACT_ALLOW" };
const SCHEDULER_FLAGS =
  "SCHED_FLAG_RESET_ON_FORK, SCHED_FLAG_RECLAIM, SCHED_FLAG_DL_OVERRUN, SCHED_FLAG_KEEP_POLICY, SCHED_FLAG_KEEP_PARAMS, SCHED_FLAG_UTIL_CLAMP_MIN, SCHED_FLAG_UTIL_CLAMP_MAX";
const RLIMITS =
  "RLIMIT_AS, RLIMIT_CORE, RLIMIT_CPU, RLIMIT_DATA, RLIMIT_FSIZE, RLIMIT_LOCKS, RLIMIT_MEMLOCK, RLIMIT_MSGQUEUE, RLIMIT_NICE, RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_RSS, RLIMIT_RTPRIO, RLIMIT_RTTIME, RLIMIT_SIGPENDING, RLIMIT_STACK";
const PROC_FILES =
  "/proc/cpuinfo, /proc/diskstats, /proc/meminfo, /proc/stat, /proc/swaps, /proc/uptime, /proc/loadavg, /proc/slabinfo, /proc/sys/kernel/ns_last_pid, /proc/sys/crypto/fips_enabled";
const NAMESPACES = "pid, network, mount, ipc, uts, user, cgroup, time";
const ACTIONS =
  "SCMP_ACT_KILL, SCMP_ACT_KILL_PROCESS, SCMP_ACT_KILL_THREAD, SCMP_ACT_TRAP, SCMP_ACT_ERRNO, SCMP_ACT_TRACE, SCMP_ACT_ALLOW, SCMP_ACT_LOG, SCMP_ACT_NOTIFY";

// biome-ignore format: a table, one document a line
const broken: readonly (readonly [name: string, edits: Edits, ...lines: string[]])[] = [
  ["names the type that a string should have had", { "/process/args/0": 7 }, "/process/args/0: expected a string, found 7"],
  ["names the type that a flag should have had", { "/root/readonly": "yes" }, '/root/readonly: expected true or false, found "yes"'],
  ["names the type that a list should have had", { "/process/args": "sh" }, '/process/args: expected a list, found "sh"'],
  ["names the type that an object should have had", { "/process": [] }, "/process: expected an object, found an empty list"],
  ["tells a list from an object", { "/linux": ["a", "b"] }, "/linux: expected an object, found a list of 2"],
  ["gives the range of an unsigned number", { "/process/user/uid": -1 }, "/process/user/uid: expected a whole number from 0 to 4294967294, found -1"],
  ["gives the range of a number that is too large", { "/process/user/gid": 4294967295 }, "/process/user/gid: expected a whole number from 0 to 4294967294, found 4294967295"],
  ["gives the range of 64 bits exactly", { "/linux/resources/cpu/shares": -5 }, "/linux/resources/cpu/shares: expected a whole number from 0 to 2^64-1, found -5"],
  ["gives the range of signed 64 bits exactly", { "/linux/resources/memory/limit": "1g" }, '/linux/resources/memory/limit: expected a whole number from -2^63 to 2^63-1, found "1g"'],
  ["refuses a fraction", { "/process/user/umask": 1.5 }, "/process/user/umask: expected a whole number from 0 to 4294967295, found 1.5"],
  ["asks for ociVersion", { "/ociVersion": undefined }, "/ociVersion: expected this property, found nothing"],
  ["finds the slip in a required name", { "/ociVersion": undefined, "/ocVersion": "1.3.0" }, '/ociVersion: expected this property, found "ocVersion"; did you mean "ociVersion"?'],
  ["finds a required name in the wrong case", { "/process/cwd": undefined, "/process/CWD": "/" }, '/process/cwd: expected this property, found "CWD"; did you mean "cwd"?'],
  ["says that a required property is null", { "/process/cwd": null }, "/process/cwd: expected this property, found null"],
  ["refuses a specification of another major version", { "/ociVersion": "2.0.0" }, '/ociVersion: expected a version 1.x of the specification, found "2.0.0"'],
  ["refuses a version that is none", { "/ociVersion": "latest" }, '/ociVersion: expected a version 1.x of the specification, found "latest"'],
  ["asks for a root filesystem", { "/root": undefined }, "/root: expected the root filesystem, found nothing"],
  ["asks for the path of the root filesystem", { "/root": {} }, "/root/path: expected the path of the root filesystem, found nothing"],
  ["asks for a program", { "/process/args": undefined }, "/process/args: expected at least the program to run, found nothing"],
  ["asks for a program in an empty list", { "/process/args": [] }, "/process/args: expected at least the program to run, found an empty list"],
  ["asks for an absolute working directory", { "/process/cwd": "tmp" }, '/process/cwd: expected an absolute path, found "tmp"'],
  ["knows the rlimits", { "/process/rlimits/0/type": "RLIMIT_NOFILES" }, `/process/rlimits/0/type: expected one of ${RLIMITS}, found "RLIMIT_NOFILES"; did you mean "RLIMIT_NOFILE"?`],
  ["takes an rlimit once", { "/process/rlimits/1": { type: "RLIMIT_NOFILE", soft: 1, hard: 1 } }, '/process/rlimits/1/type: expected each type once, found "RLIMIT_NOFILE"'],
  ["keeps soft limits below hard ones", { "/process/rlimits/0/soft": 2048 }, "/process/rlimits/0/soft: expected at most the hard limit, 1024, found 2048"],
  ["bounds oomScoreAdj", { "/process/oomScoreAdj": 1001 }, "/process/oomScoreAdj: expected -1000 to 1000, found 1001"],
  ["bounds the I/O priority", { "/process/ioPriority": { class: "IOPRIO_CLASS_BE", priority: 8 } }, "/process/ioPriority/priority: expected 0 to 7, found 8"],
  ["knows the I/O classes", { "/process/ioPriority": { class: "BE", priority: 0 } }, '/process/ioPriority/class: expected one of IOPRIO_CLASS_RT, IOPRIO_CLASS_BE, IOPRIO_CLASS_IDLE, found "BE"; did you mean "IOPRIO_CLASS_BE"?'],
  ["bounds nice", { "/process/scheduler": { policy: "SCHED_OTHER", nice: 20 } }, "/process/scheduler/nice: expected -20 to 19 for SCHED_OTHER, found 20"],
  ["keeps priority for realtime policies", { "/process/scheduler": { policy: "SCHED_BATCH", priority: 5 } }, "/process/scheduler/priority: expected no priority for SCHED_BATCH, only for SCHED_FIFO and SCHED_RR, found 5"],
  ["asks a realtime policy for its priority", { "/process/scheduler": { policy: "SCHED_FIFO" } }, "/process/scheduler/priority: expected 1 to 99 for SCHED_FIFO, found nothing"],
  ["keeps the period for deadlines", { "/process/scheduler": { policy: "SCHED_OTHER", period: 9 } }, "/process/scheduler/period: expected no period for SCHED_OTHER, only for SCHED_DEADLINE, found 9"],
  ["asks SCHED_DEADLINE for a deadline", { "/process/scheduler": { policy: "SCHED_DEADLINE", runtime: 9 } }, "/process/scheduler/deadline: expected a deadline for SCHED_DEADLINE, found nothing"],
  ["orders runtime, deadline and period", { "/process/scheduler": { policy: "SCHED_DEADLINE", runtime: 9, deadline: 8, period: 7 } }, "/process/scheduler/runtime: expected at most the deadline, 8, found 9", "/process/scheduler/deadline: expected at most the period, 7, found 8"],
  ["knows the scheduler's flags", { "/process/scheduler": { policy: "SCHED_OTHER", flags: ["RECLAIM"] } }, `/process/scheduler/flags/0: expected one of ${SCHEDULER_FLAGS}, found "RECLAIM"; did you mean "SCHED_FLAG_RECLAIM"?`],
  ["reads CPU lists", { "/process/execCPUAffinity": { initial: "0-3,7", final: "3-1" } }, '/process/execCPUAffinity/final: expected a list of CPUs such as 0-3,7, found "3-1"'],
  ["refuses a hostname without uts namespace", { "/linux/namespaces": [{ type: "mount" }] }, '/hostname: expected no hostname without a namespace of type uts, found "reg"'],
  ["refuses a domainname without uts namespace", { "/hostname": undefined, "/domainname": "d", "/linux/namespaces": [{ type: "mount" }] }, '/domainname: expected no domainname without a namespace of type uts, found "d"'],
  ["bounds the hostname", { "/hostname": "h".repeat(65) }, `/hostname: expected at most 64 bytes, found "${"h".repeat(57)}..."`],
  ["refuses masked paths without mount namespace", { "/linux/namespaces": [{ type: "uts" }], "/linux/maskedPaths": ["/proc/kcore"], "/linux/readonlyPaths": [] }, "/linux/maskedPaths: expected no maskedPaths without a namespace of type mount, found a list of 1"],
  ["refuses read-only paths without mount namespace", { "/linux/namespaces": [{ type: "uts" }], "/linux/maskedPaths": undefined, "/linux/readonlyPaths": ["/proc/sys"] }, "/linux/readonlyPaths: expected no readonlyPaths without a namespace of type mount, found a list of 1"],
  ["takes a namespace once", { "/linux/namespaces/6": { type: "pid" } }, '/linux/namespaces/6: expected each type of namespace once, found "pid"'],
  ["knows the namespaces", { "/linux/namespaces/1/type": "net" }, `/linux/namespaces/1/type: expected one of ${NAMESPACES}, found "net"; did you mean "network"?`],
  ["says nothing of namespaces that a slip hides", { "/linux/namespaces/3/type": "utc" }, `/linux/namespaces/3/type: expected one of ${NAMESPACES}, found "utc"; did you mean "uts"?`],
  ["refuses mappings without user namespace", { "/linux/uidMappings": [{ containerID: 0, hostID: 1, size: 1 }] }, "/linux/uidMappings: expected no uidMappings without a namespace of type user, found a list of 1"],
  ["asks a new user namespace for mappings", { "/linux/namespaces": USER }, "/linux/uidMappings: expected uidMappings for the user namespace, found nothing", "/linux/gidMappings: expected gidMappings for the user namespace, found nothing"],
  ["asks for the parts of a mapping", { "/linux/namespaces": USER, "/linux/uidMappings": [{ containerID: 0, hostId: 1, size: 1 }], "/linux/gidMappings": [{ containerID: 0, hostID: 1, size: 1 }] }, '/linux/uidMappings/0/hostID: expected this property, found "hostId"; did you mean "hostID"?'],
  ["refuses time offsets without time namespace", { "/linux/timeOffsets": { monotonic: { secs: 1 } } }, "/linux/timeOffsets: expected no timeOffsets without a namespace of type time, found an object"],
  ["refuses time offsets of a namespace that is joined", { "/linux/namespaces/6": { type: "time", path: "/proc/1/ns/time" }, "/linux/timeOffsets": { monotonic: { secs: 1 } } }, "/linux/timeOffsets: expected no timeOffsets for a time namespace that is joined by path, found an object"],
  ["knows the clocks", { "/linux/namespaces/6": { type: "time" }, "/linux/timeOffsets": { monotonik: { secs: 1 } } }, '/linux/timeOffsets/monotonik: expected monotonic or boottime, found "monotonik"; did you mean "monotonic"?'],
  ["bounds nanoseconds", { "/linux/namespaces/6": { type: "time" }, "/linux/timeOffsets": { boottime: { nanosecs: 1e9 } } }, "/linux/timeOffsets/boottime/nanosecs: expected less than a second, found 1000000000"],
  ["refuses a sysctl of the host", { "/linux/sysctl": { "vm.overcommit_memory": "1" } }, '/linux/sysctl/vm.overcommit_memory: expected a parameter of one of the container\'s namespaces, found "vm.overcommit_memory"'],
  ["knows the sysctls of the ipc namespace", { "/linux/sysctl": { "kernel.shmmx": "1" } }, '/linux/sysctl/kernel.shmmx: expected a parameter of one of the container\'s namespaces, found "kernel.shmmx"; did you mean "kernel.shmmax"?'],
  ["refuses net sysctls in the host's network", { "/linux/namespaces": NO_NETWORK, "/linux/sysctl": { "net.ipv4.ip_forward": "1" } }, '/linux/sysctl/net.ipv4.ip_forward: expected no net.ipv4.ip_forward without a namespace of type network, found "1"'],
  ["reads sysctls with slashes", { "/linux/namespaces": NO_NETWORK, "/linux/sysctl": { "net/ipv4/conf/eth0.1/forwarding": "1" } }, '/linux/sysctl/net~1ipv4~1conf~1eth0.1~1forwarding: expected no net.ipv4.conf.eth0/1.forwarding without a namespace of type network, found "1"'],
  ["refuses ipc sysctls in the host's ipc namespace", { "/linux/namespaces": [{ type: "mount" }, { type: "uts" }], "/linux/sysctl": { "fs.mqueue.msg_max": "1" } }, '/linux/sysctl/fs.mqueue.msg_max: expected no fs.mqueue.msg_max without a namespace of type ipc, found "1"'],
  ["refuses kernel.hostname beside hostname", { "/linux/sysctl": { "kernel.hostname": "other" } }, '/linux/sysctl/kernel.hostname: expected hostname instead, which is "reg", found "other"'],
  ["refuses kernel.domainname against domainname", { "/domainname": "a", "/linux/sysctl": { "kernel.domainname": "b" } }, '/linux/sysctl/kernel.domainname: expected domainname instead, which is "a", found "b"'],
  ["refuses a sysctl that is no string", { "/linux/sysctl": { "net.core.somaxconn": 1024 } }, "/linux/sysctl/net.core.somaxconn: expected a string, found 1024"],
  ["refuses mounts inside /proc", { "/mounts/0/destination": "/proc/self/attr" }, `/mounts/0/destination: expected outside /proc, or one of ${PROC_FILES}, found "/proc/self/attr"`],
  ["sees through dots on the way to /proc", { "/mounts/0/destination": "/sys/..//proc/./sys" }, `/mounts/0/destination: expected outside /proc, or one of ${PROC_FILES}, found "/sys/..//proc/./sys"`],
  ["refuses another filesystem on /proc", { "/mounts/0/type": "tmpfs" }, '/mounts/0/type: expected proc, or a bind mount of a proc filesystem, for a mount on /proc, found "tmpfs"'],
  ["asks a mount for its destination", { "/mounts/1/destination": undefined, "/mounts/1/target": "/dev" }, "/mounts/1/destination: expected this property, found nothing"],
  ["refuses an empty destination", { "/mounts/1/destination": "" }, '/mounts/1/destination: expected a path in the container, found ""'],
  ["points into a mount's options", { "/mounts/2/options/3": { gid: 5 } }, "/mounts/2/options/3: expected a string, found an object"],
  ["takes id mappings on bind mounts only", { "/mounts/1/uidMappings": [{ containerID: 0, hostID: 1, size: 1 }], "/mounts/1/gidMappings": [{ containerID: 0, hostID: 1, size: 1 }] }, '/mounts/1: expected a bind mount, because it has id mappings, found "tmpfs"'],
  ["takes both id mappings of a mount", { "/mounts/7": { destination: "/v", source: "/v", options: ["rbind"], uidMappings: [{ containerID: 0, hostID: 1, size: 1 }] } }, "/mounts/7/gidMappings: expected both uidMappings and gidMappings, or none, found nothing"],
  ["needs mappings for idmap", { "/mounts/7": { destination: "/v", source: "/v", options: ["bind", "idmap"] } }, '/mounts/7/options: expected uidMappings and gidMappings, or a user namespace, for idmap, found "idmap"'],
  ["asks hooks for absolute paths", { "/hooks": { prestart: [{ path: "hook" }] } }, '/hooks/prestart/0/path: expected an absolute path, found "hook"'],
  ["asks hooks for time", { "/hooks": { poststop: [{ path: "/hook", timeout: 0 }] } }, "/hooks/poststop/0/timeout: expected a number of seconds above 0, found 0"],
  ["knows the kinds of devices", { "/linux/devices": [{ path: "/dev/x", type: "x", major: 1, minor: 1 }] }, '/linux/devices/0/type: expected one of c, b, u, p, found "x"'],
  ["asks devices for their numbers", { "/linux/devices": [{ path: "/dev/x", type: "c", major: 1 }] }, "/linux/devices/0/minor: expected the minor number of the device, found nothing"],
  ["has no wildcards for device nodes", { "/linux/devices": [{ path: "/dev/x", type: "b", major: -1, minor: 1 }] }, "/linux/devices/0/major: expected the major number of the device, found -1"],
  ["knows the kinds of device rules", { "/linux/resources/devices/0/type": "p" }, '/linux/resources/devices/0/type: expected a, b or c, found "p"'],
  ["knows the letters of device access", { "/linux/resources/devices/0/access": "rwx" }, '/linux/resources/devices/0/access: expected some of the letters r, w and m, found "rwx"'],
  ["asks device rules what they do", { "/linux/resources/devices/0": { access: "r" } }, "/linux/resources/devices/0/allow: expected this property, found nothing"],
  ["needs a network namespace for netDevices", { "/linux/namespaces": NO_NETWORK, "/linux/netDevices": { eth1: {} } }, "/linux/netDevices: expected no netDevices without a namespace of type network, found an object"],
  ["knows the names of network devices", { "/linux/netDevices": { "eth1/a": { name: "a name" } } }, '/linux/netDevices/eth1~1a: expected the name of a network device, found "eth1/a"', '/linux/netDevices/eth1~1a/name: expected the name of a network device, found "a name"'],
  ["keeps swap above memory", { "/linux/resources/memory": { limit: 4096, swap: 1024 } }, "/linux/resources/memory/swap: expected at least the memory limit, 4096, because swap counts both together, found 1024"],
  ["needs a memory limit for swap", { "/linux/resources/memory": { swap: 1024 } }, "/linux/resources/memory/swap: expected a memory limit too, because swap counts memory and swap together, found 1024"],
  ["keeps burst below quota", { "/linux/resources/cpu": { quota: 100, burst: 101 } }, "/linux/resources/cpu/burst: expected at most the quota, 100, found 101"],
  ["reads idle as a flag", { "/linux/resources/cpu": { idle: 2 } }, "/linux/resources/cpu/idle: expected 0 or 1, found 2"],
  ["knows page sizes", { "/linux/resources/hugepageLimits": [{ pageSize: "../2MB", limit: 1 }] }, '/linux/resources/hugepageLimits/0/pageSize: expected a page size such as 2MB, found "../2MB"'],
  ["needs something to limit on RDMA devices", { "/linux/resources/rdma": { mlx5_1: {} } }, "/linux/resources/rdma/mlx5_1: expected hcaHandles, hcaObjects or both, found an object"],
  ["keeps unified keys in the cgroup", { "/linux/resources/unified": { "../memory.max": "1" } }, '/linux/resources/unified/..~1memory.max: expected the name of a file in the container\'s cgroup, found "../memory.max"'],
  ["asks throttles for a rate", { "/linux/resources/blockIO": { throttleReadBpsDevice: [{ major: 8, minor: 0, rat: 1 }] } }, '/linux/resources/blockIO/throttleReadBpsDevice/0/rate: expected this property, found "rat"; did you mean "rate"?'],
  ["bounds weights", { "/linux/resources/blockIO": { weight: 65536 } }, "/linux/resources/blockIO/weight: expected a whole number from 0 to 65535, found 65536"],
  ["knows the propagations", { "/linux/rootfsPropagation": "rslav" }, '/linux/rootfsPropagation: expected private, shared, slave or unbindable, or one of them with r in front, found "rslav"; did you mean "rslave"?'],
  ["keeps closID in its directory", { "/linux/intelRdt": { closID: "a/b" } }, '/linux/intelRdt/closID: expected the name of one directory, found "a/b"'],
  ["knows the personalities", { "/linux/personality": { domain: "LINUX64" } }, '/linux/personality/domain: expected one of LINUX, LINUX32, found "LINUX64"; did you mean "LINUX"?'],
  ["needs nodes to bind memory to", { "/linux/memoryPolicy": { mode: "MPOL_BIND" } }, '/linux/memoryPolicy/nodes: expected at least one memory node for MPOL_BIND, found ""'],
  ["has no nodes for the default policy", { "/linux/memoryPolicy": { mode: "MPOL_DEFAULT", nodes: "0" } }, '/linux/memoryPolicy/nodes: expected no nodes for MPOL_DEFAULT, found "0"'],
  ["needs a default action for rules", { "/linux/seccomp": { syscalls: [RULE] } }, "/linux/seccomp/defaultAction: expected an action, because there are rules, found nothing"],
  ["refuses to notify by default", { "/linux/seccomp": { defaultAction: "SCMP_ACT_NOTIFY" } }, '/linux/seccomp/defaultAction: expected another action, because init must send the listener, found "SCMP_ACT_NOTIFY"'],
  ["knows the actions", { "/linux/seccomp": { ...SECCOMP, syscalls: [{ names: ["x"], action: "ALLOW" }] } }, `/linux/seccomp/syscalls/0/action: expected one of ${ACTIONS}, found "ALLOW"; did you mean "SCMP_ACT_ALLOW"?`],
  ["has no errno for allow", { "/linux/seccomp": { ...SECCOMP, syscalls: [{ names: ["x"], action: "SCMP_ACT_ALLOW", errnoRet: 1 }] } }, "/linux/seccomp/syscalls/0/errnoRet: expected no errno for SCMP_ACT_ALLOW, found 1"],
  ["has no default errno for allow", { "/linux/seccomp": { ...SECCOMP, defaultErrnoRet: 1 } }, "/linux/seccomp/defaultErrnoRet: expected no errno for SCMP_ACT_ALLOW, found 1"],
  ["knows the architectures", { "/linux/seccomp": { ...SECCOMP, architectures: ["SCMP_ARCH_X86_46"] } }, '/linux/seccomp/architectures/0: expected an architecture that libseccomp knows, found "SCMP_ARCH_X86_46"; did you mean "SCMP_ARCH_X86_64"?'],
  ["knows the filter's flags", { "/linux/seccomp": { ...SECCOMP, flags: ["LOG"] } }, '/linux/seccomp/flags/0: expected a flag of seccomp(2), found "LOG"; did you mean "SECCOMP_FILTER_FLAG_LOG"?'],
  ["knows the operators", { "/linux/seccomp": { ...SECCOMP, syscalls: [{ ...RULE, args: [{ index: 0, value: 1, op: "EQ" }] }] } }, '/linux/seccomp/syscalls/0/args/0/op: expected one of SCMP_CMP_NE, SCMP_CMP_LT, SCMP_CMP_LE, SCMP_CMP_EQ, SCMP_CMP_GE, SCMP_CMP_GT, SCMP_CMP_MASKED_EQ, found "EQ"'],
  ["knows six arguments", { "/linux/seccomp": { ...SECCOMP, syscalls: [{ ...RULE, args: [{ index: 6, value: 1, op: "SCMP_CMP_EQ" }] }] } }, "/linux/seccomp/syscalls/0/args/0/index: expected 0 to 5, found 6"],
  ["needs a listener for notifications", { "/linux/seccomp": { ...SECCOMP, syscalls: [{ names: ["x"], action: "SCMP_ACT_NOTIFY" }] } }, "/linux/seccomp/listenerPath: expected a socket for SCMP_ACT_NOTIFY, found nothing"],
  ["refuses NUL bytes in arguments and environment", { "/process/args/0": "a\0b", "/process/env/1": "A=\0" }, '/process/args/0: expected a string without NUL bytes, found "a\\u0000b"', '/process/env/1: expected a string without NUL bytes, found "A=\\u0000"'],
  ["refuses NUL bytes in paths", { "/mounts/1/source": "/\0" }, '/mounts/1/source: expected a string without NUL bytes, found "/\\u0000"'],
  ["refuses NUL bytes in names", { "/linux/resources/unified": { "memory.max\0": "1" } }, '/linux/resources/unified/memory.max\\x00: expected a name without NUL bytes, found "memory.max\\u0000"'],
  ["asks for the environments of reg", { "/reg": { enviroments: [] } }, '/reg/environments: expected this property, found "enviroments"; did you mean "environments"?'],
  ["knows where writes may go", { "/reg": { environments: ["a@1"], writable: { type: "tmp" } } }, '/reg/writable/type: expected one of none, tmpfs, directory, found "tmp"; did you mean "tmpfs"?'],
  ["shortens long values", { "/process/cwd": "x".repeat(500) }, `/process/cwd: expected an absolute path, found "${"x".repeat(57)}..."`],
  ["reports every fault at once, schema and rules, in the order of the document", { "/process/args/0": 7, "/process/cwd": "tmp", "/mounts/0/destination": 0, "/linux/namespaces/0/type": "pidd", "/linux/rootfsPropagation": "no" },
    "/process/args/0: expected a string, found 7",
    '/process/cwd: expected an absolute path, found "tmp"',
    "/mounts/0/destination: expected a string, found 0",
    `/linux/namespaces/0/type: expected one of ${NAMESPACES}, found "pidd"; did you mean "pid"?`,
    '/linux/rootfsPropagation: expected private, shared, slave or unbindable, or one of them with r in front, found "no"'],
];

const faults = suite("explain: faults of config.json");
for (const [name, edits, ...lines] of broken)
  faults(name, () => {
    const error = explained(() => parseConfig(edited(edits), "config.json"));
    const count = lines.length === 1 ? "1 fault" : `${lines.length} faults`;
    assert.is(error.message, [`config.json: ${count}`, ...lines.map((line) => `  ${line}`)].join("\n"));
    assert.is(error.faults.length, lines.length);
    assert.instance(error, ConfigError);
    assert.is(error.code, "EINVAL");
  });

faults("says what a document is that is no object", () => {
  assert.is(
    explained(() => parseConfig("[1, 2]", "/b/config.json")).message,
    "/b/config.json: 1 fault\n  (document): expected an object, found a list of 2",
  );
});

faults("says everything about an empty object", () => {
  assert.is(
    explained(() => parseConfig("{}", "config.json")).message,
    "config.json: 2 faults\n  /ociVersion: expected this property, found nothing\n  /root: expected the root filesystem, found nothing",
  );
});

faults("ends for ten thousand faults", () => {
  const env = Array.from({ length: 10_000 }, (_, index) => index);
  assert.is(explained(() => parseConfig(edited({ "/process/env": env }), "config.json")).faults.length, 10_000);
});
faults.run();

const others = suite("explain: other documents");
others("explains the process of exec", () => {
  const error = explained(() => parseProcess('{"args": [], "cwd": "", "env": "A=1"}', "process.json"));
  assert.is(
    error.message,
    'process.json: 3 faults\n  /args: expected at least the program to run, found an empty list\n  /cwd: expected an absolute path, found ""\n  /env: expected a list, found "A=1"',
  );
});

others("explains the limits of update", () => {
  const error = explained(() => parseResources('{"memory": {"limit": 10, "swap": 5}, "pids": {"limit": "x"}}', "-"));
  assert.is(
    error.message,
    '-: 2 faults\n  /memory/swap: expected at least the memory limit, 10, because swap counts both together, found 5\n  /pids/limit: expected a whole number from -2^63 to 2^63-1, found "x"',
  );
});

others("shows where a text stops being JSON", () => {
  const error = explained(() => parseConfig('{\n\t"process": {\n\t\t"args": ["sh",],\n', "config.json"));
  assert.is(
    error.message,
    'config.json: not JSON: line 3, column 17: expected a value after the comma, found ]\n    "args": ["sh",],\n                  ^',
  );
  assert.equal(error.faults, [{ pointer: "", expected: "a value after the comma", found: "]" }]);
});
others.run();
