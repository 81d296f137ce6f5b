/**
 * The process that becomes CRIU to restore a container. Before that it makes, in a mount namespace of its own, what CRIU wants to find: the
 * root at a mount point, with all places in it that something will be mounted on, and what config.json has mounted from the host,
 * each opened and with its attributes as init does it. The host sees nothing of it, and nothing of it stays.
 *
 *   reg                                   this process
 *      │── clone ─────────────────────────▶│  mount namespace, root, sources
 *      │  cgroup                           │
 *      │◀───────────── staged (+ socket) ──│  execve(2) of criu
 *      │── version, restore ... ──────────▶│  linux/criu/criu.ts
 *
 * Source: CRIU's restore wants --root to be a mount point, whose parent nothing is mounted over.
 */
import { host } from "#host";
import { at, fromErrorData, RegError } from "../errors/errors.ts";
import { checked } from "../libc/call.ts";
import * as C from "../libc/constants.ts";
import { close, mkdir, open, readLink, readText, stat, withFd } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import { cloneTree, mount, moveMount, setMountAttributes, umount } from "../libc/mount.ts";
import { clone3, closeFrom, execve, joinSessionKeyring, setns, unshare, waitFor } from "../libc/process.ts";
import { socketPair } from "../libc/socket.ts";
import { CRIU_SOCKET, criuArguments, outputFile } from "../linux/criu/criu.ts";
import { parseMountinfo } from "../linux/mountinfo.ts";
import { configureDevices, type MovedDevice } from "../linux/net-device.ts";
import { bringLoopbackUp } from "../linux/network.ts";
import { directoryInRoot, fdPath, fileInRoot, openInRoot } from "../linux/path.ts";
import type { BindMount, MountPlan } from "../oci/plan/mounts.ts";
import { hasNamespace, type JoinedNamespace } from "../oci/plan/namespaces.ts";
import { NOTIFY_DESTINATION, type Plan } from "../oci/plan/plan.ts";
import { Channel } from "./channel.ts";
import { inClone } from "./enter.ts";
import type { FromInit } from "./protocol.ts";
import { cloneSource } from "./source.ts";
import { spawnNative } from "./spawn.ts";
import { resetSignals } from "./steps/become-user.ts";
import { makeDevices, openHostDevice } from "./steps/devices.ts";
import { composeRoot } from "./steps/layers.ts";
import { openRootDirectory } from "./steps/rootfs.ts";
import { resetAffinity, setMemoryPolicy } from "./steps/scheduling.ts";
import { makeTrees, treeOfRoot } from "./trees.ts";

export interface RestoreTask {
  readonly type: "restore";
  readonly plan: Plan;
  /** The program criu. */
  readonly criu: string;
  /** An existing directory, over which this process mounts what it makes. */
  readonly stage: string;
  /** Directories of the checkpoint and of CRIU's own files, which it has to be able to mount on. */
  readonly images: string;
  readonly work: string;
  /** Namespaces of the host that the container is restored into. */
  readonly namespaces: readonly JoinedNamespace[];
  /** For the other tasks' sake. */
  readonly preserveFds: 0;
}

/** What numbers descriptors have in CRIU: the caller's standard streams, for what the container had as such, directories, and namespaces. */
export const RESTORE_FDS = {
  standard: CRIU_SOCKET + 1,
  images: CRIU_SOCKET + 4,
  work: CRIU_SOCKET + 5,
  namespaces: CRIU_SOCKET + 6,
} as const;

/**
 * What the process says before it becomes CRIU; beside it is the descriptor for the conversation. It comes from here because CRIU looks
 * for descriptors in the process that has made its socket.
 */
export interface Staged {
  readonly type: "staged";
  /** The root to restore into. */
  readonly root: string;
  /** What the container had mounted from the host: the name that the checkpoint has for it, and where it is now. */
  readonly mounts: readonly (readonly [name: string, source: string])[];
}

/** The process, before it has said that all is staged. */
export interface Stager {
  readonly pid: number;
  readonly channel: Channel<never, FromInit | Staged>;
  /** See CriuProcess. */
  readonly output: number;
}

/** Starts the process. */
export function spawnRestore(task: RestoreTask): Stager {
  const [ours, theirs] = socketPair(C.SOCK_SEQPACKET);
  const channel = new Channel<never, FromInit | Staged>(ours);
  const output = outputFile();
  try {
    if (host.kind === "node") return { pid: spawnNative(task, theirs, output), channel, output };
    const pid = clone3(0);
    if (pid === 0)
      inClone(theirs, () => {
        closeFrom(3, [theirs, output]);
        return runRestore(task, theirs, output);
      });
    return { pid, channel, output };
  } catch (error) {
    channel.close();
    close(output);
    throw error;
  } finally {
    close(theirs);
  }
}

/** What a process is told that sets up the network of a container which is being restored. */
export interface NetworkTask {
  readonly type: "network";
  /** A process of the container. */
  readonly pid: number;
  readonly devices: readonly MovedDevice[];
  /** For the other tasks' sake. */
  readonly preserveFds: 0;
}

/** Brings the loopback interface and devices up in the network namespace of a process: by another process, which enters it and ends. */
export function setUpNetwork(pid: number, devices: readonly MovedDevice[]): void {
  const task = { type: "network", pid, devices, preserveFds: 0 } as const;
  const [ours, theirs] = socketPair(C.SOCK_SEQPACKET);
  const channel = new Channel<never, FromInit>(ours);
  try {
    const child = host.kind === "node" ? spawnNative(task, theirs, undefined) : clone3(0);
    if (child === 0) inClone(theirs, () => runNetwork(task));
    close(theirs);
    const received = channel.receive(); // it says nothing unless it fails
    const status = waitFor(child);
    if (received?.message.type === "error") throw fromErrorData(received.message.error);
    if (!("code" in status) || status.code !== 0)
      throw new RegError("ECHILD", "the container's network was not set up");
  } finally {
    channel.close();
  }
}

export function runNetwork({ pid, devices }: NetworkTask): never {
  withFd(open(`/proc/${pid}/ns/net`, C.O_RDONLY), (network) =>
    setns(network, C.CLONE_NEWNET, "the container's network namespace"),
  );
  bringLoopbackUp();
  configureDevices(devices);
  libc._exit(0);
  throw new Error("unreachable");
}

/** What the process does: never returns. */
export function runRestore({ plan, ...task }: RestoreTask, channel: number, output: number): never {
  resetSignals();
  libc.umask(0);
  unshare(C.CLONE_NEWNS);
  const staged = stage(plan, task.stage);
  const directories = [openImages(plan, task), open(task.work, C.O_RDONLY | C.O_DIRECTORY)];
  const namespaces = task.namespaces.map(({ path, field }) => at(field, () => open(path, C.O_RDONLY)));
  // What CRIU does not restore is that of CRIU, and must not be that of the caller.
  if (plan.newKeyring) joinSessionKeyring(`_ses.${plan.id}`);
  resetAffinity();
  setMemoryPolicy(plan.memoryPolicy);
  libc.umask(0o022);
  const [theirs, socket] = socketPair(C.SOCK_SEQPACKET);
  new Channel<Staged, never>(channel).send(staged, [theirs]);
  const given = [socket, 0, 1, 2, ...directories, ...namespaces];
  const saved = duplicate(output, CRIU_SOCKET + given.length);
  place(given, CRIU_SOCKET);
  place([saved, saved], 1); // only now: 1 and 2 have been copied
  return inClone(CRIU_SOCKET, () => execve(task.criu, criuArguments(task.criu), host.environ));
}

/** In a user namespace, CRIU reads the checkpoint as that namespace's root, to whom root's files do not belong. */
function openImages(plan: Plan, { images, stage }: Pick<RestoreTask, "images" | "stage">): number {
  const mapped = treeOfRoot(plan, images);
  if (mapped === undefined) return open(images, C.O_RDONLY | C.O_DIRECTORY);
  const path = `${stage}/images`;
  mkdir(path, 0o700);
  withFd(open(path, C.O_PATH | C.O_DIRECTORY), (target) => withFd(mapped, () => moveMount(mapped, target, path)));
  return open(path, C.O_RDONLY | C.O_DIRECTORY);
}

/** Gives descriptors the numbers from `first` on, without close-on-exec; what has these numbers before is closed. */
function place(descriptors: readonly number[], first: number): void {
  const moved = descriptors.map((fd) => duplicate(fd, first + descriptors.length));
  moved.forEach((fd, index) => {
    checked(libc.dup3(fd, first + index, 0), "dup3(2)", `descriptor ${first + index}`);
  });
}

/** A copy with a number of `least` or more, close-on-exec. */
function duplicate(fd: number, least: number): number {
  return checked(libc.fcntl(fd, C.F_DUPFD_CLOEXEC, least), "fcntl(2)", "F_DUPFD_CLOEXEC");
}

/** Makes the root and the sources below `directory`, on a filesystem of this mount namespace's own. */
function stage(plan: Plan, directory: string): Staged {
  // As mountinfo names it.
  const place = withFd(open(directory, C.O_PATH | C.O_DIRECTORY), (fd) => readLink(fdPath(fd)));
  withFd(open("/", C.O_PATH | C.O_DIRECTORY), (root) =>
    setMountAttributes(root, { set: 0, clear: 0, propagation: C.MS_SLAVE }, true, "/"),
  );
  mount("tmpfs", place, "tmpfs", C.MS_NOSUID | C.MS_NODEV, "mode=0755");
  const trees = makeTrees(plan);
  const rootPath = `${place}/root`;
  const sources = new Sources(place);
  const root = stageRoot(plan, rootPath, trees?.root);
  const covering: string[] = [];
  plan.mounts.forEach((entry, index) => {
    at(entry.field, () => {
      if (entry.kind !== "bind") {
        if (!isInside(entry.destination, plan.mounts)) close(makeMountpoint(root, entry.destination, true));
        return;
      }
      if (entry.options.nofollow?.copy === true) return; // a symlink in the root, if it is one
      const { source, isDirectory } = sources.addMount(entry, trees?.mounts[index]);
      if (isInside(entry.destination, plan.mounts)) return;
      // In its place for a moment: later entries may have their places in it.
      withFd(makeMountpoint(root, entry.destination, isDirectory), (target) =>
        mount(source, fdPath(target), null, C.MS_BIND | C.MS_REC, null),
      );
      covering.push(entry.destination);
    });
  });
  if (plan.fillDev && !isInside("/dev/null", plan.mounts)) makeDevices(root, plan.devices, false);
  if (hasNamespace(plan.namespaces, "user"))
    for (const device of plan.devices) at(device.field, () => sources.add(openHostDevice(device), false, device.path));
  for (const path of covering.reverse())
    withFd(openInRoot(root, path), (target) => umount(fdPath(target), C.MNT_DETACH));
  close(root);
  // A container that had a socket for sd_notify(3) may be restored where nobody listens.
  if (!sources.has(NOTIFY_DESTINATION)) sources.addEmpty(NOTIFY_DESTINATION);
  return { type: "staged", root: rootPath, mounts: sources.all() };
}

/** The root, mounted at `path`. Returns its descriptor. */
function stageRoot(plan: Plan, path: string, composed: number | undefined): number {
  const { rootfs } = plan;
  mkdir(path, 0o755);
  const root = at("/root/path", () => {
    if (rootfs.layers !== undefined) return composed ?? composeRoot(plan, rootfs.layers, undefined);
    return withFd(openRootDirectory(rootfs.path), (directory) => cloneTree("", true, directory));
  });
  withFd(open(path, C.O_PATH | C.O_DIRECTORY), (target) => moveMount(root, target, path));
  setMountAttributes(root, { set: 0, clear: 0, propagation: C.MS_PRIVATE }, false, path);
  return root;
}

/** Whether the path lies in a filesystem that CRIU makes and fills: what was made there for a mount is in the checkpoint. */
function isInside(path: string, mounts: readonly MountPlan[]): boolean {
  return mounts.some(({ kind, destination }) => kind !== "bind" && path.startsWith(`${destination}/`));
}

function makeMountpoint(root: number, path: string, directory: boolean): number {
  return directory ? directoryInRoot(root, path).fd : fileInRoot(root, path);
}

/** What the container gets from the host. */
class Sources {
  readonly #place: string;
  readonly #sources: (readonly [name: string, source: string])[] = [];

  constructor(place: string) {
    this.#place = place;
  }

  has(name: string): boolean {
    return this.#sources.some(([each]) => each === name);
  }

  /**
   * What the entry mounts. It is the host's path where that is all the same: only so CRIU finds out in which peer group of the host's a
   * slave of the container's was. What takes a mount of its own (mapped ids, a source that must stay in the bundle, or is a symlink) is `tree`.
   */
  addMount(entry: BindMount, tree: number | undefined): { readonly source: string; readonly isDirectory: boolean } {
    const { source, destination, within, options } = entry;
    const own = tree ?? (within !== undefined || options.nofollow?.source === true ? cloneSource(entry) : undefined);
    if (own === undefined)
      return withFd(open(source, C.O_PATH), (fd) => {
        const path = readLink(fdPath(fd));
        this.#sources.push([destination, path]);
        return { source: path, isDirectory: stat("", fd).type === C.S_IFDIR };
      });
    const isDirectory = stat("", own).type === C.S_IFDIR;
    return { source: this.add(own, isDirectory, destination), isDirectory };
  }

  /** Mounts a detached mount, and closes it. Returns where. */
  add(tree: number, isDirectory: boolean, name: string): string {
    const path = this.#next(name);
    if (isDirectory) mkdir(path, 0o755);
    else close(open(path, C.O_WRONLY | C.O_CREAT | C.O_EXCL, 0o600));
    withFd(open(path, C.O_PATH), (target) => withFd(tree, () => moveMount(tree, target, name)));
    return path;
  }

  addEmpty(name: string): void {
    mkdir(this.#next(name), 0o755);
  }

  #next(name: string): string {
    const path = `${this.#place}/${this.#sources.length}`;
    this.#sources.push([name, path]);
    return path;
  }

  /** Names and places, also of what is mounted below a source; a masked file is /dev/null. */
  all(): Staged["mounts"] {
    const mountpoints = parseMountinfo(readText("/proc/self/mountinfo"))
      .map(({ mountpoint }) => mountpoint)
      .filter((mountpoint) => mountpoint !== this.#place && !mountpoint.startsWith(`${this.#place}/root`));
    const below = this.#sources.flatMap(([name, source]) =>
      mountpoints
        .filter((mountpoint) => mountpoint.startsWith(`${source}/`))
        .map((mountpoint) => [`${name}${mountpoint.slice(source.length)}`, mountpoint] as const),
    );
    return [...this.#sources, ...below, ["/dev/null", "/dev/null"]];
  }
}
