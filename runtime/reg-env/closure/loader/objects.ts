/** What a dynamic loader has loaded, and how it asks for more. */
import { RegError } from "../../../errors/errors.ts";
import { type Elf, readElf } from "../elf/elf.ts";
import type { Resolved, Root } from "../root.ts";

export interface LoadedObject {
  /** In the root, without links. */
  readonly path: string;
  /** As the loader found it: $ORIGIN is the folder of this. */
  readonly found: string;
  readonly elf: Elf;
  /** Who asked for it first; the program has none. */
  readonly loader?: LoadedObject;
  /** Names it was asked for under, and its soname: who asks for one of them gets this object. */
  readonly names: Set<string>;
  /** Where the loader found it, in words. */
  readonly via: string;
  /** Other files that the loader takes instead on another processor. */
  readonly variants: readonly string[];
  /** In a folder that the loader finds only by ld.so.cache or ld.so.conf. */
  readonly byCache: boolean;
}

export interface Found {
  /** As found, with links. */
  readonly path: string;
  readonly via: string;
  readonly variants: readonly string[];
  readonly byCache: boolean;
}

/** How one C library's loader searches. */
export interface Search {
  /** The library of that name for `requester`, or undefined. `program` is the first object of the process. */
  find(name: string, requester: LoadedObject, program: LoadedObject): Found | undefined;
  /** Names that the loader itself answers to. */
  isOwn(name: string): boolean;
  /** The folders that are searched without any configuration. */
  readonly defaultFolders: readonly string[];
  /** The C library's version, such as "2.36", where the loader tells it. */
  readonly version?: string;
  readonly family: "glibc" | "musl";
}

/** Reads each ELF file of a root once. */
export class ElfReader {
  readonly root: Root;
  readonly #known = new Map<string, Elf | null>();
  readonly #damage = new Map<string, string>();

  constructor(root: Root) {
    this.root = root;
  }

  /** `path` without links; undefined when it is no ELF file, or a damaged one, which no loader takes either. */
  read(path: string): Elf | undefined {
    let elf = this.#known.get(path);
    if (elf === undefined) {
      elf = this.#readNew(path);
      this.#known.set(path, elf);
    }
    return elf ?? undefined;
  }

  /** What is wrong with a file that begins as an ELF file does; undefined for nothing. */
  damageOf(path: string): string | undefined {
    this.read(path);
    return this.#damage.get(path);
  }

  #readNew(path: string): Elf | null {
    try {
      return readElf(this.root.hostPath(path)) ?? null;
    } catch (error) {
      if (!(error instanceof RegError) || error.code !== "ENOEXEC") throw error;
      this.#damage.set(path, error.message.slice(error.message.lastIndexOf(": ") + 2));
      return null;
    }
  }

  /** What a path with links leads to; undefined when there is nothing, or no ELF file. */
  file(path: string): Elf | undefined {
    const found = this.root.resolve(path);
    return found?.stats.isFile() === true ? this.read(found.path) : undefined;
  }

  /** The library at that path, when the program can load it: another machine's or width's is passed over. */
  library(path: string, like: Elf): Resolved | undefined {
    const found = this.root.resolve(path);
    if (found?.stats.isFile() !== true) return undefined;
    const elf = this.read(found.path);
    return elf !== undefined && isCompatible(elf, like) ? found : undefined;
  }
}

const EM_ARM = 40;
const EF_ARM_ABI_FLOAT_HARD = 0x400;

export function isCompatible(elf: Elf, like: Elf): boolean {
  if (elf.machine !== like.machine || elf.bits !== like.bits || elf.bigEndian !== like.bigEndian) return false;
  if (elf.kind !== "shared") return false;
  // armel and armhf: a library without the flag is taken for either.
  return elf.machine !== EM_ARM || elf.flags === 0 || ((elf.flags ^ like.flags) & EF_ARM_ABI_FLOAT_HARD) === 0;
}
