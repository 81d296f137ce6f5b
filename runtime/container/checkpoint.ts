/** `reg checkpoint`: saves a running container's processes to files, by CRIU; and removes the container, unless it is to go on. */
import { ENOENT, ENOTDIR } from "../errors/errno.ts";
import { at, RegError } from "../errors/errors.ts";
import { checked } from "../libc/call.ts";
import * as C from "../libc/constants.ts";
import { close, isErrno, open, stat, withFd, writeAll } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import { Criu, type Notification } from "../linux/criu/criu.ts";
import { findCriu } from "../linux/criu/program.ts";
import { type Options, REQUEST } from "../linux/criu/rpc.ts";
import { isRootless } from "../linux/user-namespace.ts";
import type { Config } from "../oci/config.ts";
import { planDevices } from "../oci/plan/devices.ts";
import { planMounts } from "../oci/plan/mounts.ts";
import { hasNamespace, NAMESPACE_FILES, planNamespaces } from "../oci/plan/namespaces.ts";
import { notifyMount, planPaths } from "../oci/plan/plan.ts";
import { Container } from "./container.ts";
import { externalFiles, findDescriptors, writeDescriptors } from "./criu/descriptors.ts";
import { removeEarlier } from "./criu/images.ts";
import { findExternalMounts } from "./criu/mounts.ts";
import { type CriuDirectories, type CriuOptions, commonOptions, openDirectories, refusal } from "./criu/options.ts";
import { withoutVfork } from "./criu/vfork.ts";
import { destroy } from "./delete.ts";
import type { Compose } from "./plan.ts";

export interface CheckpointOptions extends CriuOptions {
  /** Directory of all containers' state. */
  readonly root: string;
  readonly id: string;
  /** Directory of an earlier checkpoint, relative to that of this one: what it has is left out. */
  readonly parentPath?: string;
  /** The container goes on afterwards. */
  readonly leaveRunning?: boolean;
  /** What is left of the container stays, for `delete`. */
  readonly keep?: boolean;
  /** Saves memory alone, and lets the container go on: a checkpoint with this one as parent has less to do. */
  readonly preDump?: boolean;
  readonly tcpSkipInFlight?: boolean;
  readonly linkRemap?: boolean;
  /** A descriptor that gets a NUL byte when lazy pages are ready to be asked for. */
  readonly statusFd?: number;
  /** Where the page server listens that takes the memory, or with lazy pages gives it. */
  readonly pageServer?: { readonly address: string; readonly port: number };
  readonly warn?: (message: string) => void;
  /** Absent: the Reg extension is ignored. */
  readonly compose?: Compose;
}

const LOG_FILE = "dump.log";

/**
 * Saves a container's processes. On an error the container goes on as before, paused if it was. Throws RegError "does not exist";
 * ENOENT without CRIU, ENOSYS for one that is too old, and CRIU with the end of its log when it could not save them.
 */
export function checkpoint(options: CheckpointOptions): void {
  checkRoot("checkpoint");
  const program = findCriu(options.criu);
  const container = Container.openLocked(options.root, options.id);
  try {
    const status = container.status();
    if (status !== "running" && status !== "paused")
      throw new RegError("EINVAL", `container cannot be checkpointed in ${status} state`, {
        hint: "only a container whose program runs has something to save",
      });
    const directories = openDirectories(options, LOG_FILE, true);
    try {
      save(container, program, options, directories);
    } finally {
      directories.close();
    }
    if (options.leaveRunning === true || options.preDump === true || options.keep === true) return;
    destroy(container, true, options.warn);
    container.directory.remove();
  } finally {
    container.directory.close();
  }
}

/** CRIU reads and writes all of a process, which takes root of the host. */
export function checkRoot(what: string): void {
  if (!isRootless()) return;
  throw new RegError("EPERM", `${what}: operation not permitted: it needs root`, { hint: "run reg as root" });
}

function save(container: Container, program: string, options: CheckpointOptions, directories: CriuDirectories): void {
  const { preDump = false, parentPath } = options;
  const pid = container.state.pid ?? 0;
  const request = dumpOptions(container, pid, options, directories);
  const criu = startCriu(program, container, directories);
  try {
    criu.checkVersion();
    checkFeatures(criu, { memoryTracking: preDump || parentPath !== undefined, lazyPages: options.lazyPages ?? false });
    const dump = () =>
      criu.request(
        { type: preDump ? REQUEST.preDump : REQUEST.dump, options: request },
        { notified: (notification) => notified(notification, options) },
      );
    const response = request.freezeCgroup === undefined ? dump() : withoutVfork(container.cgroup, dump);
    if (!response.success) throw refusal(`save container "${options.id}"`, response, directories, LOG_FILE);
    if (!preDump) removeEarlier(directories.images);
  } finally {
    criu.close();
  }
}

/**
 * What was in the memory of processes is for root alone. Where there is a user namespace, for the group of root too: CRIU reads the files as
 * root of that namespace, and before that as a root that has given up all privileges but its group, see init/restore.ts.
 */
function startCriu(program: string, { directory }: Container, { images }: CriuDirectories): Criu {
  const mapped = hasNamespace(planNamespaces(directory.readConfig()), "user");
  if (mapped) {
    const { mode, gid } = stat("", images);
    if (gid === 0) checked(libc.fchmod(images, mode | 0o050), "fchmod(2)", "the directory of the checkpoint");
  }
  const umask = libc.umask(mapped ? 0o027 : 0o077);
  try {
    return Criu.start(program);
  } finally {
    libc.umask(umask);
  }
}

function notified({ script, descriptors }: Notification, { statusFd, warn }: CheckpointOptions): void {
  for (const fd of descriptors) close(fd);
  if (script !== "status-ready" || statusFd === undefined) return;
  try {
    writeAll(statusFd, new Uint8Array(1), "--status-fd");
  } catch (error) {
    if (!(error instanceof RegError)) throw error;
    warn?.(error.message);
  }
  close(statusFd); // whoever reads it waits for its end
}

function dumpOptions(
  container: Container,
  pid: number,
  options: CheckpointOptions,
  directories: CriuDirectories,
): Options {
  const { state, directory } = container;
  const { parentPath, pageServer } = options;
  const config = directory.readConfig();
  if (parentPath !== undefined) checkParent(parentPath, directories.images);
  const freezer = state.cgroup.version === 2 ? state.cgroup.paths[""] : state.cgroup.paths.freezer;
  const descriptors = findDescriptors(pid);
  const request = {
    ...commonOptions(options, state.annotations),
    imagesDirFd: directories.images,
    workDirFd: directories.work,
    logFile: LOG_FILE,
    pid,
    root: state.rootfs,
    leaveRunning: options.leaveRunning ?? false,
    tcpSkipInFlight: options.tcpSkipInFlight ?? false,
    linkRemap: options.linkRemap ?? false,
    external: [...externalNamespaces(config, pid), ...externalFiles(descriptors)],
    ...(freezer === undefined ? {} : { freezeCgroup: freezer }),
    ...(parentPath === undefined ? {} : { parentImages: parentPath }),
    ...(parentPath === undefined && options.preDump !== true ? {} : { trackMemory: true }),
    ...(pageServer === undefined ? {} : { pageServer }),
  };
  if (options.preDump === true) return request;
  writeDescriptors(directories.images, descriptors);
  return { ...request, externalMounts: mountsOf(container, config, pid, options) };
}

function mountsOf({ state, directory }: Container, config: Config, pid: number, options: CheckpointOptions) {
  const composition = options.compose?.(config, state.bundle);
  try {
    if (composition?.layers.upper?.type === "tmpfs")
      throw new RegError("ENOTSUP", "what the container has written to its root is in memory, and would be lost", {
        field: composition.layers.field,
        hint: "let writes go to a directory (writable), to be able to checkpoint the container",
      });
    return findExternalMounts(pid, {
      mounts: [
        ...planMounts(config, state.bundle),
        ...(composition?.mounts ?? []),
        ...(directory.hasNotify() ? [notifyMount(directory.path)] : []),
      ],
      maskedPaths: planPaths(config.linux?.maskedPaths, "/linux/maskedPaths"),
      devices: planDevices(config),
      ownCgroups: hasNamespace(planNamespaces(config), "cgroup"),
    });
  } finally {
    composition?.release();
  }
}

/** Namespaces that were there before the container, and are there for it when it is restored: CRIU keeps their names alone. */
export const EXTERNAL_NAMESPACES = { network: "extRootNetNS", pid: "extRootPidNS" } as const;

function externalNamespaces(config: Config, pid: number): string[] {
  return planNamespaces(config).join.flatMap(({ type, field }) => {
    if (type !== "network" && type !== "pid") return [];
    const file = NAMESPACE_FILES[type];
    const { inode } = at(field, () => stat(`/proc/${pid}/ns/${file}`, C.AT_FDCWD, true));
    return [`${file}[${inode}]:${EXTERNAL_NAMESPACES[type]}`];
  });
}

/** CRIU keeps the path as it is given, in a link: a relative one is right as long as the two directories move together. */
function checkParent(path: string, images: number): void {
  if (path.startsWith("/"))
    throw new RegError("EINVAL", `--parent-path ${path}: it must be relative`, {
      hint: "it begins at the directory of --image-path, as ../parent",
    });
  try {
    withFd(open(path, C.O_PATH | C.O_DIRECTORY, 0, images), () => {});
  } catch (error) {
    if (!isErrno(error, ENOENT, ENOTDIR)) throw error;
    throw new RegError(error.code, `--parent-path: ${error.message}`, {
      hint: "it begins at the directory of --image-path, as ../parent",
      cause: error,
    });
  }
}

function checkFeatures(criu: Criu, wanted: { readonly memoryTracking: boolean; readonly lazyPages: boolean }): void {
  if (!wanted.memoryTracking && !wanted.lazyPages) return;
  const found = criu.features(wanted);
  if (wanted.memoryTracking && !found.memoryTracking)
    throw new RegError(
      "ENOSYS",
      "this kernel does not track changes of memory, which --pre-dump and --parent-path need",
      {
        hint: "it has to be built with CONFIG_MEM_SOFT_DIRTY",
      },
    );
  if (wanted.lazyPages && !found.lazyPages)
    throw new RegError("ENOSYS", "this kernel or this CRIU cannot restore memory lazily, which --lazy-pages needs", {
      hint: "userfaultfd(2) has to be allowed, see /proc/sys/vm/unprivileged_userfaultfd",
    });
}
