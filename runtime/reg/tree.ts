/**
 * Trees: root filesystems made of hard links to the store's objects, so that the kernel keeps one copy of each file in memory for all
 * containers, whatever environments they run. A tree is built once, in tmp/, and renamed to its place: it is there whole or
 * not at all. Whoever calls these functions holds the store's shared lock for as long as the tree is not mounted (lock.ts).
 */
import { host } from "#host";
import { EEXIST, EINVAL, EMLINK, ENOENT, ENOTDIR, ENOTEMPTY, EOPNOTSUPP, EPERM, EXDEV } from "../errors/errno.ts";
import { RegError, SyscallError } from "../errors/errors.ts";
import { checked } from "../libc/call.ts";
import * as C from "../libc/constants.ts";
import { isErrno, mkdir, open, readDirectory, readText, withFd, writeAll } from "../libc/file.ts";
import { libc } from "../libc/libc.ts";
import { copyObject } from "./copy.ts";
import { digestOf } from "./digest.ts";
import { describeStore, environmentPath, isDigest, objectName, treePath, unitPath } from "./layout.ts";
import type { Entry, FileEntry, Unit } from "./manifest.ts";
import { combineUnits, mergeUnits } from "./merge.ts";
import { type EnvironmentName, formatEnvironmentName, isEnvironmentName } from "./name.ts";
import { Owners } from "./owners.ts";
import { removeAll } from "./remove.ts";

export interface Tree {
  readonly path: string;
  readonly digest: string;
}

/**
 * The tree of one environment or of several. One that is there costs two system calls, however many files it has. Throws RegError for an
 * environment that is not in the store.
 */
export function openTree(storeDir: string, environments: readonly EnvironmentName[]): Tree {
  const [first, ...others] = environments;
  if (first === undefined) throw new RegError("EINVAL", "no environment is named");
  if (others.length > 0) return treeOf(storeDir, combineUnits(environments.map((each) => readUnits(storeDir, each))));
  const digest = readTreeLink(storeDir, first);
  return treeIfThere(storeDir, digest) ?? treeOf(storeDir, readUnits(storeDir, first));
}

/** Units that need not be read, by digest. */
type Known = ReadonlyMap<string, Unit>;

/** The tree of these units, in this order; built when it is not there. */
export function treeOf(storeDir: string, units: readonly string[], known: Known = new Map()): Tree {
  const digest = treeDigest(units);
  return treeIfThere(storeDir, digest) ?? buildTree(storeDir, digest, units, known);
}

export function treeDigest(units: readonly string[]): string {
  return digestOf(units.join("\n"));
}

/** The text of a file that lists units. */
export function formatUnits(units: readonly string[]): string {
  return units.map((digest) => `${digest}\n`).join("");
}

export function parseUnits(text: string): string[] {
  return text.split("\n").filter((line) => line !== "");
}

/** The digests of an environment's units, in order. */
export function readUnits(storeDir: string, environment: EnvironmentName): string[] {
  try {
    return parseUnits(readText(`${environmentPath(storeDir, environment)}/units`));
  } catch (error) {
    throw isErrno(error, ENOENT, ENOTDIR) ? unknownEnvironment(storeDir, environment) : error;
  }
}

export function readUnit(storeDir: string, digest: string): Unit {
  try {
    return JSON.parse(readText(unitPath(storeDir, digest), undefined, 1024 * 1024 * 1024)) as Unit;
  } catch (error) {
    throw new RegError("EIO", `read unit ${digest}: ${error instanceof Error ? error.message : error}`, {
      hint: "reg-env verify says what is wrong with the store",
      cause: error,
    });
  }
}

/** The environments in environments/, sorted, and nothing else that may lie there; none when there is no store. */
export function listEnvironments(storeDir: string): string[] {
  try {
    const entries = withFd(open(`${storeDir}/environments`, C.O_RDONLY | C.O_DIRECTORY), readDirectory);
    return entries.flatMap(({ name }) => (isEnvironmentName(name) ? [name] : [])).sort();
  } catch (error) {
    if (isErrno(error, ENOENT, ENOTDIR)) return [];
    throw error;
  }
}

/** The digest in the environment's symlink `tree`. */
function readTreeLink(storeDir: string, environment: EnvironmentName): string {
  const path = `${environmentPath(storeDir, environment)}/tree`;
  const buffer = new Uint8Array(256);
  const length = libc.readlinkat(C.AT_FDCWD, path, buffer, buffer.length);
  if (length === -1) {
    const errno = host.errno();
    if (errno === ENOENT || errno === ENOTDIR) throw unknownEnvironment(storeDir, environment);
    throw new SyscallError("readlinkat(2)", path, errno);
  }
  const digest = host.decode(buffer.subarray(Math.max(length - 64, 0), length));
  if (!isDigest(digest)) throw new RegError("EIO", `${path} does not lead to a tree`, { hint: "reg-env verify" });
  return digest;
}

function treeIfThere(storeDir: string, digest: string): Tree | undefined {
  const path = treePath(storeDir, digest);
  if (libc.faccessat(C.AT_FDCWD, path, 0, 0) === 0) return { path, digest };
  if (host.errno() === ENOENT) return undefined;
  throw new SyscallError("faccessat(2)", path, host.errno());
}

export function unknownEnvironment(storeDir: string, environment: EnvironmentName): RegError {
  const name = formatEnvironmentName(environment);
  const installed = listEnvironments(storeDir);
  const relatives = installed.filter((each) => each.startsWith(`${environment.name}@`));
  const candidates = relatives.length > 0 ? relatives : installed;
  const shown = candidates.slice(0, 8);
  const rest = candidates.length > shown.length ? ` and ${candidates.length - shown.length} more` : "";
  const message = `environment ${name} is not in ${describeStore(storeDir)}`;
  if (shown.length === 0)
    return new RegError("ENOENT", message, { hint: "it is empty; reg-env generate makes environments" });
  return new RegError("ENOENT", `${message}; installed: ${shown.join(", ")}${rest}`, {
    hint: relatives.length > 0 ? `did you mean ${relatives.at(-1)}?` : "reg-env list shows what is there",
  });
}

/** Builds the tree aside. Whoever comes second finds the name taken and throws its own away: both are the same. */
function buildTree(storeDir: string, digest: string, units: readonly string[], known: Known): Tree {
  const path = treePath(storeDir, digest);
  return withFd(open(storeDir, C.O_RDONLY | C.O_DIRECTORY), (store) => {
    const temporary = makeAside(storeDir, store, units, known);
    try {
      // Before the tree: what is there can always be checked.
      writeUnits(store, `${temporary}.units`, `trees/${digest}.units`, units);
      if (libc.renameat(store, temporary, store, `trees/${digest}`) === 0) return { path, digest };
      const errno = host.errno();
      if (errno !== EEXIST && errno !== ENOTEMPTY) throw new SyscallError("renameat(2)", path, errno);
      removeAll(temporary, store, C.S_IFDIR);
      return { path, digest };
    } catch (error) {
      removeAll(temporary, store, C.S_IFDIR);
      throw error;
    }
  });
}

/** A tree of these units in tmp/, which nothing refers to yet. Returns its path. */
export function makeTree(storeDir: string, units: readonly string[]): string {
  return withFd(
    open(storeDir, C.O_RDONLY | C.O_DIRECTORY),
    (store) => `${storeDir}/${makeAside(storeDir, store, units)}`,
  );
}

function makeAside(storeDir: string, store: number, units: readonly string[], known: Known = new Map()): string {
  const entries = mergeUnits(units.map((unit) => known.get(unit) ?? readUnit(storeDir, unit)));
  const temporary = makeTemporary(store);
  try {
    withFd(open(temporary, C.O_RDONLY | C.O_DIRECTORY, 0, store), (root) => fill(storeDir, store, root, entries));
    return temporary;
  } catch (error) {
    removeAll(temporary, store, C.S_IFDIR);
    throw error;
  }
}

/** A directory of our own in tmp/. Processes of different pid namespaces may have the same pid. */
function makeTemporary(store: number): string {
  for (let count = 0; ; count++) {
    const name = `tmp/tree-${libc.getpid()}-${count}`;
    if (libc.mkdirat(store, name, 0o700) === 0) return name;
    if (host.errno() !== EEXIST) throw new SyscallError("mkdirat(2)", name, host.errno());
  }
}

function writeUnits(store: number, temporary: string, path: string, units: readonly string[]): void {
  const bytes = host.encode(formatUnits(units));
  withFd(open(temporary, C.O_WRONLY | C.O_CREAT | C.O_TRUNC, 0o600, store), (fd) => writeAll(fd, bytes, temporary));
  checked(libc.renameat(store, temporary, store, path), "renameat(2)", path);
}

/** Makes every entry below `root`. No path of them crosses a symlink: mergeUnits saw to that, and nobody else writes here. */
function fill(storeDir: string, store: number, root: number, entries: readonly Entry[]): void {
  const owners = new Owners();
  for (const entry of entries)
    if (entry.type === "directory") mkdir(entry.path, 0o700, root);
    else if (entry.type === "file") link(storeDir, store, root, entry);
    else checked(libc.symlinkat(entry.target, root, entry.path), "symlinkat(2)", entry.path);
  // Backwards: a directory gets its mode, which may forbid to write, when everything is in it.
  for (const entry of entries.toReversed()) {
    if (entry.type === "file") continue;
    const { uid, gid } = owners.onDisk(entry, entry.path);
    if (uid !== owners.self.uid || gid !== owners.self.gid)
      checked(libc.fchownat(root, entry.path, uid, gid, C.AT_SYMLINK_NOFOLLOW), "fchownat(2)", `/${entry.path}`);
    if (entry.type === "directory")
      checked(libc.fchmodat(root, entry.path, entry.mode, 0), "fchmodat(2)", `/${entry.path}`);
  }
  checked(libc.fchmod(root, 0o755), "fchmod(2)", "a tree");
}

function link(storeDir: string, store: number, root: number, entry: FileEntry): void {
  if (libc.linkat(store, objectName(entry.object), root, entry.path, 0) === 0) return;
  const errno = host.errno();
  // Empty files have links everywhere; ext4 allows 65,000. A copy is not shared in memory, but one in so many is no loss.
  if (errno === EMLINK) {
    copyObject(store, objectName(entry.object), root, entry);
    return;
  }
  const error = new SyscallError("linkat(2)", `/${entry.path} to ${objectName(entry.object)}`, errno);
  if (errno === ENOENT && objectIsMissing(store, entry))
    throw new RegError("EIO", `object ${entry.object} of /${entry.path} is missing in ${describeStore(storeDir)}`, {
      hint: "install the environment again; reg-env verify shows what else is missing",
      cause: error,
    });
  throw explainLink(storeDir, error);
}

function objectIsMissing(store: number, entry: FileEntry): boolean {
  return libc.faccessat(store, objectName(entry.object), 0, 0) === -1;
}

/** An error of linkat(2) that says what the filesystem of a store must be able to do. */
export function explainLink(storeDir: string, error: SyscallError): RegError {
  const reason = new Map([
    [EXDEV, "parts of it are on different filesystems or mounts"],
    [EPERM, "its filesystem has no hard links, or its files are marked immutable (chattr +i)"],
    [EOPNOTSUPP, "its filesystem has no hard links"],
    [EINVAL, "its filesystem has no hard links"],
  ]).get(error.errno);
  if (reason === undefined) return error;
  return new RegError(error.code, `${describeStore(storeDir)} cannot hold hard links: ${error.message}`, {
    hint: `${reason}; put the store on ext4, xfs or btrfs, with --store (reg.store in config.json)`,
    cause: error,
  });
}
