/**
 * The modules of a program for Node.js, package by package: the program's own package whole, and what it depends on, found as Node finds it.
 * Packages load parts of themselves by names made up at run time, so none is taken apart.
 * Source: Node's manual, "Modules: Packages" and "Loading from node_modules folders"; npm's package.json(5).
 */
import { basename, dirname, join } from "node:path";
import type { Asker, Collector, Rule } from "../collector.ts";

/** Where Debian's packages of modules are. */
const GLOBAL_FOLDERS = ["/usr/share/nodejs", "/usr/lib/nodejs", "/usr/lib/*-linux-*/nodejs"];
const IMPORT =
  /\b(?:require|import)\s*\(\s*["']([^"'\n]+)["']\s*\)|^\s*(?:import|export)\b[^"'\n;]*["']([^"'\n]+)["']/gm;
const ENDINGS = ["", ".js", ".json", ".node", ".mjs", ".cjs", "/index.js"];

export const nodeModules: Rule = {
  name: "node-modules",
  apply({ path, interpreter }, collector) {
    if (interpreter === undefined || !/^node(js)?$/.test(basename(interpreter))) return;
    // Machine code is loaded into Node's process, which has to be known.
    collector.defer(() => {
      const modules = new Modules(collector, {
        rule: "node-modules",
        text: "",
        as: "data",
        process: collector.processes.get(interpreter),
      });
      const folder = packageFolderOf(path, collector);
      if (folder !== undefined) modules.takePackage(folder, path, `part of the package of ${path}`);
      else modules.takeFile(path);
    });
  },
};

/** The nearest folder with a package.json. */
function packageFolderOf(path: string, { root }: Collector): string | undefined {
  for (let folder = dirname(path); folder !== "/"; folder = dirname(folder))
    if (root.isFile(join(folder, "package.json"))) return folder;
  return undefined;
}

class Modules {
  readonly #collector: Collector;
  readonly #asker: Asker;
  readonly #seen = new Set<string>();

  constructor(collector: Collector, asker: Asker) {
    this.#collector = collector;
    this.#asker = asker;
  }

  /** A package without the packages in it, and those that it depends on. */
  takePackage(folder: string, from: string, text: string): void {
    const { root, warnings } = this.#collector;
    const own = root.resolve(folder)?.path;
    if (own === undefined || this.#seen.has(own)) return;
    this.#seen.add(own);
    this.#collector.add(folder, { ...this.#asker, from, text });
    this.#collector.addTree(own, { ...this.#asker, from, text }, (path) => !/\/(node_modules|\.git)$/.test(path));
    const file = join(own, "package.json");
    const description = parseDescription(root.readText(file));
    for (const [name, isRequired] of dependenciesOf(description)) {
      const found = this.#find(name, own);
      if (found !== undefined) this.takePackage(found, file, `${file} depends on ${name}`);
      else if (isRequired) warnings.add(`${file} depends on ${name}, which is not installed`);
    }
  }

  /** A file outside of any package, and what it names. */
  takeFile(path: string): void {
    const { root } = this.#collector;
    if (this.#seen.has(path)) return;
    this.#seen.add(path);
    for (const [, called, imported] of (root.readText(path) ?? "").matchAll(IMPORT)) {
      const name = called ?? imported ?? "";
      const text = `${path} imports ${name}`;
      if (/^\.{0,2}\//.test(name)) {
        const base = name.startsWith("/") ? name : join(dirname(path), name);
        const found = ENDINGS.map((ending) => base + ending).find((candidate) => root.isFile(candidate));
        if (found === undefined) continue;
        this.#collector.add(found, { ...this.#asker, from: path, text });
        if (/\.[cm]?js$/.test(found)) this.takeFile(found);
      } else {
        const [first = "", second = ""] = name.split("/");
        const folder = this.#find(first.startsWith("@") ? `${first}/${second}` : first, dirname(path));
        if (folder !== undefined) this.takePackage(folder, path, text);
      }
    }
  }

  #find(name: string, from: string): string | undefined {
    const folders: string[] = [];
    for (let folder = from; ; folder = dirname(folder)) {
      if (basename(folder) !== "node_modules") folders.push(join(folder, "node_modules"));
      if (folder === "/") break;
    }
    folders.push(
      ...GLOBAL_FOLDERS.flatMap((pattern) => (pattern.includes("*") ? this.#collector.glob(pattern) : [pattern])),
    );
    return folders.map((folder) => join(folder, name)).find((candidate) => this.#collector.root.isDirectory(candidate));
  }
}

function parseDescription(text: string | undefined): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text ?? "{}");
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

/** Names, and whether a program may count on them. */
function dependenciesOf(description: Readonly<Record<string, unknown>>): [name: string, isRequired: boolean][] {
  const names = (key: string) =>
    Object.keys(typeof description[key] === "object" && description[key] !== null ? description[key] : {});
  const optional = names("optionalDependencies");
  return [
    ...names("dependencies").map((name): [string, boolean] => [name, !optional.includes(name)]),
    ...[...optional, ...names("peerDependencies")].map((name): [string, boolean] => [name, false]),
  ];
}
