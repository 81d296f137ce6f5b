/** Device nodes and links in the container's /dev. Source: runtime-spec config-linux.md "Devices". */
import { host } from "#host";
import { EEXIST, EPERM } from "../../errors/errno.ts";
import { at, RegError, SyscallError } from "../../errors/errors.ts";
import * as C from "../../libc/constants.ts";
import { close, exists, type FileStatus, stat, withFd } from "../../libc/file.ts";
import { libc } from "../../libc/libc.ts";
import { cloneTree, moveMount } from "../../libc/mount.ts";
import { directoryInRoot, fileInRoot, splitPath } from "../../linux/path.ts";
import { DEVICE_LINKS, type DevicePlan } from "../../oci/plan/devices.ts";

/** dev_t as glibc's makedev(3). */
function deviceNumber(major: number, minor: number): number {
  return (minor & 0xff) + (major & 0xfff) * 0x100 + Math.floor(minor / 0x100) * 0x100000;
}

/** Fills /dev. The caller's umask is 0. With `bindNodes` (a user namespace) the host's nodes are bound: mknod(2) is not allowed there. */
export function makeDevices(root: number, devices: readonly DevicePlan[], bindNodes: boolean): void {
  // One descriptor for /dev: it may be a symlink in the image (CVE-2026-41579), so it is resolved once, inside the root.
  const { fd: dev } = directoryInRoot(root, "/dev");
  withFd(dev, () => {
    for (const device of devices) at(device.field, () => makeDevice(root, dev, device, bindNodes));
    for (const [path, target] of DEVICE_LINKS) makeLink(dev, splitPath(path)[1], target);
    if (exists("/proc/kcore")) makeLink(dev, "core", "/proc/kcore");
  });
}

function makeDevice(root: number, dev: number, device: DevicePlan, bindNodes: boolean): void {
  const [parent, name] = splitPath(device.path);
  const directory = parent === "/dev" ? dev : directoryInRoot(root, parent === "" ? "/" : parent).fd;
  try {
    if (bindNodes) bindDevice(root, device);
    else makeNode(root, directory, name, device);
  } finally {
    if (directory !== dev) close(directory);
  }
}

function makeNode(root: number, directory: number, name: string, device: DevicePlan): void {
  const number = deviceNumber(device.major, device.minor);
  if (libc.mknodat(directory, name, device.type | device.mode, number) === -1) {
    const errno = host.errno();
    if (errno === EPERM) {
      bindDevice(root, device);
      return;
    }
    if (errno !== EEXIST) throw new SyscallError("mknodat(2)", device.path, errno);
    if (!isDevice(stat(name, directory), device))
      throw new RegError("EEXIST", `mknodat(2) ${device.path}: the rootfs has something else there`, {
        hint: "mount a tmpfs on /dev, or remove the file from the rootfs",
      });
  }
  if (device.uid !== 0 || device.gid !== 0)
    if (libc.fchownat(directory, name, device.uid, device.gid, C.AT_SYMLINK_NOFOLLOW) === -1)
      throw new SyscallError("fchownat(2)", device.path, host.errno());
}

function isDevice(found: FileStatus, { type, major, minor }: DevicePlan): boolean {
  return found.type === type && (type === C.S_IFIFO || (found.rdevMajor === major && found.rdevMinor === minor));
}

function bindDevice(root: number, device: DevicePlan): void {
  withFd(openHostDevice(device), (tree) =>
    withFd(fileInRoot(root, device.path), (target) => moveMount(tree, target, device.path)),
  );
}

/** A detached copy of the host's node. The container's path is a path of the host here: what lies there is only given away if it is the device. */
export function openHostDevice(device: DevicePlan): number {
  const tree = cloneTree(device.path, false);
  if (isDevice(stat("", tree), device)) return tree;
  close(tree);
  throw new RegError("ENODEV", `bind ${device.path}: the host has something else there`, {
    hint: `expected the device ${device.major}:${device.minor}; mknod(2) is not allowed here`,
  });
}

function makeLink(directory: number, name: string, target: string): void {
  if (libc.symlinkat(target, directory, name) === 0) return;
  if (host.errno() !== EEXIST) throw new SyscallError("symlinkat(2)", `/dev/${name}`, host.errno());
  if (name !== "ptmx") return;
  // An image's own ptmx would open the host's terminals; the container's devpts has its own.
  libc.unlinkat(directory, name, 0);
  if (libc.symlinkat(target, directory, name) === -1)
    throw new SyscallError("symlinkat(2)", `/dev/${name}`, host.errno());
}
