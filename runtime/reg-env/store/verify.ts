/**
 * Holds a store against itself: every object against its name, every unit against its digest, every tree against its units, every
 * environment against its tree. Everything is read again, so one flipped bit is found.
 */
import * as fs from "node:fs";
import { digestOf } from "../../reg/digest.ts";
import { isDigest, objectPath, treePath, unitPath } from "../../reg/layout.ts";
import type { Entry, FileEntry, Manifest, Unit } from "../../reg/manifest.ts";
import { mergeUnits } from "../../reg/merge.ts";
import { isEnvironmentName } from "../../reg/name.ts";
import { treeDigest } from "../../reg/tree.ts";
import { listEnvironments, listObjects, listTrees, listUnits, unitsOfEnvironment, unitsOfTree } from "./contents.ts";
import { hashFile } from "./hash.ts";
import { FIXED_MTIME } from "./header.ts";
import { faultOfObject, readFault } from "./object.ts";
import { storedMode } from "./protection.ts";
import { type Store, withShared } from "./store.ts";
import { readXattrs } from "./xattr.ts";

/** Something that is not as it should be. */
export interface StoreFault {
  /** Path below the store's directory. */
  readonly path: string;
  readonly fault: string;
  /** Environments that have it. */
  readonly environments: readonly string[];
  /** The key of the object that is damaged or missing. */
  readonly object?: string;
  /** The digest of the tree that is. */
  readonly tree?: string;
}

export interface VerifyReport {
  readonly objects: number;
  readonly bytes: number;
  readonly units: number;
  readonly trees: number;
  readonly environments: number;
  readonly faults: readonly StoreFault[];
}

/** Checks everything. `onObject` is called after each object, and may wait. */
export function verifyStore(
  store: Store,
  onObject: (done: number, total: number) => Promise<void> | void = () => undefined,
): Promise<VerifyReport> {
  return withShared(store, async () => {
    // Writers go the other way, objects first: what is listed here has everything that it refers to.
    const environments = listEnvironments(store.directory);
    const trees = listTrees(store.directory);
    const units = listUnits(store.directory);
    const objects = listObjects(store.directory);
    const verifier = new Verifier(store);
    for (const name of fs.readdirSync(`${store.directory}/environments`))
      if (!isEnvironmentName(name)) verifier.addStranger(name);
    for (const name of environments) verifier.checkEnvironment(name);
    for (const digest of units) verifier.checkUnit(digest);
    let bytes = 0;
    for (const [index, key] of objects.entries()) {
      bytes += verifier.checkObject(key);
      await onObject(index + 1, objects.length);
    }
    for (const digest of trees) verifier.checkTree(digest);
    const counts = { objects: objects.length, units: units.length, trees: trees.length };
    return { ...counts, bytes, environments: environments.length, faults: verifier.faults() };
  });
}

class Verifier {
  readonly #store: Store;
  readonly #faults: (Omit<StoreFault, "environments"> & { units?: readonly string[]; environment?: string })[] = [];
  readonly #units = new Map<string, Unit>();
  /** Lists of units, by environment. */
  readonly #lists = new Map<string, readonly string[]>();
  /** Units by object. */
  readonly #holders = new Map<string, string[]>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Something in environments/ that is none. */
  addStranger(name: string): void {
    this.#faults.push({ path: `environments/${name}`, fault: "it is no environment: remove it" });
  }

  checkEnvironment(name: string): void {
    const path = `environments/${name}`;
    const fail = (fault: string) => this.#faults.push({ path, fault, environment: name });
    const units = unitsOfEnvironment(this.#store.directory, name);
    this.#lists.set(name, units);
    try {
      const manifest = JSON.parse(
        fs.readFileSync(`${this.#store.directory}/${path}/manifest.json`, "utf8"),
      ) as Manifest;
      JSON.parse(fs.readFileSync(`${this.#store.directory}/${path}/reasons.json`, "utf8"));
      const digest = treeDigest(units);
      if (manifest.tree !== digest) fail(`its manifest names tree ${manifest.tree}, but its units make ${digest}`);
      if (manifest.units.map((unit) => unit.digest).join() !== units.join())
        fail("its manifest and its list of units differ");
      const link = fs.readlinkSync(`${this.#store.directory}/${path}/tree`);
      if (link !== `../../trees/${digest}`) fail(`its symlink tree leads to ${link}, not to ${digest}`);
      if (!fs.existsSync(treePath(this.#store.directory, digest)))
        this.#faults.push({ path, fault: `its tree ${digest} is missing`, environment: name, tree: digest });
    } catch (error) {
      if (!fs.existsSync(`${this.#store.directory}/${path}`)) return; // uninstalled meanwhile
      fail(error instanceof Error ? error.message : String(error));
    }
    for (const unit of units)
      if (!fs.existsSync(unitPath(this.#store.directory, unit))) fail(`its unit ${unit} is missing`);
  }

  checkUnit(digest: string): void {
    const path = `units/${digest}.json`;
    const fail = (fault: string) => this.#faults.push({ path, fault, units: [digest] });
    const text = fs.readFileSync(unitPath(this.#store.directory, digest), "utf8");
    const found = digestOf(text);
    if (found !== digest) fail(`its text has the digest ${found}`);
    let unit: Unit;
    try {
      unit = JSON.parse(text) as Unit;
    } catch {
      fail("it is not JSON");
      return;
    }
    this.#units.set(digest, unit);
    for (const entry of unit.entries) {
      if (entry.type !== "file") continue;
      const holders = this.#holders.get(entry.object);
      if (holders === undefined) this.#holders.set(entry.object, [digest]);
      else if (holders.at(-1) !== digest) holders.push(digest);
    }
    const missing = unit.entries.filter(
      (entry): entry is FileEntry =>
        entry.type === "file" && !fs.existsSync(objectPath(this.#store.directory, entry.object)),
    );
    for (const entry of missing)
      this.#faults.push({
        path,
        fault: `object ${entry.object} of /${entry.path} is missing`,
        units: [digest],
        object: entry.object,
      });
  }

  /** Returns its size. */
  checkObject(key: string): number {
    const path = objectPath(this.#store.directory, key);
    const relative = `objects/${key.slice(0, 2)}/${key.slice(2)}`;
    const fail = (fault: string) =>
      this.#faults.push({ path: relative, fault, units: this.#holders.get(key) ?? [], object: key });
    const status = fs.lstatSync(path);
    if (!isDigest(key) || !status.isFile()) {
      fail("it is no object");
      return 0;
    }
    const fault = faultOfObject(key, path, this.#store);
    if (fault !== undefined) fail(this.#explain(key, path) ?? fault);
    return status.size;
  }

  /** What differs from the entry of a unit that has this object. */
  #explain(key: string, path: string): string | undefined {
    const unit = this.#units.get(this.#holders.get(key)?.[0] ?? "");
    const entry = unit?.entries.find((each) => each.type === "file" && each.object === key);
    if (entry?.type !== "file") return undefined;
    const differences = differencesOf(entry, path, this.#store);
    return differences.length === 0 ? undefined : `/${entry.path}: ${differences.join(", ")}`;
  }

  checkTree(digest: string): void {
    const units = unitsOfTree(this.#store.directory, digest);
    const fail = (path: string, fault: string) =>
      this.#faults.push({ path: `trees/${digest}${path}`, fault, units, tree: digest });
    if (treeDigest(units) !== digest) {
      fail("", "its list of units has another digest, or is missing");
      return;
    }
    const known = units.map((unit) => this.#units.get(unit));
    const whole = known.filter((unit) => unit !== undefined);
    if (whole.length < known.length) {
      fail("", "some of its units are missing or damaged");
      return;
    }
    const expected = new Map(mergeUnits(whole).map((entry) => [entry.path, entry]));
    const root = treePath(this.#store.directory, digest);
    for (const path of walk(root)) {
      const entry = expected.get(path);
      expected.delete(path);
      const fault = entry === undefined ? "it is not in its units" : this.#faultOfLink(root, entry);
      if (fault !== undefined) fail(`/${path}`, fault);
    }
    for (const path of expected.keys()) fail(`/${path}`, "it is missing");
  }

  #faultOfLink(root: string, entry: Entry): string | undefined {
    const path = `${root}/${entry.path}`;
    const found = fs.lstatSync(path);
    if (entry.type === "file") {
      if (!found.isFile()) return "it is not a file";
      const object = fs.lstatSync(objectPath(this.#store.directory, entry.object), { throwIfNoEntry: false });
      if (object?.ino === found.ino && object.dev === found.dev) return undefined;
      // A copy, as there are where an object has all the links that it can have.
      const differences = differencesOf(entry, path, this.#store);
      return differences.length === 0 ? undefined : `it is not object ${entry.object}: ${differences.join(", ")}`;
    }
    const { uid, gid } = this.#store.owners.inUnit(found);
    if (uid !== entry.uid || gid !== entry.gid) return `its owner is ${uid}:${gid}, not ${entry.uid}:${entry.gid}`;
    if (entry.type === "symlink") {
      if (!found.isSymbolicLink()) return "it is not a symlink";
      const target = fs.readlinkSync(path);
      return target === entry.target ? undefined : `it leads to ${target}, not to ${entry.target}`;
    }
    if (!found.isDirectory()) return "it is not a directory";
    return modeDifference(found.mode & 0o7777, entry.mode);
  }

  faults(): StoreFault[] {
    return this.#faults.map(({ units, environment, ...fault }) => ({
      ...fault,
      environments: environment === undefined ? this.#environmentsWith(units ?? []) : [environment],
    }));
  }

  #environmentsWith(units: readonly string[]): string[] {
    return [...this.#lists].filter(([, list]) => units.some((unit) => list.includes(unit))).map(([name]) => name);
  }
}

function differencesOf(entry: FileEntry, path: string, { protection, owners }: Store): string[] {
  const fd = fs.openSync(path, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW);
  try {
    const status = fs.fstatSync(fd);
    const { mode, mtimeMs, size } = status;
    const { uid, gid } = owners.inUnit(status);
    const differences: string[] = [];
    if (size !== entry.sizeBytes) differences.push(`it has ${size} bytes, not ${entry.sizeBytes}`);
    else if (hashFile(fd).content !== entry.content) differences.push("its content is changed");
    if (uid !== entry.uid || gid !== entry.gid)
      differences.push(`its owner is ${uid}:${gid}, not ${entry.uid}:${entry.gid}`);
    const modeFault = modeDifference(mode & 0o7777, storedMode(protection, entry.mode, entry.uid));
    if (modeFault !== undefined) differences.push(modeFault);
    const seconds = Math.floor(mtimeMs / 1000);
    if (seconds !== (entry.mtime ?? FIXED_MTIME)) differences.push("its time is changed");
    if (JSON.stringify(readXattrs(fd, path) ?? {}) !== JSON.stringify(sorted(entry.xattrs ?? {})))
      differences.push("its extended attributes are changed");
    return differences;
  } catch (error) {
    return [readFault(error)];
  } finally {
    fs.closeSync(fd);
  }
}

function sorted(xattrs: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(xattrs).sort(([left], [right]) => (left < right ? -1 : 1)));
}

function modeDifference(found: number, expected: number): string | undefined {
  return found === expected ? undefined : `its mode is ${found.toString(8)}, not ${expected.toString(8)}`;
}

/** Paths of everything below a directory, directories too, without following symlinks. */
function* walk(root: string, below = ""): Generator<string> {
  for (const entry of fs.readdirSync(`${root}/${below}`, { withFileTypes: true })) {
    const path = below === "" ? entry.name : `${below}/${entry.name}`;
    yield path;
    if (entry.isDirectory()) yield* walk(root, path);
  }
}
