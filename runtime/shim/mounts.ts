/**
 * The mounts that make a container's root, as containerd's snapshotter wants them. Runs in a worker: a mount may wait.
 * Source: containerd api/types/mount.proto and docs on snapshotters; mount(2), loop(4).
 */
import { host } from "#host";
import { EBUSY, EINVAL, ENOENT } from "../errors/errno.ts";
import { RegError, SyscallError } from "../errors/errors.ts";
import * as C from "../libc/constants.ts";
import { close, filesystemType, mkdirIfMissing, open, readLink, readText, withFd } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import { cloneTree, detachedFilesystem, mount, moveMount } from "../libc/mount.ts";
import { napUs } from "../linux/cgroup/wait.ts";
import { openInRoot } from "../linux/path.ts";
import { parseMountOptions } from "../oci/plan/mount-options.ts";
import { withLoopDevice } from "./loop-device.ts";
import type { Mount } from "./proto/common.ts";

/** Whether the ids of a mount are to be mapped. The code for it is loaded then: most shims never need it. */
export function wantsIdMap(mounts: readonly Mount[]): boolean {
  return mounts.some(({ options }) => options.some(isIdMap));
}

const isIdMap = (option: string) => option.startsWith("uidmap=") || option.startsWith("gidmap=");

/** mountMapped of id-mapped.ts. */
export type MountMapped = (mount: RootMount, maps: readonly string[], attributes: number) => void;

/** Mounts in order at the root, or at `target` below it. What is done is undone when one fails. */
export function mountRoot(mounts: readonly Mount[], root: string, mountMapped: MountMapped | undefined): void {
  if (mounts.length === 0) return;
  mkdirIfMissing(root, 0o711);
  try {
    for (const [index, each] of mounts.entries()) mountOne(each, root, index, mountMapped);
  } catch (error) {
    unmountRoot(root);
    throw error;
  }
}

function mountOne(
  { type, source, target, options }: Mount,
  root: string,
  index: number,
  mountMapped: MountMapped | undefined,
): void {
  const unknown = options.find((option) => option.startsWith("X-containerd."));
  if (unknown !== undefined) throw new RegError("EINVAL", `rootfs mount ${index}: option ${unknown} is not known`);
  const place = target === "" ? root : inRoot(root, target);
  const maps = options.filter(isIdMap);
  const rest = options.filter((option) => option !== "loop" && option !== "direct-io" && !isIdMap(option));
  const { flags, data, bind, set, propagation } = parseMountOptions(rest);
  const asked = { type, source, place, loop: options.includes("loop"), bind: bind || type === "bind", flags, data };
  if (maps.length === 0) mountAt(asked);
  else if (mountMapped !== undefined) mountMapped(asked, maps, set);
  else throw new RegError("ENOTSUP", `rootfs mount ${index}: nobody maps ids: ${maps.join(" ")}`);
  for (const kind of propagation) mount(null, place, null, kind, null);
}

export interface RootMount {
  readonly type: string;
  readonly source: string;
  readonly place: string;
  readonly loop: boolean;
  readonly bind: boolean;
  /** MS_* */
  readonly flags: number;
  readonly data: string;
}

export function mountAt({ type, source, place, loop, bind, flags, data }: RootMount): void {
  const readonly = (flags & C.MS_RDONLY) !== 0;
  if (loop) withLoopDevice(source, readonly, (device) => mount(device, place, type, flags, data));
  else if (type === "overlay") mountOverlay(data, flags, place);
  else if (!bind) mount(source, place, type, flags, data);
  else {
    mount(source, place, null, C.MS_BIND | (flags & C.MS_REC), null);
    const rest = flags & ~(C.MS_BIND | C.MS_REC);
    if (rest !== 0) mount(source, place, null, C.MS_REMOUNT | C.MS_BIND | rest, null);
  }
}

/** The path of a target, resolved inside the root. */
function inRoot(root: string, target: string): string {
  return withFd(open(root, C.O_PATH | C.O_DIRECTORY), (rootFd) =>
    withFd(openInRoot(rootFd, target, C.O_PATH), (fd) => readLink(`/proc/self/fd/${fd}`)),
  );
}

/** mount(2) takes a page of options. Beyond that every layer is told by itself: fsconfig(2) lowerdir+, Linux 6.5. */
const PAGE_BYTES = 4096;

export function mountOverlay(data: string, flags: number, place: string): void {
  if (data.length < PAGE_BYTES) {
    mount("overlay", place, "overlay", flags, data);
    return;
  }
  const { layers, others } = splitLayers(data);
  try {
    const options: [string, string][] = [
      ...layers.map((layer): [string, string] => ["lowerdir+", layer]),
      ...others.map((part): [string, string] => {
        const equals = part.indexOf("=");
        return equals < 0 ? [part, ""] : [part.slice(0, equals), part.slice(equals + 1)];
      }),
    ];
    const attributes = (flags & C.MS_RDONLY) !== 0 ? C.MOUNT_ATTR_RDONLY : 0;
    withFd(detachedFilesystem("overlay", options, attributes), (fd) =>
      withFd(open(place, C.O_PATH | C.O_DIRECTORY), (to) => moveMount(fd, to, place)),
    );
  } catch (error) {
    if (!(error instanceof SyscallError && error.errno === EINVAL)) throw error;
    mountShortened(layers, others, flags, place);
  }
}

export function splitLayers(data: string): { readonly layers: readonly string[]; readonly others: readonly string[] } {
  const parts = data.split(",");
  const list = parts.find((part) => part.startsWith("lowerdir="));
  return {
    layers: list?.slice("lowerdir=".length).split(":") ?? [],
    others: parts.filter((part) => part !== list && part !== ""),
  };
}

/** Older kernels: from the directory that all layers have in common, so that each is named by little. This process is a worker. */
function mountShortened(layers: readonly string[], others: readonly string[], flags: number, place: string): void {
  const directory = commonDirectory(layers);
  if (libc.chdir(directory) === -1) throw new SyscallError("chdir(2)", directory, host.errno());
  const lower = layers.map((layer) => layer.slice(directory.length)).join(":");
  const data = [`lowerdir=${lower}`, ...others].join(",");
  if (data.length >= PAGE_BYTES)
    throw new RegError("E2BIG", `mount(2) overlay on ${place}: ${layers.length} layers take ${data.length} bytes`, {
      hint: `Linux 6.5 takes more than the ${PAGE_BYTES} that this one does`,
    });
  mount("overlay", place, "overlay", flags, data);
}

function commonDirectory([first = "/", ...rest]: readonly string[]): string {
  let length = first.lastIndexOf("/") + 1;
  for (const layer of rest)
    while (!layer.startsWith(first.slice(0, length))) length = first.lastIndexOf("/", length - 2) + 1;
  return first.slice(0, length);
}

/**
 * Keeps an overlay that is mounted at the root, while it is unmounted there: at its end the kernel writes all that is to be written to the disk
 * below it, whoever that belongs to, and that may take long. Returns what lets go of it. Another filesystem is not kept: the device below it is
 * somebody's to remove. Without an effect before Linux 5.2.
 */
export function keepOverlay(root: string): () => void {
  try {
    const isOverlay = withFd(open(root, C.O_PATH), filesystemType) === C.OVERLAYFS_SUPER_MAGIC;
    if (isOverlay) {
      const fd = cloneTree(root, false);
      return () => close(fd);
    }
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
  }
  return () => undefined;
}

const TRIES = 50;
const RETRY_US = 50_000;

/** Unmounts all that is mounted at the root and below. Waits up to 2.5 s for what is busy, and then takes it out of the tree. */
export function unmountRoot(root: string): void {
  for (let attempt = 0; ; ) {
    if (libc.umount2(root, C.UMOUNT_NOFOLLOW) === 0) continue; // another may be below it
    const errno = host.errno();
    if (errno === EINVAL || errno === ENOENT) return; // nothing is mounted there
    if (errno === EBUSY && attempt < TRIES) {
      // The result does not matter: what stays keeps the root busy.
      if (attempt === 0) for (const place of mountsBelow(root)) libc.umount2(place, C.UMOUNT_NOFOLLOW);
      else napUs(RETRY_US);
      attempt++;
      continue;
    }
    if (libc.umount2(root, C.MNT_DETACH | C.UMOUNT_NOFOLLOW) === 0) return;
    throw new SyscallError("umount2(2)", root, host.errno());
  }
}

/** Mount points below a directory, deepest first. Source: proc_pid_mountinfo(5). */
function mountsBelow(root: string): string[] {
  const lines = readText("/proc/self/mountinfo").split("\n");
  const places = lines.map((line) => (line.split(" ")[4] ?? "").replaceAll("\\040", " "));
  return places.filter((place) => place.startsWith(`${root}/`)).reverse();
}
