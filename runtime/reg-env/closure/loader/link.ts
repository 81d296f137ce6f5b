/**
 * What a program's dynamic loader loads when it starts: breadth first, each library once, as glibc's elf/dl-deps.c does.
 * Nothing of the root is executed.
 */
import { describeElf, type Elf } from "../elf/elf.ts";
import { GlibcSearch, type SearchOptions } from "./glibc.ts";
import { MuslSearch } from "./musl.ts";
import type { ElfReader, Found, LoadedObject, Search } from "./objects.ts";

export interface MissingLibrary {
  readonly name: string;
  readonly requester: LoadedObject;
}

/** A process as the loader sees it. */
export interface Process {
  readonly program: LoadedObject;
  /** In the order of loading; the program is the first, the loader itself is not among them. */
  readonly objects: readonly LoadedObject[];
  /** The loader's path as the program names it; absent for a static program. */
  readonly interpreter?: string;
  readonly search: Search;
  readonly missing: readonly MissingLibrary[];
}

export class Linker {
  readonly elfs: ElfReader;
  readonly #options: SearchOptions;
  readonly #searches = new Map<string, Search>();

  constructor(elfs: ElfReader, options: SearchOptions = {}) {
    this.elfs = elfs;
    this.#options = options;
  }

  /** The program at that path (without links), which has to be an ELF file, and all that its loader loads. */
  start(path: string, elf: Elf, interpreter = elf.interpreter): Process {
    const program: LoadedObject = {
      path,
      found: path,
      elf,
      names: new Set(elf.soname === undefined ? [] : [elf.soname]),
      via: "the program",
      variants: [],
      byCache: false,
    };
    const search = this.#searchOf(interpreter ?? this.#guessInterpreter(elf), elf);
    const process = {
      program,
      objects: [program],
      search,
      missing: [],
      ...(interpreter === undefined ? {} : { interpreter }),
    };
    return this.#complete(process, [...preloads(this.elfs), ...wanted(elf)], program);
  }

  /** The process after it loaded one more file by its path, as dlopen(3) does. */
  open(process: Process, path: string, elf: Elf): Process {
    if (process.objects.some((object) => object.path === path)) return process;
    const object: LoadedObject = {
      path,
      found: path,
      elf,
      loader: process.program,
      names: new Set(elf.soname === undefined ? [path] : [path, elf.soname]),
      via: "loaded while the program runs",
      variants: [],
      byCache: false,
    };
    return this.#complete({ ...process, objects: [...process.objects, object] }, wanted(elf), object);
  }

  /** Where a process finds a library by name while it runs: dlopen(3) called from `requester`. */
  find(process: Process, name: string, requester = process.program): Found | undefined {
    const loaded = process.objects.find((object) => object.names.has(name));
    if (loaded !== undefined) return { ...loaded, path: loaded.found };
    return process.search.find(name, requester, process.program);
  }

  /** Loads what is wanted, and then what that wants. */
  #complete(process: Process, wants: readonly Want[], requester: LoadedObject): Process {
    const objects = [...process.objects];
    const missing: MissingLibrary[] = [...process.missing];
    const queue = wants.map((want) => ({ want, requester }));
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      const { want } = next;
      if (process.search.isOwn(want.name) || objects.some((object) => object.names.has(want.name))) continue;
      const found = process.search.find(want.name, next.requester, process.program);
      if (found === undefined) {
        if (want.required) missing.push({ name: want.name, requester: next.requester });
        continue;
      }
      const object = this.#load(found, want.name, next.requester);
      const same = objects.find(({ path }) => path === object.path || this.#isSameFile(path, object.path));
      if (same !== undefined) {
        same.names.add(want.name);
        continue;
      }
      objects.push(object);
      queue.push(...wanted(object.elf).map((each) => ({ want: each, requester: object })));
    }
    return { ...process, objects, missing };
  }

  #load(found: Found, name: string, requester: LoadedObject): LoadedObject {
    const path = this.elfs.root.resolve(found.path)?.path ?? found.path;
    const elf = this.elfs.read(path);
    if (elf === undefined) throw new TypeError(`${path} was found, but is no ELF file`);
    return {
      path,
      found: found.path,
      elf,
      loader: requester,
      names: new Set(elf.soname === undefined ? [name] : [name, elf.soname]),
      via: found.via,
      variants: found.variants,
      byCache: found.byCache,
    };
  }

  #isSameFile(left: string, right: string): boolean {
    const first = this.elfs.root.resolve(left)?.stats;
    const second = this.elfs.root.resolve(right)?.stats;
    return first !== undefined && second !== undefined && first.ino === second.ino && first.dev === second.dev;
  }

  #searchOf(interpreter: string, elf: Elf): Search {
    const key = `${interpreter} ${describeElf(elf)}`;
    let search = this.#searches.get(key);
    if (search === undefined) {
      search = interpreter.includes("ld-musl-")
        ? new MuslSearch(this.elfs, interpreter, this.#options.libraryPath)
        : new GlibcSearch(this.elfs, interpreter, elf, this.#options);
      this.#searches.set(key, search);
    }
    return search;
  }

  /** The loader that would load a library nobody has started yet: that of its machine. */
  #guessInterpreter(elf: Elf): string {
    const known = KNOWN_INTERPRETERS.find(([machine, bits]) => machine === elf.machine && bits === elf.bits)?.[2] ?? [];
    return known.find((path) => this.elfs.root.isFile(path)) ?? known[0] ?? "/lib/ld.so.1";
  }
}

const KNOWN_INTERPRETERS: readonly (readonly [machine: number, bits: number, paths: readonly string[]])[] = [
  [62, 64, ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-musl-x86_64.so.1"]],
  [3, 32, ["/lib/ld-linux.so.2", "/lib/ld-musl-i386.so.1"]],
  [183, 64, ["/lib/ld-linux-aarch64.so.1", "/lib/ld-musl-aarch64.so.1"]],
  [40, 32, ["/lib/ld-linux-armhf.so.3", "/lib/ld-linux.so.3", "/lib/ld-musl-armhf.so.1"]],
  [243, 64, ["/lib/ld-linux-riscv64-lp64d.so.1", "/lib/ld-musl-riscv64.so.1"]],
  [21, 64, ["/lib64/ld64.so.2", "/lib/ld-musl-powerpc64le.so.1"]],
  [22, 64, ["/lib/ld64.so.1", "/lib/ld-musl-s390x.so.1"]],
];

interface Want {
  readonly name: string;
  readonly required: boolean;
}

/** DT_FILTER and DT_AUXILIARY come before what is needed. */
function wanted(elf: Elf): Want[] {
  return [...elf.filters, ...elf.needed.map((name) => ({ name, required: true }))];
}

/** /etc/ld.so.preload: loaded before anything else, into every program. */
function preloads(elfs: ElfReader): Want[] {
  const text = elfs.root.readText("/etc/ld.so.preload") ?? "";
  return text
    .replaceAll(/#.*/g, "")
    .split(/[\s:]+/)
    .filter((name) => name !== "")
    .map((name) => ({ name, required: false }));
}
