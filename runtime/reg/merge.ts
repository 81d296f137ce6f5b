/**
 * From units to one tree: which entry stands at which path. Pure. Where two units claim a path, the earlier one wins; where one has
 * a directory that is a symlink in another (/lib of a root with merged /usr, and of one without), the file goes where the
 * symlink leads, inside the tree: that is where a program that looks for it will end up.
 */
import { RegError } from "../errors/errors.ts";
import type { Entry, Unit } from "./manifest.ts";

const MOST_SYMLINKS = 40; // as the kernel, path_resolution(7)

/** All entries of the tree, parents before children, each at its final path. */
export function mergeUnits(units: readonly Pick<Unit, "name" | "version" | "entries">[]): Entry[] {
  const tree = new Map<string, Entry>();
  for (const { entries } of units) for (const entry of entries) if (!tree.has(entry.path)) tree.set(entry.path, entry);
  const directories = new Set([""]);
  const moved: Entry[] = [];
  for (const [path, entry] of tree) {
    const parent = parentOf(path);
    if (directories.has(parent)) continue;
    if (resolveDirectory(tree, parent, path) === parent) directories.add(parent);
    else moved.push(entry);
  }
  for (const entry of moved) tree.delete(entry.path);
  for (const entry of moved) {
    const parent = resolveDirectory(tree, parentOf(entry.path), entry.path);
    const path = parent === "" ? baseOf(entry.path) : `${parent}/${baseOf(entry.path)}`;
    if (!tree.has(path)) tree.set(path, { ...entry, path });
  }
  for (const path of [...tree.keys()]) addParents(tree, path);
  return [...tree.values()].sort((left, right) => (left.path < right.path ? -1 : 1));
}

/** Where a directory really is, once the tree's symlinks have been followed. */
function resolveDirectory(tree: ReadonlyMap<string, Entry>, directory: string, subject: string): string {
  let pending = directory.split("/");
  let done: string[] = [];
  let symlinks = 0;
  for (let name = pending.shift(); name !== undefined; name = pending.shift()) {
    if (name === "" || name === ".") continue;
    if (name === "..") {
      done.pop(); // the root's parent is the root
      continue;
    }
    const path = [...done, name].join("/");
    const entry = tree.get(path);
    if (entry?.type === "file")
      throw new RegError("ENOTDIR", `/${subject}: /${path} is a file, so nothing can be below it`, {
        hint: "two of the environments do not go together",
      });
    if (entry?.type !== "symlink") {
      done.push(name);
      continue;
    }
    if (++symlinks > MOST_SYMLINKS)
      throw new RegError("ELOOP", `/${subject}: the symlinks on its way lead in a circle`);
    if (entry.target.startsWith("/")) done = [];
    pending = [...entry.target.split("/"), ...pending];
  }
  return done.join("/");
}

/** Directories that no unit speaks of. */
function addParents(tree: Map<string, Entry>, path: string): void {
  for (let parent = parentOf(path); parent !== "" && !tree.has(parent); parent = parentOf(parent))
    tree.set(parent, { type: "directory", path: parent, uid: 0, gid: 0, mode: 0o755 });
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf("/"), 0));
}

function baseOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/**
 * The units of several environments in one list: each once, where it comes first. The last of an environment is its base, the mount
 * points that an image needs; bases come after everything else, so that no empty /etc/hosts hides a real one.
 */
export function combineUnits(environments: readonly (readonly string[])[]): string[] {
  const bases = environments.flatMap((units) => units.slice(-1));
  const others = environments.flatMap((units) => units.slice(0, -1));
  return [...new Set([...others.filter((digest) => !bases.includes(digest)), ...bases])];
}
