/**
 * Finds the regular files of layers, with all their names. Layers are what strangers put into images: a directory is opened below the
 * descriptor of the one above it, one name at a time, and no symlink is followed.
 */
import * as fs from "node:fs";
import { type Bytes, toBuffer } from "./bytes.ts";
import type { Layer } from "./stores/store.ts";

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NOATIME } = fs.constants;
/** Each level takes a descriptor while it is walked. What lies deeper is left alone. */
const DEEPEST = 256;

/** A name of a file in a layer. */
export interface Name {
  /** Index of the layer. */
  readonly layer: number;
  /** Below the layer's directory. */
  readonly path: Bytes;
}

/** A file as it was found, with all names that the layers have for it. */
export interface Inode {
  readonly number: number;
  readonly sizeBytes: number;
  /** What it takes on the disk. */
  readonly diskBytes: number;
  readonly uid: number;
  readonly gid: number;
  /** Type and permissions. */
  readonly mode: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  readonly links: number;
  readonly names: Name[];
}

export interface Scan {
  /** Device of the file system that all inodes are on. */
  readonly device: number;
  readonly inodes: readonly Inode[];
  /** Directories that were not read: too deep, or on another file system. */
  readonly skippedDirectories: number;
}

export interface ScanOptions {
  /** Called now and then; may wait. */
  readonly onProgress?: (files: number, layers: number) => Promise<void> | void;
}

/**
 * Reads all layers below `base`. Empty files are left out: they have no content to share. Files in configuration directories are, too: see
 * `isPrivate`. A layer that is gone by now has no files.
 */
export async function scanLayers(base: string, layers: readonly Layer[], options: ScanOptions = {}): Promise<Scan> {
  const walk = new Walk(fs.statSync(base).dev);
  for (const [index, { directory }] of layers.entries()) {
    walk.layer(`${base}/${directory}`, index);
    await options.onProgress?.(walk.files, index + 1);
  }
  return { device: walk.device, inodes: walk.inodes(), skippedDirectories: walk.skipped };
}

/**
 * Where programs look at the number of links: cron refuses a crontab, and logrotate a log, that has a second name. Configuration is what
 * gets changed, too, and it is small.
 */
export function isPrivate(path: Bytes): boolean {
  return /^(etc|var\/(spool|log|mail)|root|home)(\/|$)/.test(path);
}

class Walk {
  readonly device: number;
  files = 0;
  skipped = 0;
  readonly #single: Inode[] = [];
  readonly #linked = new Map<number, Inode>();

  constructor(device: number) {
    this.device = device;
  }

  inodes(): Inode[] {
    return [...this.#single, ...this.#linked.values()];
  }

  layer(directory: string, layer: number): void {
    const fd = openDirectory(directory);
    if (fd === undefined) return;
    // A list instead of recursion; the descriptors of a directory and of those above it are open.
    const open = [{ fd, path: "", below: this.#read(fd, "", layer) }];
    try {
      for (let at = open.at(-1); at !== undefined; at = open.at(-1)) {
        const name = at.below.pop();
        if (name === undefined) {
          fs.closeSync(at.fd);
          open.pop();
          continue;
        }
        const path = at.path === "" ? name : `${at.path}/${name}`;
        if (isPrivate(path)) continue;
        const next = open.length < DEEPEST ? openDirectory(`/proc/self/fd/${at.fd}/`, name) : undefined;
        if (next === undefined) this.skipped++;
        else open.push({ fd: next, path, below: this.#read(next, path, layer) });
      }
    } finally {
      for (const { fd } of open) fs.closeSync(fd);
    }
  }

  /** Takes the files of a directory, and returns the names of the directories in it. */
  #read(fd: number, path: Bytes, layer: number): Bytes[] {
    if (fs.fstatSync(fd).dev !== this.device) {
      this.skipped++;
      return [];
    }
    const folder = `/proc/self/fd/${fd}/`;
    const directories: Bytes[] = [];
    for (const entry of fs.readdirSync(folder, { withFileTypes: true, encoding: "latin1" })) {
      if (entry.isDirectory()) directories.push(entry.name);
      else if (entry.isFile())
        this.#file(folder + entry.name, path === "" ? entry.name : `${path}/${entry.name}`, layer);
    }
    return directories;
  }

  #file(at: Bytes, path: Bytes, layer: number): void {
    const status = fs.lstatSync(toBuffer(at), { bigint: true, throwIfNoEntry: false });
    if (status === undefined || !status.isFile() || status.size === 0n) return;
    this.files++;
    const number = Number(status.ino);
    const known = status.nlink > 1n ? this.#linked.get(number) : undefined;
    if (known !== undefined) {
      known.names.push({ layer, path });
      return;
    }
    const inode: Inode = {
      number,
      sizeBytes: Number(status.size),
      diskBytes: Number(status.blocks) * 512,
      uid: Number(status.uid),
      gid: Number(status.gid),
      mode: Number(status.mode),
      mtimeNs: status.mtimeNs,
      ctimeNs: status.ctimeNs,
      links: Number(status.nlink),
      names: [{ layer, path }],
    };
    if (inode.links > 1) this.#linked.set(number, inode);
    else this.#single.push(inode);
  }
}

/** undefined when it can not be opened: gone, a symlink by now, or closed to this user. */
function openDirectory(folder: string, name: Bytes = ""): number | undefined {
  const path = toBuffer(folder + name);
  for (const flags of [O_NOATIME, 0])
    try {
      return fs.openSync(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | flags);
    } catch (error) {
      const { code = "" } = error as NodeJS.ErrnoException;
      if (code === "EPERM" && flags !== 0) continue; // only the owner may leave the access time alone
      if (["ENOENT", "ENOTDIR", "ELOOP", "EACCES", "EPERM"].includes(code)) return undefined;
      throw error;
    }
  return undefined;
}
