/** The package of a file, also of those that a package's scripts made when it was installed. */
import { dirname } from "node:path";
import type { Collector } from "./collector.ts";
import type { Package } from "./types.ts";

/** Folders whose files are made when a package is installed. */
const MADE: readonly (readonly [folder: string, maker: string])[] = [
  ["/etc/ssl/certs/", "/usr/sbin/update-ca-certificates"],
];

export function ownerOf(path: string, { root, packages }: Collector): Package | undefined {
  if (packages.isEmpty) return undefined;
  const own = root.locate(path);
  // Folders belong to many.
  if (own === undefined || own.stats.isDirectory()) return undefined;
  // Links such as /lib: every package lists them as folders.
  if (own.stats.isSymbolicLink() && dirname(path) === "/") return packages.find("base-files");
  const direct = packages.ownerOf(path);
  if (direct !== undefined) return direct;
  const maker = MADE.find(([folder]) => path.startsWith(folder))?.[1];
  if (maker !== undefined) return packages.ownerOf(maker);
  // /usr/bin/awk and /etc/alternatives/awk: links that update-alternatives made.
  if (own.stats.isSymbolicLink()) {
    const target = root.resolve(path);
    return target?.stats.isFile() === true ? packages.ownerOf(target.path) : undefined;
  }
  const compiled = /^(.*)\/__pycache__\/([^/]+)\.[^./]+\.pyc$/.exec(path);
  if (compiled !== null) return packages.ownerOf(`${compiled[1]}/${compiled[2]}.py`);
  const name = /^\/usr\/lib\/[^/]+\/gconv\/gconv-modules\.cache$/.test(path)
    ? `${dirname(path)}/gconv-modules`
    : undefined;
  return name === undefined ? undefined : packages.ownerOf(name);
}
