/**
 * An installed package: its files, without manuals and what an init system reads, and the packages that it depends on where no header of a file can name them: modules of
 * languages, and what a package was split into. Others come in by need, as whole trees of dependencies are far too much.
 */
import { basename } from "node:path";
import type { Collector } from "./collector.ts";

const MANUALS = /^\/usr\/share\/(man|info|lintian|bug|doc-base|doc\/(?!.*\/copyright$))/;
/** For a whole system, which a container is not. */
const SYSTEM =
  /^\/(etc\/(init\.d|cron\.[a-z]+|logrotate\.d|rc[0-9S]\.d)|usr\/lib\/(systemd|tmpfiles\.d|sysusers\.d))\//;
const BY_NAME_ONLY = /^(python3?-|node-|ruby-|lib.+-perl$)|-(common|data|runtime|files|core)$/;
const PROGRAMS = /^\/usr\/(local\/)?s?bin\/[^/]+$/;

/** Returns the paths of its programs. */
export function takePackage(name: string, collector: Collector): string[] {
  const { packages, faults } = collector;
  if (packages.filesOf(name) === undefined) {
    const why = packages.isEmpty
      ? `the root has no package database, so no package ${name}`
      : `the package ${name} is not installed in the root`;
    faults.push(why);
    return [];
  }
  const programs: string[] = [];
  const waiting = [{ name, text: `a file of the package ${name}` }];
  const seen = new Set([name]);
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    takeFiles(next.name, next.text, collector);
    if (next.name === name) programs.push(...(packages.filesOf(name) ?? []).filter((path) => PROGRAMS.test(path)));
    for (const dependency of packages.dependenciesOf(next.name))
      if (BY_NAME_ONLY.test(dependency) && !seen.has(dependency)) {
        seen.add(dependency);
        waiting.push({ name: dependency, text: `a file of the package ${dependency}, which ${next.name} depends on` });
      }
  }
  takeAlternatives(seen, collector);
  return programs.filter((path) => collector.root.isFile(path)).sort();
}

/**
 * Links that update-alternatives made to files of the packages: /usr/bin/convert. Source: update-alternatives(1); a file of its database has the status,
 * the link, names and links of those that follow it, and after an empty line the alternatives.
 */
function takeAlternatives(names: ReadonlySet<string>, collector: Collector): void {
  const { root, packages } = collector;
  const folder = "/var/lib/dpkg/alternatives";
  for (const name of root.list(folder)) {
    const [, link = "", ...rest] = (root.readText(`${folder}/${name}`) ?? "").split("\n");
    const end = rest.indexOf("");
    const links = [link, ...rest.slice(0, Math.max(end, 0)).filter((_, index) => index % 2 === 1)];
    for (const path of links) {
      const target = root.resolve(path);
      const owner = target?.stats.isFile() === true ? packages.ownerOf(target.path)?.name : undefined;
      if (owner !== undefined && names.has(owner) && !MANUALS.test(path))
        collector.add(path, {
          rule: "package",
          text: `a name that update-alternatives gave to a file of the package ${owner}`,
        });
    }
  }
}

function takeFiles(name: string, text: string, collector: Collector): void {
  const paths = collector.packages.filesOf(name) ?? [];
  const parents = new Set(paths.map((path) => path.slice(0, path.lastIndexOf("/"))));
  for (const path of paths) {
    // Folders above others are mostly everybody's; a package's empty ones are meant.
    if (MANUALS.test(path) || SYSTEM.test(path) || (parents.has(path) && collector.root.isDirectory(path))) continue;
    collector.add(path, { rule: "package", text });
  }
}

/** The program that carries a package's name, or its only one. */
export function commandOf(programs: readonly string[], names: readonly string[]): readonly string[] | undefined {
  const named = programs.find((path) => names.includes(basename(path)));
  const chosen = named ?? (programs.length === 1 ? programs[0] : undefined);
  return chosen === undefined ? undefined : [chosen];
}
