/**
 * `delete`: takes away what a shim left that is not there any more; after a usual end, that is nothing. It must work with
 * anything missing, and twice. Source: containerd core/runtime/v2/README.md.
 */

import { host } from "#host";
import { deleteContainer } from "../container/delete.ts";
import { RegError } from "../errors/errors.ts";
import * as C from "../libc/constants.ts";
import { exists, open, readDirectory, readLink, readTextIfExists, unlink, withFd, writeAll } from "../libc/file.ts";
import { encode } from "../linux/protobuf.ts";
import type { Arguments } from "./arguments.ts";
import { now } from "./clock.ts";
import { unmountRoot } from "./mounts.ts";
import { DELETED } from "./proto/task.ts";
import { type BundleRecord, readRecord } from "./record.ts";
import { SIGKILL } from "./signals.ts";
import { lookAtSocket } from "./start.ts";
import { stateRoot } from "./state-root.ts";
import { describe } from "./ttrpc/status.ts";

/** Where in a bundle something may be mounted: a root, and what a pod of the shim's own has beside it (sandbox/files.ts). */
const MOUNTED = ["rootfs", "shm"];

/** Returns an encoded DeleteResponse. What can not be taken away is said on standard error, and is no failure. */
export function deleteLeftovers(args: Arguments): Uint8Array {
  const bundle = args.bundle === "" ? readLink("/proc/self/cwd") : args.bundle;
  const record = readRecord(bundle);
  // A shim that is still there looks after the others itself: containerd also calls when a pod's first container was deleted before them. One
  // that ended by itself had none left, and took its socket away: then nobody reads the bundles of all pods.
  const found = record?.socket === undefined ? undefined : lookAtSocket(record.socket);
  if (found === undefined || found === "abandoned")
    for (const { id, path } of membersOf(bundle, args.id)) clean(path, id, readRecord(path), args.namespace);
  clean(bundle, args.id, record, args.namespace);
  const { pid = 0, exit } = record ?? {};
  return encode(
    DELETED,
    exit === undefined
      ? { pid, exitStatus: 128 + SIGKILL, exitedAt: now() }
      : { pid, exitStatus: exit.status, exitedAt: exit.at },
  );
}

/**
 * The other containers of a pod, whose bundles lie beside the sandbox's, or with the tasks' where containerd has left the pod to the shim: it
 * calls for the sandbox alone.
 */
function membersOf(bundle: string, sandbox: string): { readonly id: string; readonly path: string }[] {
  const parent = bundle.slice(0, bundle.lastIndexOf("/"));
  const tasks = parent.replace("/io.containerd.sandbox.controller.v1.shim/", "/io.containerd.runtime.v2.task/");
  const beside = attempt(() => withFd(open(tasks, C.O_RDONLY | C.O_DIRECTORY), readDirectory)) ?? [];
  return beside
    .filter(({ name, type }) => type === C.S_IFDIR && name !== sandbox)
    .map(({ name }) => ({ id: name, path: `${tasks}/${name}` }))
    .filter(({ path }) => attempt(() => readTextIfExists(`${path}/sandbox`))?.trim() === sandbox);
}

function clean(bundle: string, id: string, record: Partial<BundleRecord> | undefined, namespace: string): void {
  const root = record?.root ?? stateRoot({ root: "" }, namespace);
  if (exists(`${root}/${id}`)) attempt(() => deleteContainer({ root, id, force: true, warn }));
  for (const name of MOUNTED) attempt(() => unmountRoot(`${bundle}/${name}`));
  const { socket } = record ?? {};
  if (socket !== undefined) attempt(() => lookAtSocket(socket) === "abandoned" && unlink(socket));
}

function attempt<T>(action: () => T): T | undefined {
  try {
    return action();
  } catch (error) {
    if (!(error instanceof RegError)) throw error;
    warn(describe(error));
    return undefined;
  }
}

function warn(text: string): void {
  writeAll(2, host.encode(`${text}\n`), "standard error");
}
