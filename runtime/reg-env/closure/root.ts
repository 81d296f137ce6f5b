/**
 * A root filesystem as a process sees it that is chrooted into it: every path is resolved inside, symbolic links too, and each link on
 * the way is told. Source: path_resolution(7).
 */
import { isUtf8 } from "node:buffer";
import { lstatSync, readdirSync, readFileSync, readlinkSync, type Stats, statSync } from "node:fs";
import { join, resolve } from "node:path";
import { RegError } from "../../errors/errors.ts";

export interface Link {
  /** Its own path, without links in its folders. */
  readonly path: string;
  readonly target: string;
}

export interface Resolved {
  /** Absolute in the root, without links, "." and "..". */
  readonly path: string;
  /** Every symbolic link that was followed, in order. */
  readonly links: readonly Link[];
  readonly stats: Stats;
}

/** As many links as the kernel follows (MAXSYMLINKS). */
const MOST_LINKS = 40;
const LARGEST_TEXT_BYTES = 256 * 1024 * 1024;

export class Root {
  /** Absolute path on this machine; "" for the machine's own root, so that `path + "/etc"` is right. */
  readonly prefix: string;
  readonly #lists = new Map<string, readonly string[]>();
  readonly #entries = new Map<string, { stats: Stats; target?: string } | null>();

  constructor(path: string) {
    const absolute = resolve(path);
    const stats = statSync(absolute, { throwIfNoEntry: false });
    if (stats?.isDirectory() !== true)
      throw new RegError(
        stats === undefined ? "ENOENT" : "ENOTDIR",
        `root filesystem ${path}: ${stats === undefined ? "there is none" : "not a directory"}`,
      );
    this.prefix = absolute === "/" ? "" : absolute;
  }

  /** The path on this machine of a path without links, as `resolve` returns them. */
  hostPath(path: string): string {
    return this.prefix + path;
  }

  /**
   * Where the path leads, and through which links; undefined when it leads nowhere.
   * Throws RegError for a link that climbs out of the root: chroot(2) would keep it inside, but nothing else does.
   */
  resolve(path: string): Resolved | undefined {
    const links: Link[] = [];
    const rest = path.split("/").reverse();
    let current = "";
    let stats = this.#entry("")?.stats;
    while (rest.length > 0) {
      const part = rest.pop();
      if (part === undefined || part === "" || part === ".") continue;
      if (part === "..") {
        current = current.slice(0, Math.max(0, current.lastIndexOf("/")));
        stats = this.#entry(current)?.stats;
        continue;
      }
      if (stats?.isDirectory() !== true) return undefined;
      const next = `${current}/${part}`;
      const entry = this.#entry(next);
      if (entry === null) return undefined;
      if (entry.target === undefined) {
        current = next;
        stats = entry.stats;
        continue;
      }
      links.push({ path: next, target: entry.target });
      if (links.length > MOST_LINKS) return undefined;
      this.#assertInside(next, entry.target);
      if (entry.target.startsWith("/")) current = "";
      stats = this.#entry(current)?.stats;
      rest.push(...entry.target.split("/").reverse());
    }
    return stats === undefined ? undefined : { path: current === "" ? "/" : current, links, stats };
  }

  /** The link or file itself at the end of the path, its folders without links; undefined when there is none. */
  locate(path: string): Resolved | undefined {
    const clean = path.replace(/\/+$/, "");
    const slash = clean.lastIndexOf("/");
    const name = clean.slice(slash + 1);
    if (name === "" || name === "." || name === "..") return this.resolve(path);
    const folder = this.resolve(clean.slice(0, slash + 1) || "/");
    if (folder?.stats.isDirectory() !== true) return undefined;
    const own = join(folder.path, name);
    const entry = this.#entry(own);
    return entry === null ? undefined : { path: own, links: folder.links, stats: entry.stats };
  }

  isFile(path: string): boolean {
    return this.resolve(path)?.stats.isFile() === true;
  }

  isDirectory(path: string): boolean {
    return this.resolve(path)?.stats.isDirectory() === true;
  }

  /** undefined when there is no such file, or when it is far too large for a text. */
  readText(path: string): string | undefined {
    return this.readBytes(path)?.toString("utf8");
  }

  /** As readText. */
  readBytes(path: string): Buffer | undefined {
    const found = this.resolve(path);
    const isText = found?.stats.isFile() === true && found.stats.size <= LARGEST_TEXT_BYTES;
    return isText ? readFileSync(this.hostPath(found.path)) : undefined;
  }

  /** Names in a folder, sorted by bytes; none when it is not a folder. */
  list(path: string): readonly string[] {
    const found = this.resolve(path);
    if (found?.stats.isDirectory() !== true) return [];
    let names = this.#lists.get(found.path);
    if (names === undefined) {
      const folder = this.hostPath(found.path);
      names = readdirSync(folder).sort(byBytes);
      if (names.some(maybeLossy))
        for (const name of readdirSync(folder, { encoding: "buffer" })) refuseBytes(name, `a name in ${folder}`);
      this.#lists.set(found.path, names);
    }
    return names;
  }

  #assertInside(path: string, target: string): void {
    if (this.prefix === "" || target.startsWith("/")) return;
    let depth = path.split("/").length - 2;
    for (const part of target.split("/")) {
      if (part === "..") depth -= 1;
      else if (part !== "" && part !== ".") depth += 1;
      if (depth < 0)
        throw new RegError(
          "EXDEV",
          `${path} is a symbolic link to ${target}, which is outside of the root filesystem ${this.prefix}`,
          {
            hint: "make the link point into the root filesystem, or leave it out with --exclude",
          },
        );
    }
  }

  #entry(path: string): { stats: Stats; target?: string } | null {
    const known = this.#entries.get(path);
    if (known !== undefined) return known;
    const stats = lstatSync(this.hostPath(path) || "/", { throwIfNoEntry: false });
    const entry =
      stats === undefined
        ? null
        : stats.isSymbolicLink()
          ? { stats, target: readTarget(this.hostPath(path)) }
          : { stats };
    this.#entries.set(path, entry);
    return entry;
  }
}

function readTarget(path: string): string {
  const target = readlinkSync(path);
  if (maybeLossy(target)) refuseBytes(readlinkSync(path, { encoding: "buffer" }), `the target of the link ${path}`);
  return target;
}

/** Whether bytes that are no UTF-8 may have got lost on the way to this text. */
function maybeLossy(text: string): boolean {
  return text.includes("\ufffd");
}

/** Names in manifests and units are text: what is none would be another file, or go without a word. */
function refuseBytes(name: Buffer, what: string): void {
  if (isUtf8(name)) return;
  throw new RegError("EILSEQ", `${what} is not UTF-8: ${JSON.stringify(name.toString("latin1"))}, in Latin-1`, {
    hint: "rename it, or leave its folder out with --exclude",
  });
}

/** An order that depends on no locale. */
export function byBytes(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}
