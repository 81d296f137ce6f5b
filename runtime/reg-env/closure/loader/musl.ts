/**
 * Where musl's loader finds a library: RPATH and RUNPATH are one and are inherited, there is no cache, but a file with the folders.
 * Source: musl's ldso/dynlink.c (load_library, fixup_rpath).
 */
import { basename, dirname } from "node:path";
import type { ElfReader, Found, LoadedObject, Search } from "./objects.ts";

/** musl's libc answers to all of these. */
const OWN = /^lib(c|pthread|rt|m|dl|util|xnet)\.so(\.|$)/;

export class MuslSearch implements Search {
  readonly family = "musl";
  readonly defaultFolders: readonly string[];
  readonly #elfs: ElfReader;
  readonly #loader: string;
  readonly #confFile: string;
  readonly #libraryPath: readonly string[];

  constructor(elfs: ElfReader, interpreter: string, libraryPath?: string) {
    this.#libraryPath = libraryPath?.split(":").filter((folder) => folder.startsWith("/")) ?? [];
    this.#elfs = elfs;
    this.#loader = interpreter;
    const architecture = /^ld-musl-(.+)\.so/.exec(basename(interpreter))?.[1] ?? "";
    this.#confFile = `/etc/ld-musl-${architecture}.path`;
    this.defaultFolders = elfs.root
      .readText(this.#confFile)
      ?.split(/[\n:]/)
      .filter((folder) => folder !== "") ?? ["/lib", "/usr/local/lib", "/usr/lib"];
  }

  isOwn(name: string): boolean {
    return name === this.#loader || name === basename(this.#loader) || OWN.test(name);
  }

  find(name: string, requester: LoadedObject, program: LoadedObject): Found | undefined {
    const usable = (path: string) => this.#elfs.library(path, program.elf) !== undefined;
    const result = (path: string, via: string): Found => ({ path, via, variants: [], byCache: false });
    if (name.includes("/")) return usable(name) ? result(name, "named by its path") : undefined;
    const first = this.#libraryPath.find((each) => usable(`${each}/${name}`));
    if (first !== undefined) return result(`${first}/${name}`, "by LD_LIBRARY_PATH");
    for (let asker: LoadedObject | undefined = requester; asker !== undefined; asker = asker.loader) {
      const origin = dirname(asker.loader === undefined ? asker.path : asker.found);
      for (const folder of (asker.elf.runpath ?? asker.elf.rpath ?? "").split(":")) {
        const path = `${folder.replaceAll(/\$(\{ORIGIN\}|ORIGIN)/g, origin)}/${name}`;
        if (path.startsWith("/") && folder !== "" && usable(path)) return result(path, `by the RPATH of ${asker.path}`);
      }
    }
    const folder = this.defaultFolders.find((each) => usable(`${each}/${name}`));
    return folder === undefined ? undefined : result(`${folder}/${name}`, "in the loader's default folder");
  }
}
