/** `reg state` and `reg list`: what a container is and how it is doing. */
import { RegError } from "../errors/errors.ts";
import { readTextIfExists } from "../libc/file.ts";
import type { State } from "../oci/config.ts";
import { Container } from "./container.ts";
import { withIds } from "./store.ts";

/** The spec's state, and what runc adds. */
export interface ContainerState extends State {
  readonly pid: number;
  readonly rootfs: string;
  readonly created: string;
  /** Name of the user who made it. */
  readonly owner: string;
}

function describe(container: Container, owner: string): ContainerState {
  const { annotations, ...state } = container.describe();
  const { rootfs, created } = container.state;
  const kept = annotations === undefined || Object.keys(annotations).length === 0 ? {} : { annotations };
  return { ...state, pid: state.pid ?? 0, rootfs, created, ...kept, owner };
}

/** Gives the name of a user in /etc/passwd; the number when it has none. */
function userNames(): (uid: number) => string {
  const names = new Map<string, string>();
  for (const line of (readTextIfExists("/etc/passwd") ?? "").split("\n")) {
    const [name = "", , uid = ""] = line.split(":");
    if (!names.has(uid)) names.set(uid, name); // the first has it, as for getpwuid(3)
  }
  return (uid) => names.get(String(uid)) ?? String(uid);
}

/** Throws RegError "does not exist". */
export function containerState(root: string, id: string): ContainerState {
  const container = Container.open(root, id);
  try {
    return describe(container, "");
  } finally {
    container.directory.close();
  }
}

/** All containers below the root. One that is deleted meanwhile is left out; so is one that can not be read, with a warning. */
export function listContainers(root: string, warn?: (message: string) => void): ContainerState[] {
  const nameOf = userNames();
  const states: ContainerState[] = [];
  withIds(root, (ids, directory) => {
    for (const id of ids) {
      try {
        const container = Container.openIn(directory, root, id);
        try {
          states.push(describe(container, nameOf(container.state.ownerUid)));
        } finally {
          container.directory.close();
        }
      } catch (error) {
        if (!(error instanceof RegError)) throw error;
        if (error.code !== "ENOENT") warn?.(error.message);
      }
    }
  });
  return states;
}
