/**
 * What `reg features` says: derived from the tables that the code works with. containerd refuses id-mapped mounts, and
 * Podman seccomp profiles, when this does not offer them. Source: runtime-spec features.md and features-linux.md.
 */
import { CAPABILITY_NAMES } from "../linux/capability.ts";
import type { Features, Hooks } from "./config.ts";
import { MEMORY_POLICY_FLAGS, MEMORY_POLICY_MODES } from "./plan/memory-policy.ts";
import { knownMountOptions } from "./plan/mount-options.ts";
import { NAMESPACE_FLAGS } from "./plan/namespaces.ts";
import { SECCOMP_ACTIONS, SECCOMP_ARCHITECTURES, SECCOMP_FLAGS, SECCOMP_OPERATORS } from "./plan/seccomp.ts";

/** The parts of the specification that are whole features of their own: the one place that says which of them are there. */
export const IMPLEMENTED = {
  cgroupV1: true,
  cgroupV2: true,
  systemd: true,
  rdma: true,
  seccomp: true,
  apparmor: true,
  selinux: true,
  intelRdt: true,
  memoryPolicy: true,
  idmap: true,
  netDevices: true,
  checkpoint: true,
} as const;

/** In the order of a container's life. A hook that Hooks gets or loses is an error here. */
const HOOKS: Readonly<Record<keyof Hooks, true>> = {
  prestart: true,
  createRuntime: true,
  createContainer: true,
  startContainer: true,
  poststart: true,
  poststop: true,
};

export interface FeaturesOptions {
  /** reg's own version and what it was built from. */
  readonly version: string;
  readonly commit?: string;
  readonly libseccomp?: string;
  /** The newest version of the specification. */
  readonly specVersion: string;
}

export function features({ version, commit, libseccomp, specVersion }: FeaturesOptions): Features {
  return {
    ociVersionMin: "1.0.0",
    ociVersionMax: specVersion,
    hooks: Object.keys(HOOKS),
    mountOptions: knownMountOptions(),
    linux: {
      namespaces: Object.keys(NAMESPACE_FLAGS).sort(),
      capabilities: CAPABILITY_NAMES,
      cgroup: {
        v1: IMPLEMENTED.cgroupV1,
        v2: IMPLEMENTED.cgroupV2,
        systemd: IMPLEMENTED.systemd,
        systemdUser: IMPLEMENTED.systemd,
        rdma: IMPLEMENTED.rdma,
      },
      seccomp: {
        enabled: IMPLEMENTED.seccomp,
        actions: Object.keys(SECCOMP_ACTIONS).sort(),
        operators: Object.keys(SECCOMP_OPERATORS).sort(),
        archs: [...SECCOMP_ARCHITECTURES].sort(),
        knownFlags: Object.keys(SECCOMP_FLAGS).sort(),
        supportedFlags: Object.keys(SECCOMP_FLAGS).sort(),
      },
      apparmor: { enabled: IMPLEMENTED.apparmor },
      selinux: { enabled: IMPLEMENTED.selinux },
      intelRdt: { enabled: IMPLEMENTED.intelRdt, schemata: IMPLEMENTED.intelRdt, monitoring: IMPLEMENTED.intelRdt },
      ...(IMPLEMENTED.memoryPolicy
        ? { memoryPolicy: { modes: Object.keys(MEMORY_POLICY_MODES), flags: Object.keys(MEMORY_POLICY_FLAGS) } }
        : {}),
      mountExtensions: { idmap: { enabled: IMPLEMENTED.idmap } },
      netDevices: { enabled: IMPLEMENTED.netDevices },
    },
    annotations: {
      "org.reg.version": version,
      ...(commit === undefined ? {} : { "org.reg.commit": commit }),
      ...(libseccomp === undefined ? {} : { "io.github.seccomp.libseccomp.version": libseccomp }),
      "org.opencontainers.runc.checkpoint.enabled": String(IMPLEMENTED.checkpoint), // the key that callers know
    },
    potentiallyUnsafeConfigAnnotations: [
      "org.reg.",
      "org.criu.config",
      ...(IMPLEMENTED.systemd ? ["org.systemd.property."] : []),
    ],
  };
}
