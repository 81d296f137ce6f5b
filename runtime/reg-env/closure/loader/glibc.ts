/**
 * Where glibc's ld.so finds a library, step by step as it does.
 * Source: ld.so(8), glibc's elf/dl-load.c (_dl_map_object) and elf/dl-cache.c.
 */
import { dirname } from "node:path";
import type { Elf } from "../elf/elf.ts";
import { type CacheEntry, parseCache } from "./cache.ts";
import { readConf } from "./conf.ts";
import type { ElfReader, Found, LoadedObject, Search } from "./objects.ts";

const CACHE = "/etc/ld.so.cache";
/** Folders for processor features that glibc looked into until 2.36. */
const LEGACY_FOLDERS = ["tls", "haswell", "xeon_phi", "avx512_1", "x86_64"];
const FIRST_WITHOUT_LEGACY = 37;

export interface SearchOptions {
  /** LD_LIBRARY_PATH, as the program will have it. */
  readonly libraryPath?: string;
  /** glibc-hwcaps levels that are preferred to the plain library, best first. None: the plain one, with all others as variants. */
  readonly levels?: readonly string[];
}

export class GlibcSearch implements Search {
  readonly family = "glibc";
  readonly defaultFolders: readonly string[];
  readonly version?: string;
  readonly #elfs: ElfReader;
  readonly #levels: readonly string[];
  readonly #libraryPath: string | undefined;
  readonly #lib: string;
  readonly #names: ReadonlySet<string>;
  readonly #cache: ReadonlyMap<string, readonly CacheEntry[]>;
  readonly #confFolders: readonly string[];
  readonly #folders = new Map<string, Folder>();

  constructor(elfs: ElfReader, interpreter: string, like: Elf, options: SearchOptions = {}) {
    this.#elfs = elfs;
    this.#levels = options.levels ?? [];
    this.#libraryPath = options.libraryPath;
    const { root } = elfs;
    const code = root.readBytes(interpreter) ?? Buffer.alloc(0);
    this.defaultFolders = defaultFoldersOf(code, like);
    const version = /stable release version (2\.\d+)/.exec(code.toString("latin1"))?.[1];
    if (version !== undefined) this.version = version;
    // $LIB is the first of the default folders, as the loader was built with it.
    this.#lib = (this.defaultFolders[0] ?? "/lib").slice(1);
    const soname = elfs.file(interpreter)?.soname;
    this.#names = new Set([interpreter, ...(soname === undefined ? [] : [soname])]);
    const cache = root.readBytes(CACHE);
    this.#cache = byName(cache === undefined ? [] : parseCache(cache));
    // What ldconfig would put into the cache, when nobody ran it.
    this.#confFolders = cache === undefined ? readConf(root) : [];
  }

  isOwn(name: string): boolean {
    return this.#names.has(name);
  }

  find(name: string, requester: LoadedObject, program: LoadedObject): Found | undefined {
    if (name.includes("/")) {
      const [path] = this.#expand(name, requester);
      return path !== undefined && this.#elfs.library(path, program.elf) !== undefined
        ? { path, via: "named by its path", variants: [], byCache: false }
        : undefined;
    }
    return (
      this.#findByRpath(name, requester, program) ??
      this.#findInPath(name, program, program, this.#libraryPath?.replaceAll(";", ":"), "LD_LIBRARY_PATH") ??
      this.#findInPath(name, requester, program, requester.elf.runpath, "RUNPATH") ??
      this.#findByCache(name, requester, program) ??
      (requester.elf.noDefaultLibraries
        ? undefined
        : this.#findInFolders(name, program, [...this.defaultFolders], () => "in the loader's default folder", false))
    );
  }

  /** DT_RPATH of the requester and of all who loaded it, up to the program: unless the requester has a RUNPATH. */
  #findByRpath(name: string, requester: LoadedObject, program: LoadedObject): Found | undefined {
    if (requester.elf.runpath !== undefined) return undefined;
    const askers: LoadedObject[] = [];
    for (let asker: LoadedObject | undefined = requester; asker !== undefined; asker = asker.loader) askers.push(asker);
    if (!askers.includes(program)) askers.push(program);
    for (const asker of askers) {
      if (asker.elf.runpath !== undefined) continue;
      const found = this.#findInPath(name, asker, program, asker.elf.rpath, "RPATH");
      if (found !== undefined) return found;
    }
    return undefined;
  }

  #findInPath(
    name: string,
    owner: LoadedObject,
    program: LoadedObject,
    path: string | undefined,
    kind: string,
  ): Found | undefined {
    if (path === undefined) return undefined;
    const folders = path.split(":").flatMap((folder) => this.#expand(folder, owner));
    return this.#findInFolders(name, program, folders, () => `by the ${kind} of ${owner.path}`, false);
  }

  #findByCache(name: string, requester: LoadedObject, program: LoadedObject): Found | undefined {
    const usable = (path: string) =>
      !(requester.elf.noDefaultLibraries && this.defaultFolders.includes(dirname(path))) &&
      this.#elfs.library(path, program.elf) !== undefined;
    const entries = (this.#cache.get(name) ?? []).filter(({ path, legacy }) => !legacy && usable(path));
    const plain = entries.find(({ hwcaps }) => hwcaps === undefined);
    const best = this.#levels
      .map((level) => entries.find(({ hwcaps }) => hwcaps === level))
      .find((entry) => entry !== undefined);
    const chosen = best ?? plain;
    if (chosen !== undefined) {
      const variants = entries.filter((entry) => entry !== chosen && (entry.hwcaps !== undefined || entry === plain));
      return {
        path: chosen.path,
        via: `by ${CACHE}`,
        variants: variants.map(({ path }) => path),
        byCache: !this.#isDefault(chosen.path),
      };
    }
    return this.#findInFolders(name, program, this.#confFolders, () => "in a folder of /etc/ld.so.conf", true);
  }

  #isDefault(path: string): boolean {
    const folder = dirname(path).replace(/\/glibc-hwcaps\/[^/]+$/, "");
    const own = this.#elfs.root.resolve(folder)?.path;
    return this.defaultFolders.some((each) => each === folder || this.#elfs.root.resolve(each)?.path === own);
  }

  #findInFolders(
    name: string,
    program: LoadedObject,
    folders: readonly string[],
    via: () => string,
    byCache: boolean,
  ): Found | undefined {
    for (const path of folders) {
      const folder = this.#folder(path);
      if (folder === undefined) continue;
      const candidates = [...folder.subfolders, ""]
        .map((subfolder) => ({ subfolder, path: `${path}/${subfolder === "" ? "" : `${subfolder}/`}${name}` }))
        .filter((candidate) => this.#elfs.library(candidate.path, program.elf) !== undefined);
      const preferred = this.#levels.map((level) => `glibc-hwcaps/${level}`);
      const chosen =
        preferred
          .map((subfolder) => candidates.find((each) => each.subfolder === subfolder))
          .find((each) => each !== undefined) ?? candidates.find(({ subfolder }) => subfolder === "");
      if (chosen === undefined) continue;
      const variants = candidates.filter((candidate) => candidate !== chosen).map((candidate) => candidate.path);
      return { path: chosen.path, via: via(), variants, byCache: byCache && !this.#isDefault(chosen.path) };
    }
    return undefined;
  }

  #folder(path: string): Folder | undefined {
    const known = this.#folders.get(path);
    if (known !== undefined) return known;
    const { root } = this.#elfs;
    if (!root.isDirectory(path)) return undefined;
    const isLegacy = this.version !== undefined && Number(this.version.slice(2)) < FIRST_WITHOUT_LEGACY;
    const folder = {
      subfolders: [
        ...root.list(`${path}/glibc-hwcaps`).map((level) => `glibc-hwcaps/${level}`),
        ...(isLegacy ? LEGACY_FOLDERS.filter((name) => root.isDirectory(`${path}/${name}`)) : []),
      ],
    };
    this.#folders.set(path, folder);
    return folder;
  }

  /** $ORIGIN, $LIB and $PLATFORM replaced: several paths where the processor decides, none for an empty or relative one. */
  #expand(path: string, owner: LoadedObject): string[] {
    if (path === "") return [];
    const origin = dirname(owner.loader === undefined ? owner.path : owner.found);
    const replaced = path.replaceAll(/\$(?:\{(ORIGIN|LIB)\}|(ORIGIN|LIB)(?![A-Za-z0-9_]))/g, (_, braced, bare) =>
      (braced ?? bare) === "ORIGIN" ? origin : this.#lib,
    );
    const paths = /\$(\{PLATFORM\}|PLATFORM)/.test(replaced)
      ? platformsOf(owner.elf).map((platform) => replaced.replaceAll(/\$(\{PLATFORM\}|PLATFORM)/g, platform))
      : [replaced];
    return paths.filter((each) => each.startsWith("/"));
  }
}

function byName(entries: readonly CacheEntry[]): Map<string, CacheEntry[]> {
  const groups = new Map<string, CacheEntry[]>();
  for (const entry of entries) {
    const group = groups.get(entry.name);
    if (group === undefined) groups.set(entry.name, [entry]);
    else group.push(entry);
  }
  return groups;
}

interface Folder {
  /** For processors that are better than the least. */
  readonly subfolders: readonly string[];
}

/** AT_PLATFORM as the kernel or ld.so sets it. */
function platformsOf(elf: Elf): string[] {
  const platforms: Readonly<Record<number, string[]>> = {
    3: ["i686", "i586", "i386"],
    62: ["haswell", "xeon_phi", "x86_64"],
    183: ["aarch64"],
    40: ["v8l", "v7l"],
  };
  return platforms[elf.machine] ?? [];
}

/** The loader holds its default folders as a row of strings: `/lib/x86_64-linux-gnu/`, `/usr/lib/x86_64-linux-gnu/`, `/lib/`, `/usr/lib/`. */
function defaultFoldersOf(code: Buffer, like: Elf): string[] {
  const row = /(?:\/(?:usr\/)?lib[\w./-]*\/\0){2,}/.exec(code.toString("latin1"))?.[0];
  if (row !== undefined)
    return row
      .split("\0")
      .filter((folder) => folder !== "")
      .map((folder) => folder.replace(/\/$/, ""));
  return like.bits === 64 ? ["/lib64", "/usr/lib64"] : ["/lib", "/usr/lib"];
}
