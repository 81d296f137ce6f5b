/** The config.json that `reg spec` writes: a shell in a locked-down container, to be edited. */
import type { Config, Mount, Namespace } from "./config.ts";

export interface DefaultSpecOptions {
  /** For a user without privileges: a user namespace that maps root to `uid` and `gid`, and no mount that needs more. */
  readonly rootless: boolean;
  readonly uid?: number;
  readonly gid?: number;
}

/** The same content as the default of other runtimes, so that tutorials and scripts written for them work. */
export function defaultSpec({ rootless, uid = 0, gid = 0 }: DefaultSpecOptions): Config {
  const capabilities = ["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"];
  return {
    ociVersion: "1.3.0",
    process: {
      terminal: true,
      user: { uid: 0, gid: 0 },
      args: ["sh"],
      env: ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm"],
      cwd: "/",
      capabilities: { bounding: capabilities, effective: capabilities, permitted: capabilities },
      rlimits: [{ type: "RLIMIT_NOFILE", hard: 1024, soft: 1024 }],
      noNewPrivileges: true,
    },
    root: { path: "rootfs", readonly: true },
    hostname: "reg",
    mounts: rootless ? rootlessMounts() : mounts(),
    linux: {
      ...(rootless
        ? {
            uidMappings: [{ containerID: 0, hostID: uid, size: 1 }],
            gidMappings: [{ containerID: 0, hostID: gid, size: 1 }],
          }
        : { resources: { devices: [{ allow: false, access: "rwm" }] } }),
      namespaces: namespaces(rootless),
      maskedPaths: [
        "/proc/acpi",
        "/proc/asound",
        "/proc/kcore",
        "/proc/keys",
        "/proc/latency_stats",
        "/proc/timer_list",
        "/proc/timer_stats",
        "/proc/sched_debug",
        "/sys/firmware",
        "/proc/scsi",
      ],
      readonlyPaths: ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
    },
  };
}

/** A user may not make a network of their own that leads anywhere, so rootless keeps the host's. */
function namespaces(rootless: boolean): Namespace[] {
  const types = [
    "pid",
    ...(rootless ? [] : ["network"]),
    "ipc",
    "uts",
    "mount",
    "cgroup",
    ...(rootless ? ["user"] : []),
  ];
  return types.map((type) => ({ type: type as Namespace["type"] }));
}

function mounts(): Mount[] {
  return [
    { destination: "/proc", type: "proc", source: "proc" },
    {
      destination: "/dev",
      type: "tmpfs",
      source: "tmpfs",
      options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
    },
    {
      destination: "/dev/pts",
      type: "devpts",
      source: "devpts",
      options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
    },
    {
      destination: "/dev/shm",
      type: "tmpfs",
      source: "shm",
      options: ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"],
    },
    { destination: "/dev/mqueue", type: "mqueue", source: "mqueue", options: ["nosuid", "noexec", "nodev"] },
    { destination: "/sys", type: "sysfs", source: "sysfs", options: ["nosuid", "noexec", "nodev", "ro"] },
    {
      destination: "/sys/fs/cgroup",
      type: "cgroup",
      source: "cgroup",
      options: ["nosuid", "noexec", "nodev", "relatime", "ro"],
    },
  ];
}

function rootlessMounts(): Mount[] {
  return mounts().map((mount) => {
    // A new sysfs belongs to a network namespace, and here that is the host's.
    if (mount.destination === "/sys")
      return { ...mount, type: "none", source: "/sys", options: ["rbind", "nosuid", "noexec", "nodev", "ro"] };
    // Only one group is mapped, and gid 5 is not it.
    return { ...mount, ...(mount.options ? { options: mount.options.filter((option) => option !== "gid=5") } : {}) };
  });
}
