import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Config, SeccompSyscall } from "./config.ts";
import { uint64 } from "./config.ts";
import { defaultSpec } from "./default-spec.ts";
import { explain } from "./explain.ts";
import * as fast from "./generated/fast.generated.ts";
import * as full from "./generated/full.generated.ts";
import { parseConfig, parseProcess, parseResources } from "./parse.ts";
import { InvalidDocument } from "./validate.ts";

/** Parses, and fails with the explanation. */
function accepted(document: unknown): Config {
  const text = typeof document === "string" ? document : JSON.stringify(document);
  try {
    return parseConfig(text, "config.json");
  } catch (error) {
    if (error instanceof InvalidDocument) throw new Error(explain(error).message);
    throw error;
  }
}

/** A profile of the size that Docker and Podman ship: 400 names allowed, some with conditions, some with their own errno. */
function seccompProfile(): Config["linux"] {
  const names = Array.from({ length: 400 }, (_, index) => `syscall_${index}`);
  const mask = 2114060288;
  const syscalls: SeccompSyscall[] = [
    { names, action: "SCMP_ACT_ALLOW" },
    ...[0, 8, 131072, 131080, 4294967295].map((value) => ({
      names: ["personality"],
      action: "SCMP_ACT_ALLOW" as const,
      args: [{ index: 0, value, op: "SCMP_CMP_EQ" as const }],
    })),
    {
      names: ["clone"],
      action: "SCMP_ACT_ALLOW",
      args: [{ index: 0, value: mask, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }],
    },
    { names: ["clone3"], action: "SCMP_ACT_ERRNO", errnoRet: 38 },
  ];
  return {
    seccomp: {
      defaultAction: "SCMP_ACT_ERRNO",
      defaultErrnoRet: 38,
      architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
      syscalls,
    },
  };
}

const CAPABILITIES = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FSETID", "CAP_FOWNER", "CAP_SETGID", "CAP_SETUID"];

/** What Podman writes for `podman run` of a user with volumes, --userns and limits. */
function podmanLike(): unknown {
  const base = defaultSpec({ rootless: false });
  const volumes = Array.from({ length: 13 }, (_, index) => ({
    destination: `/mnt/volume${index}`,
    type: "bind",
    source: `/home/u/.local/share/containers/storage/volumes/v${index}/_data`,
    options: ["rw", "rprivate", "nosuid", "nodev", "rbind", "idmap"],
  }));
  return {
    ociVersion: "1.2.0+dev",
    process: {
      terminal: false,
      user: { uid: 1000, gid: 1000, umask: 18, additionalGids: [10, 1000] },
      args: ["/usr/bin/python3", "-m", "http.server"],
      env: Array.from({ length: 30 }, (_, index) => `VARIABLE_${index}=${"value ".repeat(10)}`),
      cwd: "/",
      capabilities: { bounding: CAPABILITIES, effective: null, inheritable: null },
      rlimits: [
        { type: "RLIMIT_NOFILE", hard: 1048576, soft: 1048576 },
        { type: "RLIMIT_CORE", hard: 2 ** 64, soft: 2 ** 64 },
      ],
      noNewPrivileges: true,
      oomScoreAdj: 0,
      apparmorProfile: "",
      selinuxLabel: "system_u:system_r:container_t:s0:c1,c2",
    },
    root: { path: "/home/u/.local/share/containers/storage/overlay/abc/merged" },
    hostname: "0123456789ab",
    mounts: [...(base.mounts ?? []), ...volumes],
    annotations: { "io.container.manager": "libpod", "org.opencontainers.image.stopSignal": "15" },
    hooks: { poststop: [{ path: "/usr/bin/podman", args: ["podman", "cleanup"], timeout: 10 }] },
    linux: {
      ...seccompProfile(),
      uidMappings: [{ containerID: 0, hostID: 1, size: 65536 }],
      gidMappings: [{ containerID: 0, hostID: 1, size: 65536 }],
      sysctl: { "net.ipv4.ping_group_range": "0 0", "net/ipv4/ip_forward": "1", "kernel.shmmax": "1" },
      resources: {
        devices: [{ allow: false, access: "rwm" }],
        memory: { limit: 536870912, swap: 1073741824, reservation: 268435456, swappiness: 60 },
        cpu: { quota: 50000, period: 100000, cpus: "0-1" },
        pids: { limit: 2048 },
        unified: { "memory.high": "500000000" },
      },
      cgroupsPath: "user.slice:libpod:0123456789ab",
      namespaces: [
        { type: "pid" },
        { type: "network", path: "/run/user/1000/netns/netns-1" },
        { type: "ipc" },
        { type: "uts" },
        { type: "mount" },
        { type: "cgroup" },
        { type: "user" },
      ],
      maskedPaths: base.linux?.maskedPaths,
      readonlyPaths: base.linux?.readonlyPaths,
      mountLabel: "system_u:object_r:container_file_t:s0:c1,c2",
      rootfsPropagation: "slave",
    },
  };
}

/** What containerd's CRI plugin writes for a pod's container: namespaces by path, mappings repeated, nulls of Go. */
function containerdLike(): unknown {
  return {
    ...(podmanLike() as object),
    ociVersion: "1.0.2-dev",
    hooks: null,
    root: { path: "rootfs" },
    hostname: "",
    mounts: Array.from({ length: 20 }, (_, index) => ({
      destination: `/var/run/secrets/${index}`,
      type: "bind",
      source: `/var/lib/kubelet/pods/uid/volumes/${index}`,
      options: ["rbind", "rprivate", "ro"],
    })),
    linux: {
      ...seccompProfile(),
      resources: {
        devices: [
          { allow: false, access: "rwm" },
          { allow: true, type: "c", major: 1, minor: 3, access: "rwm" },
          { allow: true, type: "b", minor: 0 },
          { allow: true, type: "", access: "r" },
        ],
        memory: { limit: -1, swap: -1 },
        cpu: { shares: 2, quota: -1, period: 100000 },
        pids: {},
        hugepageLimits: [{ pageSize: "2MB", limit: 0 }],
      },
      cgroupsPath: "/kubepods/burstable/poduid/0123456789ab",
      uidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }],
      gidMappings: [{ containerID: 0, hostID: 100000, size: 65536 }],
      namespaces: [
        ...["ipc", "uts", "network", "user"].map((type) => ({ type, path: `/proc/4711/ns/${type}` })),
        { type: "pid" },
        { type: "mount" },
      ],
      maskedPaths: null,
      readonlyPaths: [],
    },
    windows: { whatever: "it holds" },
    vm: 7,
    "com.example.unknown": { property: null },
  };
}

const base = defaultSpec({ rootless: false });

/** The default config.json with other parts. */
function withLinux(linux: unknown): unknown {
  return { ...base, linux: { ...base.linux, ...(linux as object) } };
}

function withProcess(process: unknown): unknown {
  return { ...base, process: { ...base.process, ...(process as object) } };
}

// biome-ignore format: a table, one document a line
const good: readonly (readonly [name: string, document: unknown])[] = [
  ["the default", base],
  ["the rootless default", defaultSpec({ rootless: true, uid: 1000, gid: 1000 })],
  ["a config like Podman's", podmanLike()],
  ["a config like containerd's", containerdLike()],
  ["the least there can be", { ociVersion: "1.0.0", root: { path: "/" } }],
  ["a config without process", { ...base, process: undefined }],
  ["every version 1", { ...base, ociVersion: "1.99.0-rc.1+build" }],
  ["a version of two numbers", { ...base, ociVersion: "1.3" }],
  ["no root with the reg extension", { ociVersion: "1.3.0", reg: { environments: ["python@3.11"], domain: "tenant-a", writable: { type: "tmpfs", size: "64m" }, workdir: { source: ".", destination: "/src", readonly: true } } }],
  ["no root with the extension's annotations", { ociVersion: "1.3.0", annotations: { "org.reg.environments": "python@3.11" } }],
  ["unknown properties, however deep", withProcess({ foo: 1, user: { uid: 0, gid: 0, bar: [] } })],
  ["a process without user", withProcess({ user: undefined })],
  ["half a user", withProcess({ user: { uid: 5 } })],
  ["unknown capabilities", withProcess({ capabilities: { bounding: ["CAP_NO_SUCH", "CAP_KILL", "CAP_KILL"] } })],
  ["a console size without terminal", withProcess({ terminal: false, consoleSize: { height: 25, width: 80 } })],
  ["an environment entry without value", withProcess({ env: ["A", "=B", ""] })],
  ["I/O priority without number", withProcess({ ioPriority: { class: "IOPRIO_CLASS_IDLE" } })],
  ["a deadline", withProcess({ scheduler: { policy: "SCHED_DEADLINE", runtime: 1, deadline: 2, period: 3, flags: ["SCHED_FLAG_RECLAIM"] } })],
  ["a realtime policy", withProcess({ scheduler: { policy: "SCHED_RR", priority: 99 } })],
  ["nice outside of its range where nobody reads it", withProcess({ scheduler: { policy: "SCHED_IDLE", nice: 50 } })],
  ["odd CPU lists that runc reads", withProcess({ execCPUAffinity: { initial: " 0 - 3".replaceAll(" - ", "-"), final: ",1,,2-2," } })],
  ["joined namespaces for what needs them", withLinux({ namespaces: ["pid", "network", "ipc", "uts", "mount", "user"].map((type) => ({ type, path: `/proc/1/ns/${type}` })), sysctl: { "net.core.somaxconn": "1", "kernel.msgmax": "1", "fs/mqueue/msg_max": "1", "user.max_user_namespaces": "1" } })],
  ["kernel.domainname by itself", withLinux({ sysctl: { "kernel.domainname": "d" } })],
  ["kernel.hostname that agrees", withLinux({ sysctl: { "kernel.hostname": "reg" } })],
  ["empty time offsets", withLinux({ timeOffsets: {} })],
  ["time offsets", withLinux({ namespaces: [...(base.linux?.namespaces ?? []), { type: "time" }], timeOffsets: { monotonic: { secs: -5, nanosecs: 999999999 }, boottime: {} } })],
  ["mounts of lxcfs", { ...base, mounts: [{ destination: "/proc/cpuinfo", type: "bind", source: "/var/lib/lxcfs/proc/cpuinfo", options: ["bind"] }, { destination: "/proc/sys/kernel/ns_last_pid", type: "fuse.lxcfs" }] }],
  ["a bind mount on /proc", { ...base, mounts: [{ destination: "/proc/", type: "none", source: "/proc", options: ["rbind"] }] }],
  ["mounts whose names only look like /proc", { ...base, mounts: [{ destination: "/processes" }, { destination: "/home/proc/self" }, { destination: "/proc/../tmp" }] }],
  ["relative destinations", { ...base, mounts: [{ destination: "mnt", type: "tmpfs" }] }],
  ["an id-mapped bind mount without user namespace", { ...base, mounts: [{ destination: "/v", source: "/v", type: "none", options: ["bind"], uidMappings: [{ containerID: 0, hostID: 1, size: 1 }], gidMappings: [{ containerID: 0, hostID: 1, size: 1 }] }] }],
  ["devices of every kind", withLinux({ devices: [{ path: "/dev/fuse", type: "c", major: 10, minor: 229, fileMode: 438, uid: 0, gid: 0 }, { path: "/dev/sda", type: "b", major: 8, minor: 0 }, { path: "/run/fifo", type: "p" }, { path: "/dev/u", type: "u", major: 0, minor: 0 }] })],
  ["network devices", withLinux({ netDevices: { eth1: {}, "ens3.100": { name: "lan0" } } })],
  ["a seccomp object that means none", withLinux({ seccomp: { defaultAction: "", architectures: null, syscalls: null } })],
  ["an empty seccomp object", withLinux({ seccomp: {} })],
  ["architectures as crun reads them", withLinux({ seccomp: { defaultAction: "SCMP_ACT_ALLOW", architectures: ["x86_64", "SCMP_ARCH_AARCH64", "SCMP_ARCH_RISCV64"] } })],
  ["flags of seccomp", withLinux({ seccomp: { defaultAction: "SCMP_ACT_ALLOW", flags: ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", "SECCOMP_FILTER_FLAG_TSYNC"] } })],
  ["notifications with a listener", withLinux({ seccomp: { defaultAction: "SCMP_ACT_ALLOW", listenerPath: "/run/s", listenerMetadata: "m\0", syscalls: [{ names: ["mkdir"], action: "SCMP_ACT_NOTIFY" }] } })],
  ["notifications with crun's annotation", { ...(withLinux({ seccomp: { defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: ["mkdir"], action: "SCMP_ACT_NOTIFY" }] } }) as object), annotations: { "run.oci.seccomp.receiver": "/run/s" } }],
  ["every resource", withLinux({ resources: { blockIO: { weight: 10, leafWeight: 10, weightDevice: [{ major: 8, minor: 0, weight: 500 }], throttleWriteIOPSDevice: [{ major: 8, minor: 16, rate: 300 }] }, network: { classID: 1048577, priorities: [{ name: "eth0", priority: 500 }] }, rdma: { mlx5_1: { hcaHandles: 3 } }, cpu: { quota: 100, burst: 100, idle: 1, realtimeRuntime: 1 } } })],
  ["resctrl, personality and memory policy", withLinux({ intelRdt: { closID: "guaranteed", schemata: ["L3:0=7f0"], enableMonitoring: true }, personality: { domain: "LINUX32", flags: [] }, memoryPolicy: { mode: "MPOL_INTERLEAVE", nodes: "0-1", flags: ["MPOL_F_STATIC_NODES"] } })],
  ["a preferred node that is left open", withLinux({ memoryPolicy: { mode: "MPOL_PREFERRED" } })],
  ["an empty propagation", withLinux({ rootfsPropagation: "" })],
  ["NUL bytes in annotations", { ...base, annotations: { a: "\0" } }],
  ["a backslash before u0000", withProcess({ args: ["\\u0000"] })],
];

const documents = suite("parse: documents that runc or crun accept");
for (const [name, document] of good) documents(`accepts ${name}`, () => accepted(document) as unknown as undefined);

documents("accepts duplicate names, the last one counts", () => {
  assert.is(accepted('{"ociVersion":"1.0.0","root":{"path":"a"},"root":{"path":"b"}}').root?.path, "b");
});

documents("removes null properties", () => {
  const config = accepted({ ...base, hooks: null, annotations: { a: null, b: "1" } });
  assert.not(Object.hasOwn(config, "hooks"));
  assert.equal(config.annotations, { b: "1" });
});

documents("reads the process of exec", () => {
  assert.equal(parseProcess('{"cwd":"/","args":["a"]}', "p").args, ["a"]);
});

documents("reads the limits of update, swap by itself too", () => {
  assert.is(parseResources('{"memory":{"swap":1024}}', "-").memory?.swap, 1024);
  assert.equal(parseResources("{}", "-"), {});
});

documents("reads 2^64-1 in spite of doubles", () => {
  const hard = parseProcess(
    '{"cwd":"/","args":["a"],"rlimits":[{"type":"RLIMIT_CORE","soft":1,"hard":18446744073709551615}]}',
    "p",
  ).rlimits?.[0]?.hard;
  assert.is(uint64(hard ?? 0), 18446744073709551615n);
  assert.is(uint64(5), 5n);
});

documents("carries what explain needs", () => {
  try {
    parseConfig("{]", "some/config.json");
    assert.unreachable();
  } catch (error) {
    assert.instance(error, InvalidDocument);
    const { kind, text, file, code, message } = error as InvalidDocument;
    assert.equal([kind, text, file, code], ["config", "{]", "some/config.json", "EINVAL"]);
    assert.is(message, "some/config.json: not a valid config document");
  }
});
documents.run();

const variants = suite("parse: the fast and the full validator");
const values: readonly unknown[] = [null, 0, -1, 1.5, 5e9, 2 ** 65, "", "x", true, [], [0], ["x"], {}, { x: 1 }];

/** Every document that differs from `document` in one place. */
function* mutations(document: unknown): Generator<() => void> {
  if (typeof document !== "object" || document === null) return;
  const object = document as Record<string, unknown>;
  for (const key of Object.keys(object)) {
    const before = object[key];
    for (const value of values) {
      object[key] = value;
      yield () => undefined;
    }
    delete object[key];
    yield () => undefined;
    object[key] = before;
    yield* mutations(before);
  }
}

variants("agree on every document that differs in one place from a large one", () => {
  const everything = JSON.parse(JSON.stringify(good.map(([, document]) => document)));
  let count = 0;
  let invalid = 0;
  for (const document of everything) {
    const names = document.linux?.seccomp?.syscalls?.[0]?.names;
    if (names !== undefined) names.length = 2;
    for (const _ of mutations(document)) {
      count++;
      const valid = fast.config(document);
      if (!valid) invalid++;
      if (valid !== full.config(document)) assert.unreachable(JSON.stringify(document));
    }
  }
  assert.ok(count > 50_000 && invalid > 20_000, `${count} documents, ${invalid} of them invalid`);
});

variants("never leave a refused document without a fault", () => {
  const document = JSON.parse(JSON.stringify(containerdLike()));
  document.linux.seccomp.syscalls[0].names.length = 2;
  for (const _ of mutations(document)) {
    const text = JSON.stringify(document);
    try {
      parseConfig(text, "config.json");
    } catch (error) {
      if (!(error instanceof InvalidDocument)) throw error;
      const { faults } = explain(error);
      if (faults.length === 0 || faults.length > 4) assert.unreachable(`${faults.length} faults: ${text}`);
    }
  }
});
variants.run();
