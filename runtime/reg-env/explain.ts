/** Why a file is in an environment: its reason, the reason of the file that asked for it, and so on up to the request. */
import * as fs from "node:fs";
import { ENOENT, ENOTDIR } from "../errors/errno.ts";
import { RegError } from "../errors/errors.ts";
import * as C from "../libc/constants.ts";
import { isErrno, open, openat2, withFd } from "../libc/file.ts";
import type { Entry } from "../reg/manifest.ts";
import { mergeUnits } from "../reg/merge.ts";
import { type EnvironmentName, formatEnvironmentName } from "../reg/name.ts";
import { openTree, readUnit } from "../reg/tree.ts";
import type { Reason } from "./closure/types.ts";
import { listEnvironments, unitsOfEnvironment } from "./store/contents.ts";
import { readReasons } from "./store/environment.ts";
import { type Store, withShared } from "./store/store.ts";

export interface Explained {
  /** Where it really is. */
  readonly path: string;
  readonly unit: string;
  readonly sizeBytes?: number;
  /** Of a symlink. */
  readonly target?: string;
  /** Environments of the store that have the very same file. */
  readonly environments: number;
  readonly chain: readonly Reason[];
}

/** The file, and what it leads to when it is a symlink. Throws RegError when the environment has no such path. */
export function explainPath(store: Store, name: EnvironmentName, path: string): Promise<Explained[]> {
  return withShared(store, () => {
    const units = unitsOfEnvironment(store.directory, formatEnvironmentName(name)).map((digest) =>
      readUnit(store.directory, digest),
    );
    const { path: tree } = openTree(store.directory, [name]);
    const entries = new Map(mergeUnits(units).map((entry) => [entry.path, entry]));
    const reasons = readReasons(store, name);
    const found = [resolve(tree, path, false), resolve(tree, path, true)].filter((each) => each !== undefined);
    if (found.length === 0) throw unknownPath(entries, name, path);
    return [...new Set(found)].map((real) => {
      const entry = entries.get(real.slice(1));
      if (entry === undefined) throw unknownPath(entries, name, path);
      const unit = units.find((each) => each.entries.some((other) => other.path === entry.path));
      return {
        path: real,
        unit: unit === undefined ? "no unit" : `${unit.name}@${unit.version}`,
        ...(entry.type === "file" ? { sizeBytes: entry.sizeBytes } : {}),
        ...(entry.type === "symlink" ? { target: entry.target } : {}),
        environments: countHolders(store, entry),
        chain: chainOf(reasons, real, unit?.name === "base"),
      };
    });
  });
}

/** The path inside the tree once its symlinks are followed, the last one too if asked; undefined when there is none. */
function resolve(tree: string, path: string, follow: boolean): string | undefined {
  return withFd(open(tree, C.O_RDONLY | C.O_DIRECTORY), (root) => {
    try {
      const flags = C.O_PATH | (follow ? 0 : C.O_NOFOLLOW);
      const relative = path.replace(/^\/+/, "") || ".";
      return withFd(openat2(root, relative, flags, C.RESOLVE_IN_ROOT | C.RESOLVE_NO_MAGICLINKS), (fd) =>
        fs.readlinkSync(`/proc/self/fd/${fd}`).slice(fs.readlinkSync(`/proc/self/fd/${root}`).length),
      );
    } catch (error) {
      if (isErrno(error, ENOENT, ENOTDIR)) return undefined;
      throw error;
    }
  });
}

/** Guarded against reasons that ask for each other. */
function chainOf(reasons: Readonly<Record<string, Reason>>, path: string, base: boolean): Reason[] {
  const chain: Reason[] = [];
  const seen = new Set<string>();
  for (let next: string | undefined = path; next !== undefined && !seen.has(next); ) {
    seen.add(next);
    const reason: Reason | undefined = reasons[next];
    if (reason === undefined) break;
    chain.push(reason);
    next = reason.from;
  }
  if (chain.length > 0) return chain;
  return [{ rule: base ? "base" : "folder", text: base ? "containers need it" : "a file of the environment is in it" }];
}

function countHolders(store: Store, entry: Entry): number {
  const holds = (digest: string) =>
    readUnit(store.directory, digest).entries.some(
      (other) =>
        other.path === entry.path &&
        (entry.type !== "file" || (other.type === "file" && other.object === entry.object)),
    );
  const known = new Map<string, boolean>();
  const remembered = (digest: string) => {
    const answer = known.get(digest) ?? holds(digest);
    known.set(digest, answer);
    return answer;
  };
  const names = listEnvironments(store.directory);
  return Math.max(1, names.filter((name) => unitsOfEnvironment(store.directory, name).some(remembered)).length);
}

function unknownPath(entries: ReadonlyMap<string, Entry>, name: EnvironmentName, path: string): RegError {
  const base = path.slice(path.lastIndexOf("/") + 1);
  const alike = base === "" ? [] : [...entries.keys()].filter((each) => each.split("/").at(-1)?.startsWith(base));
  const hint =
    alike.length > 0
      ? `there is ${alike
          .slice(0, 3)
          .map((each) => `/${each}`)
          .join(", ")}`
      : "reg-env list shows its size";
  return new RegError("ENOENT", `environment ${formatEnvironmentName(name)} has no ${path}`, { hint });
}
