/**
 * What a pod's containers share of files, below the bundle of its sandbox. All of it lies on mounts, so that it goes with them:
 *
 *   rootfs/              a tmpfs: the root of the process that holds the namespaces
 *   rootfs/pause         its program
 *   rootfs/etc/          hostname, hosts and resolv.conf of the containers
 *   shm/                 a tmpfs: their /dev/shm
 *
 * With the other sandboxer ("podsandbox") containerd makes these itself. Runs in a worker. Source: containerd internal/cri/server/podsandbox.
 */
import { host } from "#host";
import { checked } from "../../libc/call.ts";
import * as C from "../../libc/constants.ts";
import { mkdirIfMissing, open, readText, readTextIfExists, replaceFile, withFd, writeAll } from "../../libc/file.ts";
import { libc } from "../../libc/libc.ts";
import { mount } from "../../libc/mount.ts";
import type { Message } from "../../linux/protobuf.ts";
import { unmountRoot } from "../mounts.ts";
import type { POD_CONFIG } from "../proto/sandbox.ts";
import { podIds } from "./config.ts";
import { PAUSE, pauseProgram } from "./pause.ts";

type PodConfig = Message<typeof POD_CONFIG>;

/** As containerd's own sandboxes have it. */
const SHM_OPTIONS = "mode=1777,size=67108864";

/** The names of a pod's files in /etc. */
export const POD_FILES = ["hostname", "hosts", "resolv.conf"] as const;

export function podFile(bundle: string, name: (typeof POD_FILES)[number]): string {
  return `${bundle}/rootfs/etc/${name}`;
}

export function podShm(bundle: string): string {
  return `${bundle}/shm`;
}

/** All belongs to the pod's root, who in a user namespace is another than the host's. */
export function makePodFiles(bundle: string, config: PodConfig): void {
  const owner = podIds(config)?.root ?? { uid: 0, gid: 0 };
  const ownership = `uid=${owner.uid},gid=${owner.gid}`;
  const root = `${bundle}/rootfs`;
  const write = (path: string, text: string | Uint8Array, mode: number) =>
    withFd(open(path, C.O_WRONLY | C.O_CREAT | C.O_EXCL, mode), (fd) => {
      writeAll(fd, typeof text === "string" ? host.encode(text) : text, path);
      checked(libc.fchown(fd, owner.uid, owner.gid), "fchown(2)", path);
    });
  mkdirIfMissing(root, 0o711);
  mount("sandbox", root, "tmpfs", C.MS_NOSUID, `mode=0755,size=1m,${ownership}`); // the process gets the usual devices
  try {
    write(`${root}${PAUSE}`, pauseProgram(), 0o555);
    mkdirIfMissing(`${root}/etc`, 0o755);
    const hostname = config.hostname || readText("/proc/sys/kernel/hostname").trim();
    write(podFile(bundle, "hostname"), `${hostname}\n`, 0o644);
    write(podFile(bundle, "hosts"), readTextIfExists("/etc/hosts") ?? "127.0.0.1 localhost\n", 0o644);
    write(podFile(bundle, "resolv.conf"), resolvConf(config), 0o644);
    mkdirIfMissing(podShm(bundle), 0o711);
    mount("shm", podShm(bundle), "tmpfs", C.MS_NOSUID | C.MS_NODEV | C.MS_NOEXEC, `${SHM_OPTIONS},${ownership}`);
  } catch (error) {
    removePodFiles(bundle);
    throw error;
  }
}

/** Takes them away, if they are there. */
export function removePodFiles(bundle: string): void {
  unmountRoot(podShm(bundle));
  unmountRoot(`${bundle}/rootfs`);
}

/** resolv.conf(5); that of the host where the pod says nothing. */
function resolvConf({ dnsConfig }: PodConfig): string {
  if (dnsConfig === undefined) return readTextIfExists("/etc/resolv.conf") ?? "";
  const { searches, servers, options } = dnsConfig;
  const lines = servers.map((server) => `nameserver ${server}`);
  if (searches.length > 0) lines.unshift(`search ${searches.join(" ")}`);
  if (options.length > 0) lines.push(`options ${options.join(" ")}`);
  return lines.map((line) => `${line}\n`).join("");
}

interface GivenMount {
  readonly destination: string;
  readonly type?: string;
  readonly source?: string;
  readonly options?: readonly string[];
}

/** What is looked at in a container's config.json. */
interface GivenConfig {
  readonly annotations?: Readonly<Record<string, string>>;
  readonly root?: { readonly readonly?: boolean };
  readonly mounts?: readonly GivenMount[];
  readonly linux?: { readonly namespaces?: readonly { readonly type: string; readonly path?: string }[] };
}

/**
 * Puts the pod's files into the config.json of one of its containers. containerd leaves them out where it did not make them, and gives
 * every container a /dev/shm of its own.
 */
export function givePodFiles(bundle: string, sandbox: { readonly id: string; readonly bundle: string }): void {
  const path = `${bundle}/config.json`;
  const config = JSON.parse(readText(path)) as GivenConfig;
  if (config.annotations?.["io.kubernetes.cri.sandbox-id"] !== sandbox.id) return;
  const { mounts = [], root, linux } = config;
  const sharesIpc = linux?.namespaces?.some(({ type, path }) => type === "ipc" && path !== undefined) ?? false;
  const own = mounts.map((each) =>
    sharesIpc && each.destination === "/dev/shm" && each.type === "tmpfs"
      ? { destination: "/dev/shm", type: "bind", source: podShm(sandbox.bundle), options: ["rbind", "rprivate", "rw"] }
      : each,
  );
  const more = POD_FILES.filter((name) => mounts.every(({ destination }) => destination !== `/etc/${name}`)).map(
    (name) => ({
      destination: `/etc/${name}`,
      type: "bind",
      source: podFile(sandbox.bundle, name),
      options: ["rbind", "rprivate", root?.readonly === true ? "ro" : "rw"],
    }),
  );
  replaceFile(path, JSON.stringify({ ...config, mounts: [...own, ...more] }), 0o644);
}
