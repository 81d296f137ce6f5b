/**
 * Which installed package a file belongs to, from dpkg's database, read as files.
 * Where folders were merged (/lib is a link to usr/lib), the lists name files by their old paths: those are translated.
 * Source: dpkg(1), dpkg-query(1), deb-substvars; dpkg's database files `status`, `info/*.list`, `diversions`.
 */
import { byBytes, type Root } from "../root.ts";
import type { Package } from "../types.ts";

const DATABASE = "/var/lib/dpkg";

export class Dpkg {
  readonly #root: Root;
  /** By name without architecture; several where architectures share a machine. */
  readonly #packages = new Map<string, { package: Package; list: string }[]>();
  readonly #depends = new Map<string, string>();
  readonly #sources = new Map<string, string>();
  readonly #aliases = new Map<string, string>();
  #owners: Map<string, Package> | undefined;

  constructor(root: Root) {
    this.#root = root;
    const lists = new Set(root.list(`${DATABASE}/info`).filter((name) => name.endsWith(".list")));
    for (const { name, version, architecture, depends, source } of installed(root)) {
      this.#depends.set(name, depends);
      this.#sources.set(name, source);
      const list = [`${name}:${architecture}.list`, `${name}.list`].find((each) => lists.has(each));
      if (list === undefined) continue;
      const entries = this.#packages.get(name) ?? [];
      entries.push({ package: { name, version }, list: `${DATABASE}/info/${list}` });
      this.#packages.set(name, entries);
    }
    for (const name of root.list("/")) {
      const target = root.resolve(`/${name}`);
      if (target !== undefined && target.path !== `/${name}` && target.stats.isDirectory())
        this.#aliases.set(`/${name}`, target.path);
    }
  }

  get isEmpty(): boolean {
    return this.#packages.size === 0;
  }

  /** Names of all installed packages, sorted. */
  names(): string[] {
    return [...this.#packages.keys()].sort(byBytes);
  }

  find(name: string): Package | undefined {
    return this.#packages.get(name)?.[0]?.package;
  }

  /** The package of a file, its path without links in its folders. */
  ownerOf(path: string): Package | undefined {
    this.#owners ??= this.#readOwners();
    return this.#owners.get(path);
  }

  dependenciesOf(name: string): string[] {
    const groups = this.#depends.get(name.replace(/:.*/, ""))?.split(",") ?? [];
    return groups.flatMap((group) => {
      const names = group.split("|").map((each) => each.trim().replace(/[\s:(].*$/s, ""));
      return names.filter((each) => this.#packages.has(each)).slice(0, 1);
    });
  }

  siblingsOf(name: string): string[] {
    const source = this.#sources.get(name);
    return this.names().filter((each) => each !== name && source !== undefined && this.#sources.get(each) === source);
  }

  /** Every path of an installed package, folders too, as they are on the disk; undefined when it is not installed. */
  filesOf(name: string): string[] | undefined {
    const entries = this.#packages.get(name.replace(/:.*/, ""));
    return entries?.flatMap((entry) => this.#read(entry.list, entry.package.name));
  }

  #readOwners(): Map<string, Package> {
    const owners = new Map<string, Package>();
    for (const name of this.names())
      for (const entry of this.#packages.get(name) ?? [])
        for (const path of this.#read(entry.list, name)) if (!owners.has(path)) owners.set(path, entry.package);
    return owners;
  }

  #read(list: string, owner: string): string[] {
    const diversions = this.#diversions();
    return (this.#root.readText(list) ?? "")
      .split("\n")
      .filter((path) => path.startsWith("/") && path !== "/.")
      .map((path) => {
        const diversion = diversions.get(path);
        return this.#canonical(diversion === undefined || diversion.by === owner ? path : diversion.to);
      });
  }

  #diverted: Map<string, { to: string; by: string }> | undefined;
  /** Where the files of all packages but one were moved. */
  #diversions(): Map<string, { to: string; by: string }> {
    if (this.#diverted === undefined) {
      this.#diverted = new Map();
      const lines = (this.#root.readText(`${DATABASE}/diversions`) ?? "").split("\n");
      for (let index = 0; index + 2 < lines.length; index += 3) {
        const [from = "", to = "", by = ""] = lines.slice(index, index + 3);
        this.#diverted.set(from, { to, by });
      }
    }
    return this.#diverted;
  }

  #canonical(path: string): string {
    const slash = path.indexOf("/", 1);
    if (slash === -1) return path;
    const alias = this.#aliases.get(path.slice(0, slash));
    return alias === undefined ? path : alias + path.slice(slash);
  }
}

interface Status {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
  readonly depends: string;
  readonly source: string;
}

/** Packages whose files are unpacked, from the status file's paragraphs; images without a package manager have a file each. */
function installed(root: Root): Status[] {
  const single = root.list(`${DATABASE}/status.d`).filter((name) => !name.includes("."));
  const texts = [
    root.readText(`${DATABASE}/status`),
    ...single.map((name) => root.readText(`${DATABASE}/status.d/${name}`)),
  ];
  const found: Status[] = [];
  for (const paragraph of texts.flatMap((text) => text?.split(/\n\n+/) ?? [])) {
    const field = (name: string) => new RegExp(`^${name}: *(.*)$`, "m").exec(paragraph)?.[1];
    const name = field("Package");
    const version = field("Version");
    const state = field("Status")?.split(" ")[2];
    if (name === undefined || version === undefined || state === "not-installed" || state === "config-files") continue;
    found.push({
      name,
      version,
      architecture: field("Architecture") ?? "all",
      depends: field("Depends") ?? "",
      source: field("Source")?.replace(/ .*/, "") ?? name,
    });
  }
  return found;
}
