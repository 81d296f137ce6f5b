/**
 * What is about to be added to a store: written to a directory of our own in tmp/, flushed to the disk together, and only
 * then linked to its names, objects first. Killed at any moment, this leaves things in tmp/, and objects and
 * units that nothing refers to yet; gc removes both. The caller holds the shared lock.
 */
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { RegError, SyscallError } from "../../errors/errors.ts";
import { checked } from "../../libc/call.ts";
import * as C from "../../libc/constants.ts";
import { open, withFd } from "../../libc/file.ts";
import { libc } from "../../libc/libc.ts";
import { fromHex } from "../../reg/copy.ts";
import { canonicalJson, digestOf } from "../../reg/digest.ts";
import { objectPath, unitPath } from "../../reg/layout.ts";
import type { FileEntry, Unit } from "../../reg/manifest.ts";
import type { Owners } from "../../reg/owners.ts";
import { explainLink } from "../../reg/tree.ts";
import { block } from "./hash.ts";
import { FIXED_MTIME } from "./header.ts";
import { faultOfObject } from "./object.ts";
import { enableVerity, storedMode } from "./protection.ts";
import { rebuildTreesWith } from "./rebuild.ts";
import { linkIfMissing, type Store } from "./store.ts";

const zeros = Buffer.alloc(block.length);

export interface StagingSummary {
  readonly newObjects: number;
  readonly newBytes: number;
  /** Objects that were there and damaged, and are whole again, in all trees that have them. */
  readonly repaired: number;
}

export class Staging {
  /** In tmp/; for whatever else is to be flushed with the objects. */
  readonly directory: string;
  /** Of the store. */
  readonly owners: Owners;
  readonly #store: Store;
  readonly #objects = new Map<string, FileEntry>();
  /** Objects of the store that were looked at, and are what their names say. */
  readonly #whole = new Set<string>();
  readonly #damaged = new Set<string>();
  readonly #units = new Set<string>();

  constructor(store: Store) {
    this.#store = store;
    this.owners = store.owners;
    this.directory = makeTemporary(store);
  }

  /**
   * Takes a file's content, unless the store has the object: bytes that have the entry's digest, or an open file, where it begins at `start`. One that
   * is damaged is replaced. Throws RegError when a file's content is not what the entry says.
   */
  addObject(entry: FileEntry, source: Uint8Array | number, start = 0): void {
    if (this.#objects.has(entry.object) || this.#whole.has(entry.object)) return;
    const existing = fs.lstatSync(objectPath(this.#store.directory, entry.object), { throwIfNoEntry: false });
    if (existing !== undefined) {
      if (this.#isWhole(entry, existing)) {
        this.#whole.add(entry.object);
        return;
      }
    }
    const path = this.#pathOf(entry.object);
    const to = fs.openSync(path, "wx", 0o600);
    try {
      this.#write(source, start, to, entry);
    } catch (error) {
      fs.rmSync(path);
      throw error;
    } finally {
      fs.closeSync(to);
    }
    if (this.#store.protection === "fs-verity") enableVerity(path);
    this.#objects.set(entry.object, entry);
    if (existing !== undefined) this.#damaged.add(entry.object);
  }

  #write(source: Uint8Array | number, start: number, to: number, entry: FileEntry): void {
    if (typeof source === "number") copy(source, start, to, entry);
    else writeSparse(to, source);
    const { uid, gid } = this.owners.onDisk(entry, entry.path);
    fs.fchownSync(to, uid, gid);
    for (const [name, value] of Object.entries(entry.xattrs ?? {})) setXattr(to, name, value, entry.path);
    fs.fchmodSync(to, storedMode(this.#store.protection, entry.mode, entry.uid)); // last: chown clears the setuid bit
    const mtime = entry.mtime ?? FIXED_MTIME;
    fs.futimesSync(to, mtime, mtime);
  }

  /**
   * Nobody has vouched for an object since it was written, and a new environment must not inherit damage: so it is read again. With
   * fs-verity the kernel does that whenever it is used.
   */
  #isWhole({ object, sizeBytes }: FileEntry, existing: fs.Stats): boolean {
    if (!existing.isFile() || existing.size !== sizeBytes) return false;
    if (this.#store.protection === "fs-verity") return true;
    return faultOfObject(object, objectPath(this.#store.directory, object), this.#store) === undefined;
  }

  /** Returns the unit's digest. */
  addUnit(unit: Unit): string {
    const text = canonicalJson(unit);
    const digest = digestOf(text);
    if (this.#units.has(digest) || fs.existsSync(unitPath(this.#store.directory, digest))) return digest;
    fs.writeFileSync(`${this.directory}/${digest}.json`, text, { flag: "wx", mode: 0o600 });
    this.#units.add(digest);
    return digest;
  }

  /** Puts everything into its place: after this, what was added can be referred to. */
  publish(): StagingSummary {
    const store = this.#store.directory;
    withFd(open(store, C.O_RDONLY | C.O_DIRECTORY), (fd) => checked(libc.syncfs(fd), "syncfs(2)", store));
    let newObjects = 0;
    let newBytes = 0;
    const folders = new Set<string>();
    for (const [key, entry] of this.#objects) {
      const path = objectPath(store, key);
      if (this.#damaged.has(key)) {
        fs.renameSync(this.#pathOf(key), path);
        continue;
      }
      const folder = path.slice(0, path.lastIndexOf("/"));
      if (!folders.has(folder)) fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
      folders.add(folder);
      if (!this.#link(this.#pathOf(key), path)) continue; // somebody else was first
      newObjects++;
      newBytes += entry.sizeBytes;
    }
    for (const digest of this.#units) this.#link(`${this.directory}/${digest}.json`, unitPath(store, digest));
    const repaired = this.#damaged.size;
    if (repaired > 0) rebuildTreesWith(store, this.#damaged);
    return { newObjects, newBytes, repaired };
  }

  /** Removes what is left in tmp/. */
  close(): void {
    fs.rmSync(this.directory, { recursive: true, force: true });
  }

  #pathOf(key: string): string {
    return `${this.directory}/${key}`;
  }

  #link(from: string, to: string): boolean {
    try {
      return linkIfMissing(from, to);
    } catch (error) {
      const { errno } = error as NodeJS.ErrnoException;
      if (errno === undefined) throw error;
      throw explainLink(this.#store.directory, new SyscallError("link(2)", to, -errno));
    }
  }
}

/** A directory in tmp/ that is nobody else's; processes of different pid namespaces may have the same pid. */
function makeTemporary(store: Store): string {
  return fs.mkdtempSync(`${store.directory}/tmp/add-${process.pid}-`);
}

/** Copies the content, and holds it against the entry: a file that changes while it is read must not get the wrong name. */
function copy(from: number, start: number, to: number, entry: FileEntry): void {
  const hash = createHash("sha256");
  let position = 0;
  // One byte more than there should be tells a file that has grown.
  while (position <= entry.sizeBytes) {
    const most = start === 0 ? block.length : Math.min(block.length, entry.sizeBytes - position);
    const count = most === 0 ? 0 : fs.readSync(from, block, 0, most, start + position);
    if (count === 0) break;
    const bytes = block.subarray(0, count);
    hash.update(bytes);
    if (!isHole(bytes)) writeAll(to, bytes, position);
    position += count;
  }
  fs.ftruncateSync(to, position);
  if (hash.digest("hex") === entry.content) return;
  throw new RegError("EIO", `/${entry.path} is not what it was a moment ago, or not what its unit says`, {
    hint: "is something writing to it? Try again when it is not",
  });
}

/** A hole stays one. */
function isHole(bytes: Buffer): boolean {
  return bytes.equals(zeros.subarray(0, bytes.length));
}

function writeSparse(to: number, content: Uint8Array): void {
  let end = 0;
  for (let position = 0; position < content.length; position += zeros.length) {
    const length = Math.min(zeros.length, content.length - position);
    const bytes = Buffer.from(content.buffer, content.byteOffset + position, length);
    if (isHole(bytes)) continue;
    writeAll(to, bytes, position);
    end = position + length;
  }
  if (end < content.length) fs.ftruncateSync(to, content.length);
}

function writeAll(fd: number, bytes: Buffer, position: number): void {
  for (let done = 0; done < bytes.length; ) done += fs.writeSync(fd, bytes, done, bytes.length - done, position + done);
}

function setXattr(fd: number, name: string, value: string, path: string): void {
  const bytes = fromHex(value);
  if (name === "security.capability" && process.geteuid?.() !== 0)
    throw new RegError(
      "EPERM",
      `/${path} gives capabilities to whoever starts it, and no file of a user's can do that`,
      {
        hint: "leave it out with --exclude, or be root of a user namespace: podman unshare reg-env ...",
      },
    );
  checked(libc.fsetxattr(fd, name, bytes, bytes.length, 0), "fsetxattr(2)", `${name} of /${path}`);
}
