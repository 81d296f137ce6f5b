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
import { explainLink } from "../../reg/tree.ts";
import { FIXED_MTIME } from "./header.ts";
import { enableVerity, storedMode } from "./protection.ts";
import { linkIfMissing, type Store } from "./store.ts";

const BLOCK_BYTES = 1024 * 1024;

export interface StagingSummary {
  readonly newObjects: number;
  readonly newBytes: number;
}

export class Staging {
  /** In tmp/; for whatever else is to be flushed with the objects. */
  readonly directory: string;
  readonly #store: Store;
  readonly #objects = new Map<string, FileEntry>();
  readonly #units = new Set<string>();

  constructor(store: Store) {
    this.#store = store;
    this.directory = makeTemporary(store);
  }

  /** Takes a file's content from `fd`, unless the store has the object. Throws RegError when it is not the content that the entry says. */
  addObject(entry: FileEntry, fd: number): void {
    if (this.#objects.has(entry.object)) return;
    const existing = fs.lstatSync(objectPath(this.#store.directory, entry.object), { throwIfNoEntry: false });
    if (existing !== undefined) {
      if (existing.size === entry.sizeBytes) return;
      throw new RegError("EIO", `object ${entry.object} for /${entry.path} is damaged`, {
        hint: "reg-env verify says which environments have it: uninstall them, run reg-env gc, and make them again",
      });
    }
    const path = this.#pathOf(entry.object);
    const to = fs.openSync(path, "wx", 0o600);
    try {
      copy(fd, to, entry);
      fs.fchownSync(to, entry.uid, entry.gid);
      for (const [name, value] of Object.entries(entry.xattrs ?? {})) setXattr(to, name, value, entry.path);
      fs.fchmodSync(to, storedMode(this.#store.protection, entry.mode, entry.uid)); // last: chown clears the setuid bit
      const mtime = entry.mtime ?? FIXED_MTIME;
      fs.futimesSync(to, mtime, mtime);
    } finally {
      fs.closeSync(to);
    }
    if (this.#store.protection === "fs-verity") enableVerity(path);
    this.#objects.set(entry.object, entry);
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
    for (const [key, entry] of this.#objects) {
      const path = objectPath(store, key);
      fs.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true, mode: 0o700 });
      if (!this.#link(this.#pathOf(key), path)) continue; // somebody else was first
      newObjects++;
      newBytes += entry.sizeBytes;
    }
    for (const digest of this.#units) this.#link(`${this.directory}/${digest}.json`, unitPath(store, digest));
    return { newObjects, newBytes };
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
function copy(from: number, to: number, entry: FileEntry): void {
  const hash = createHash("sha256");
  const block = Buffer.allocUnsafe(Math.min(BLOCK_BYTES, Math.max(entry.sizeBytes, 1)));
  let position = 0;
  for (;;) {
    const count = fs.readSync(from, block, 0, block.length, position);
    if (count === 0) break;
    const bytes = block.subarray(0, count);
    hash.update(bytes);
    fs.writeFileSync(to, bytes); // goes on where the last one ended, and writes all of it
    position += count;
  }
  if (hash.digest("hex") === entry.content) return;
  throw new RegError("EIO", `/${entry.path} is not what it was a moment ago, or not what its unit says`, {
    hint: "is something writing to it? Try again when it is not",
  });
}

function setXattr(fd: number, name: string, value: string, path: string): void {
  const bytes = fromHex(value);
  checked(libc.fsetxattr(fd, name, bytes, bytes.length, 0), "fsetxattr(2)", `${name} of /${path}`);
}
