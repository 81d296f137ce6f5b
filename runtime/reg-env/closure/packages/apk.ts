/**
 * The database of Alpine's package manager: lib/apk/db/installed.
 * Source: apk-tools' manual, apk-package(5): P: name, V: version, F: folder, R: file in it; a paragraph a package.
 */
import type { Root } from "../root.ts";
import type { Package } from "../types.ts";

export class Apk {
  readonly #files = new Map<string, string[]>();
  readonly #packages = new Map<string, Package>();
  readonly #dependencies = new Map<string, string[]>();
  readonly #owners = new Map<string, Package>();
  readonly #origins = new Map<string, string>();

  constructor(root: Root) {
    for (const paragraph of (root.readText("/lib/apk/db/installed") ?? "").split("\n\n")) {
      const field = (letter: string) => new RegExp(`^${letter}:(.*)$`, "m").exec(paragraph)?.[1];
      const name = field("P");
      const version = field("V");
      if (name === undefined || version === undefined) continue;
      const files: string[] = [];
      let folder = "";
      for (const line of paragraph.split("\n")) {
        if (line.startsWith("F:")) folder = line.slice(2);
        else if (line.startsWith("R:")) files.push(`/${folder === "" ? "" : `${folder}/`}${line.slice(2)}`);
      }
      this.#packages.set(name, { name, version });
      this.#origins.set(name, field("o") ?? name);
      const depends = field("D")?.split(" ") ?? [];
      this.#dependencies.set(
        name,
        depends.map((each) => each.replace(/[<>=~].*/, "")),
      );
      this.#files.set(name, files);
      for (const path of files) this.#owners.set(root.locate(path)?.path ?? path, { name, version });
    }
  }

  get isEmpty(): boolean {
    return this.#files.size === 0;
  }

  names(): string[] {
    return [...this.#files.keys()].sort();
  }

  find(name: string): Package | undefined {
    return this.#packages.get(name);
  }

  ownerOf(path: string): Package | undefined {
    return this.#owners.get(path);
  }

  /** Alpine's depend on names of libraries: those are found by what needs them. */
  dependenciesOf(name: string): string[] {
    return (this.#dependencies.get(name) ?? []).filter((each) => this.#packages.has(each));
  }

  siblingsOf(name: string): string[] {
    const origin = this.#origins.get(name);
    return this.names().filter((each) => each !== name && origin !== undefined && this.#origins.get(each) === origin);
  }

  filesOf(name: string): string[] | undefined {
    return this.#files.get(name);
  }
}
