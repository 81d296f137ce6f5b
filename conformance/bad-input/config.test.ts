/** config.json with every kind of fault: what reg says about it, word for word. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import type { Spec } from "../fixtures/bundle.ts";
import { cgroups, cgroupV1, mounting, needs, root } from "../testing.ts";
import { create, refuses, regItself, type Scene, writeConfig } from "./expect.ts";

const config = suite("broken config.json");
const test = needs(config, regItself, root, mounting, cgroups);
const onV1 = needs(config, regItself, root, mounting, cgroupV1);

/** Text that is not JSON, or not an object. */
const TEXTS: [name: string, text: string, message: string][] = [
  ["nothing", "", "not JSON: line 1, column 1: expected a value, found the end of the file\n  \n  ^"],
  ["a word", "hello", "not JSON: line 1, column 1: expected a value, found hello\n  hello\n  ^"],
  [
    "a comma too many",
    '{\n  "ociVersion": "1.0.2",\n}',
    "not JSON: line 3, column 1: expected a property name in double quotes after the comma, found }\n  }\n  ^",
  ],
  [
    "a bracket that is missing",
    '{"ociVersion": "1.0.2"',
    'not JSON: line 1, column 23: expected a comma or }, found the end of the file\n  {"ociVersion": "1.0.2"\n                        ^',
  ],
  [
    "single quotes",
    "{'ociVersion': 1}",
    "not JSON: line 1, column 2: expected a property name in double quotes, or }, found a single quote\n  {'ociVersion': 1}\n   ^",
  ],
  [
    "a comment",
    '{\n  // a comment\n  "ociVersion": "1.0.2"\n}',
    "not JSON: line 2, column 3: expected a property name in double quotes, or }, found a comment, which JSON does not have\n    // a comment\n    ^",
  ],
  [
    "a byte order mark",
    "\ufeff{}",
    "not JSON: line 1, column 1: expected a value, found a byte order mark\n  ?{}\n  ^",
  ],
  ["bytes of a binary", "\0\x01\x02", "not JSON: line 1, column 1: expected a value, found a NUL byte\n  ???\n  ^"],
  ["a list", "[]", "1 fault\n  (document): expected an object, found an empty list"],
  ["null", "null", "1 fault\n  (document): expected an object, found null"],
  [
    "an empty object",
    "{}",
    "2 faults\n  /ociVersion: expected this property, found nothing\n  /root: expected the root filesystem, found nothing",
  ],
];
for (const [name, text, message] of TEXTS)
  test(`text: ${name}`, () =>
    refuses(`{bundle}/config.json: ${message}`, (scene) => {
      writeConfig(scene, text);
      return create(scene);
    }));

/** Fields may hold anything here. */
// biome-ignore lint/suspicious/noExplicitAny: a broken config has no type
type Broken = any;
type Change = (spec: Broken) => void;

function changed(scene: Scene, change: Change) {
  const spec: Spec = JSON.parse(readFileSync(join(scene.bundle.path, "config.json"), "utf8"));
  change(spec);
  writeConfig(scene, JSON.stringify(spec));
  return create(scene);
}

function without(type: string): Change {
  return (spec) => {
    spec.linux.namespaces = spec.linux.namespaces.filter((namespace: Broken) => namespace.type !== type);
  };
}

/** Sets the field at a pointer; undefined takes it away. A "-" at the end appends to a list. */
function set(pointer: string, value: unknown): Change {
  return (spec) => {
    const steps = pointer.split("/").slice(1);
    const last = steps.pop() ?? "";
    const parent = steps.reduce((node, step) => {
      node[step] ??= {};
      return node[step];
    }, spec);
    if (last === "-") parent.push(value);
    else parent[last] = value;
  };
}

const all =
  (...changes: Change[]): Change =>
  (spec) => {
    for (const change of changes) change(spec);
  };

const RLIMITS =
  "RLIMIT_AS, RLIMIT_CORE, RLIMIT_CPU, RLIMIT_DATA, RLIMIT_FSIZE, RLIMIT_LOCKS, RLIMIT_MEMLOCK, RLIMIT_MSGQUEUE, RLIMIT_NICE, RLIMIT_NOFILE, RLIMIT_NPROC, RLIMIT_RSS, RLIMIT_RTPRIO, RLIMIT_RTTIME, RLIMIT_SIGPENDING, RLIMIT_STACK";
const ID = "a whole number from 0 to 4294967294";

/** One fault each: [change, pointer, what was expected and found]. */
const FAULTS: [change: Change, pointer: string, message: string][] = [
  [set("/ociVersion", "2.0.0"), "/ociVersion", 'expected a version 1.x of the specification, found "2.0.0"'],
  [set("/ociVersion", 1), "/ociVersion", "expected a string, found 1"],
  [set("/process/args", "sh"), "/process/args", 'expected a list, found "sh"'],
  [set("/process/args", []), "/process/args", "expected at least the program to run, found an empty list"],
  [set("/process/args", undefined), "/process/args", "expected at least the program to run, found nothing"],
  [set("/process/args/0", 7), "/process/args/0", "expected a string, found 7"],
  [set("/process/args/1", "a\0b"), "/process/args/1", 'expected a string without NUL bytes, found "a\\u0000b"'],
  [set("/process/env", { A: "b" }), "/process/env", "expected a list, found an object"],
  [set("/process/cwd", "tmp"), "/process/cwd", 'expected an absolute path, found "tmp"'],
  [set("/process/cwd", undefined), "/process/cwd", "expected this property, found nothing"],
  [set("/process/user/uid", -1), "/process/user/uid", `expected ${ID}, found -1`],
  [set("/process/user/uid", "root"), "/process/user/uid", `expected ${ID}, found "root"`],
  [set("/process/user/gid", 2 ** 32), "/process/user/gid", `expected ${ID}, found 4294967296`],
  [set("/process/terminal", "yes"), "/process/terminal", 'expected true or false, found "yes"'],
  [set("/process/oomScoreAdj", 5000), "/process/oomScoreAdj", "expected -1000 to 1000, found 5000"],
  [
    set("/process/rlimits/0/type", "RLIMIT_NOFILES"),
    "/process/rlimits/0/type",
    `expected one of ${RLIMITS}, found "RLIMIT_NOFILES"; did you mean "RLIMIT_NOFILE"?`,
  ],
  [
    set("/process/rlimits/0/soft", 2000),
    "/process/rlimits/0/soft",
    "expected at most the hard limit, 1024, found 2000",
  ],
  [
    set("/process/rlimits/-", { type: "RLIMIT_NOFILE", soft: 1, hard: 1 }),
    "/process/rlimits/1/type",
    'expected each type once, found "RLIMIT_NOFILE"',
  ],
  [
    set("/process/scheduler", { policy: "SCHED_FIFA" }),
    "/process/scheduler/policy",
    'expected one of SCHED_OTHER, SCHED_FIFO, SCHED_RR, SCHED_BATCH, SCHED_ISO, SCHED_IDLE, SCHED_DEADLINE, found "SCHED_FIFA"; did you mean "SCHED_FIFO"?',
  ],
  [set("/root", undefined), "/root", "expected the root filesystem, found nothing"],
  [set("/root", {}), "/root/path", "expected the path of the root filesystem, found nothing"],
  [set("/root/path", 1), "/root/path", "expected a string, found 1"],
  [set("/root/path", "roo\0tfs"), "/root/path", 'expected a string without NUL bytes, found "roo\\u0000tfs"'],
  [set("/hostname", "h".repeat(65)), "/hostname", `expected at most 64 bytes, found "${"h".repeat(57)}..."`],
  [without("uts"), "/hostname", 'expected no hostname without a namespace of type uts, found "reg"'],
  [
    set("/linux/namespaces/0/type", "pids"),
    "/linux/namespaces/0/type",
    'expected one of pid, network, mount, ipc, uts, user, cgroup, time, found "pids"; did you mean "pid"?',
  ],
  [
    set("/linux/namespaces/-", { type: "pid" }),
    "/linux/namespaces/6",
    'expected each type of namespace once, found "pid"',
  ],
  [
    set("/linux/uidMappings", [{ containerID: 0, hostID: 0, size: 1 }]),
    "/linux/uidMappings",
    "expected no uidMappings without a namespace of type user, found a list of 1",
  ],
  [
    set("/linux/timeOffsets", { monotonic: { secs: 1 } }),
    "/linux/timeOffsets",
    "expected no timeOffsets without a namespace of type time, found an object",
  ],
  [
    set("/linux/sysctl", { "vm.swappiness": "1" }),
    "/linux/sysctl/vm.swappiness",
    'expected a parameter of one of the container\'s namespaces, found "vm.swappiness"',
  ],
  [
    set("/linux/rootfsPropagation", "sharde"),
    "/linux/rootfsPropagation",
    'expected private, shared, slave or unbindable, or one of them with r in front, found "sharde"; did you mean "shared"?',
  ],
  [
    set("/linux/personality", { domain: "LINUX64" }),
    "/linux/personality/domain",
    'expected one of LINUX, LINUX32, found "LINUX64"; did you mean "LINUX"?',
  ],
  [
    set("/linux/seccomp", { defaultAction: "SCMP_ACT_ALOW" }),
    "/linux/seccomp/defaultAction",
    'expected one of SCMP_ACT_KILL, SCMP_ACT_KILL_PROCESS, SCMP_ACT_KILL_THREAD, SCMP_ACT_TRAP, SCMP_ACT_ERRNO, SCMP_ACT_TRACE, SCMP_ACT_ALLOW, SCMP_ACT_LOG, SCMP_ACT_NOTIFY, found "SCMP_ACT_ALOW"; did you mean "SCMP_ACT_ALLOW"?',
  ],
  [
    set("/linux/devices", [{ path: "/dev/x", type: "c", minor: 1 }]),
    "/linux/devices/0/major",
    "expected the major number of the device, found nothing",
  ],
  [
    set("/linux/devices", [{ path: "/dev/x", type: "x", major: 1, minor: 1 }]),
    "/linux/devices/0/type",
    'expected one of c, b, u, p, found "x"',
  ],
  [
    set("/linux/resources/pids", { limit: "10" }),
    "/linux/resources/pids/limit",
    'expected a whole number from -2^63 to 2^63-1, found "10"',
  ],
  [
    set("/linux/resources/memory", { limit: 100_000_000, swap: 1000 }),
    "/linux/resources/memory/swap",
    "expected at least the memory limit, 100000000, because swap counts both together, found 1000",
  ],
  [
    set("/linux/resources/unified", { "../x": "1" }),
    "/linux/resources/unified/..~1x",
    'expected the name of a file in the container\'s cgroup, found "../x"',
  ],
  [
    set("/mounts/-", { source: "/tmp", options: ["bind"] }),
    "/mounts/7/destination",
    "expected this property, found nothing",
  ],
  [
    set("/mounts/0/type", "tmpfs"),
    "/mounts/0/type",
    'expected proc, or a bind mount of a proc filesystem, for a mount on /proc, found "tmpfs"',
  ],
  [
    set("/mounts/-", { destination: "/x/../proc/self/attr", type: "tmpfs", source: "x" }),
    "/mounts/7/destination",
    'expected outside /proc, or one of /proc/cpuinfo, /proc/diskstats, /proc/meminfo, /proc/stat, /proc/swaps, /proc/uptime, /proc/loadavg, /proc/slabinfo, /proc/sys/kernel/ns_last_pid, /proc/sys/crypto/fips_enabled, found "/x/../proc/self/attr"',
  ],
  [
    set("/hooks", { createRuntime: [{ path: "nope" }] }),
    "/hooks/createRuntime/0/path",
    'expected an absolute path, found "nope"',
  ],
];
for (const [change, pointer, message] of FAULTS)
  test(`${pointer}: ${message.slice(0, 60)}`, () =>
    refuses(`{bundle}/config.json: 1 fault\n  ${pointer}: ${message}`, (scene) => changed(scene, change)));

test("all faults are told at once, in the order of the document", () =>
  refuses(
    [
      "{bundle}/config.json: 4 faults",
      '  /ociVersion: expected a version 1.x of the specification, found "3"',
      '  /process/cwd: expected an absolute path, found "x"',
      "  /mounts/7/destination: expected this property, found nothing",
      '  /linux/resources/pids/limit: expected a whole number from -2^63 to 2^63-1, found "x"',
    ].join("\n"),
    (scene) =>
      changed(
        scene,
        all(
          set("/linux/resources/pids", { limit: "x" }),
          set("/mounts/-", {}),
          set("/process/cwd", "x"),
          set("/ociVersion", "3"),
        ),
      ),
  ));

test("a user namespace without mappings has two faults", () =>
  refuses(
    [
      "{bundle}/config.json: 2 faults",
      "  /linux/uidMappings: expected uidMappings for the user namespace, found nothing",
      "  /linux/gidMappings: expected gidMappings for the user namespace, found nothing",
    ].join("\n"),
    (scene) => changed(scene, set("/linux/namespaces/-", { type: "user" })),
  ));

test("without a mount namespace nothing can be hidden", () =>
  refuses(
    [
      "{bundle}/config.json: 2 faults",
      "  /linux/maskedPaths: expected no maskedPaths without a namespace of type mount, found a list of 10",
      "  /linux/readonlyPaths: expected no readonlyPaths without a namespace of type mount, found a list of 5",
    ].join("\n"),
    (scene) => changed(scene, without("mount")),
  ));

const MAPPING = [{ containerID: 1, hostID: 1000, size: 1 }];
const HOOK = (hook: object) => set("/hooks", { createRuntime: [hook] });

/** What only the kernel or the host can refuse. */
const REFUSED: [name: string, change: Change, message: string][] = [
  [
    "a namespace that is not there",
    set("/linux/namespaces/0/path", "/nope"),
    "openat(2) /nope: no such file or directory (ENOENT) [/linux/namespaces/0/path]",
  ],
  [
    "a namespace of another type",
    set("/linux/namespaces/1/path", "/proc/self/ns/uts"),
    "setns(2) /proc/self/ns/uts: invalid argument (EINVAL) [/linux/namespaces/1/path]",
  ],
  [
    "a file that is no namespace",
    set("/linux/namespaces/1/path", "/etc/passwd"),
    "setns(2) /etc/passwd: invalid argument (EINVAL) [/linux/namespaces/1/path]",
  ],
  [
    "a user namespace without root",
    all(
      set("/linux/namespaces/-", { type: "user" }),
      set("/linux/uidMappings", MAPPING),
      set("/linux/gidMappings", MAPPING),
    ),
    "setresgid(2) 0: invalid argument (EINVAL) [/linux/gidMappings]\nhint: map a host id to containerID 0",
  ],
  [
    "a kernel parameter that does not exist",
    set("/linux/sysctl", { "net.ipv4.nope": "1" }),
    "openat2(2) sys/net/ipv4/nope: no such file or directory (ENOENT) [/linux/sysctl/net.ipv4.nope]",
  ],
  [
    "a value that the kernel refuses",
    set("/linux/sysctl", { "net.ipv4.ip_forward": "x" }),
    "write(2) /proc/sys/net/ipv4/ip_forward: invalid argument (EINVAL) [/linux/sysctl/net.ipv4.ip_forward]",
  ],
  [
    "a bind mount of nothing",
    set("/mounts/-", { destination: "/x", type: "bind", source: "/nope", options: ["bind"] }),
    "open_tree(2) /nope for /x: no such file or directory (ENOENT) [/mounts/7]\nhint: the source must exist on the host",
  ],
  [
    "a filesystem that the kernel does not have",
    set("/mounts/-", { destination: "/x", type: "nofs", source: "x" }),
    'mount(2) x (nofs) on /x: no such device (ENODEV) [/mounts/7]\nhint: the kernel has no filesystem "nofs"; see /proc/filesystems',
  ],
  [
    "an option that the filesystem does not have",
    set("/mounts/-", { destination: "/x", type: "tmpfs", source: "x", options: ["bogus=1"] }),
    "mount(2) x (tmpfs) on /x: invalid argument (EINVAL) [/mounts/7]\nhint: an option is unknown to this filesystem; dmesg may say which",
  ],
  [
    "a hook that is missing",
    HOOK({ path: "/nope" }),
    "createRuntime hook: posix_spawn(3) /nope: no such file or directory (ENOENT) [/hooks/createRuntime/0]",
  ],
  [
    "a hook that fails",
    HOOK({ path: "/bin/sh", args: ["sh", "-c", "echo sorry >&2; exit 3"] }),
    "createRuntime hook /bin/sh: exit status 3: sorry [/hooks/createRuntime/0]",
  ],
  [
    "a hook that writes to the terminal",
    HOOK({ path: "/bin/sh", args: ["sh", "-c", "printf '\\033[31mred'; exit 1"] }),
    "createRuntime hook /bin/sh: exit status 1: \\x1b[31mred [/hooks/createRuntime/0]",
  ],
  [
    "a hook that takes too long",
    HOOK({ path: "/bin/sleep", args: ["sleep", "60"], timeout: 1 }),
    "createRuntime hook /bin/sleep: no end within 1 s, killed [/hooks/createRuntime/0]",
  ],
  ["the root cgroup", set("/linux/cgroupsPath", "/"), "cgroupsPath /: names the root cgroup [/linux/cgroupsPath]"],
  [
    "a cgroup above the root",
    set("/linux/cgroupsPath", "/../../.."),
    "cgroupsPath /../../..: names the root cgroup [/linux/cgroupsPath]",
  ],
  [
    "a program that is missing",
    set("/process/args", ["/nope"]),
    'exec: "/nope": stat /nope: no such file or directory [/process/args/0]',
  ],
  [
    "a program that is not in PATH",
    set("/process/args", ["nope"]),
    'exec: "nope": executable file not found in $PATH [/process/args/0]\nhint: is the program in the container\'s root filesystem, and PATH set in process.env?',
  ],
  ["a program that is a folder", set("/process/args", ["/etc"]), 'exec: "/etc": permission denied [/process/args/0]'],
  [
    "a program without a name",
    set("/process/args", [""]),
    'exec: "": executable file not found in $PATH [/process/args/0]',
  ],
  [
    "a working directory that is a file",
    set("/process/cwd", "/bin/busybox"),
    "chdir(2) /bin/busybox: not a directory (ENOTDIR) [/process/cwd]",
  ],
  [
    "a working directory below a file",
    set("/process/cwd", "/bin/busybox/x"),
    "mkdirat(2) /bin/busybox/x: not a directory (ENOTDIR) [/process/cwd]",
  ],
  [
    "a terminal and nobody to take it",
    set("/process/terminal", true),
    "cannot allocate tty if reg will detach without setting console socket [/process/terminal]\nhint: give --console-socket, or set process.terminal to false",
  ],
];
for (const [name, change, message] of REFUSED) test(name, () => refuses(message, (scene) => changed(scene, change)));

onV1("a memory limit below what is in use", () =>
  refuses(
    'write(2) "4096" to /sys/fs/cgroup/memory/{id}/memory.limit_in_bytes: device or resource busy (EBUSY) [/linux/resources/memory/limit]\nhint: the cgroup uses {number} bytes at the moment',
    (scene) => changed(scene, set("/linux/resources/memory", { limit: 4096 })),
  ),
);

onV1("a processor that is not there", () =>
  refuses(
    'write(2) "9999" to /sys/fs/cgroup/cpuset/{id}/cpuset.cpus: numerical result out of range (ERANGE) [/linux/resources/cpu/cpus]\nhint: the kernel does not accept this value in cpuset.cpus',
    (scene) => changed(scene, set("/linux/resources/cpu", { cpus: "9999" })),
  ),
);

onV1("a quota below the kernel's least", () =>
  refuses(
    'write(2) "10" to /sys/fs/cgroup/cpu/{id}/cpu.cfs_quota_us: invalid argument (EINVAL) [/linux/resources/cpu/quota]\nhint: the kernel does not accept this value in cpu.cfs_quota_us',
    (scene) => changed(scene, set("/linux/resources/cpu", { quota: 10 })),
  ),
);

config.run();
