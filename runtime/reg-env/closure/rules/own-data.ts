/**
 * Folders that carry the name of a program or of its package: configuration, data, plugins. Of what it keeps in /var only the folders, as the
 * files there belong to the machine. Source: the Filesystem Hierarchy Standard 3.0.
 */
import { basename } from "node:path";
import type { Collector } from "../collector.ts";

/** Languages and shells have rules of their own. */
export const LANGUAGES = /^(python|perl|node|nodejs|git|sh|bash|dash|ruby|java|php|lua|tclsh|emacs)[\d.]*$/;

export function takeOwnData(program: string, asked: string, collector: Collector): void {
  const owner = collector.packages.ownerOf(program)?.name ?? "";
  const process = collector.processes.get(program);
  const names = new Set(
    [basename(asked), basename(program), owner].flatMap((name) => [
      name,
      name.replace(/-(server|core|common|bin|light|full|daemon)$/, ""),
    ]),
  );
  for (const name of names) {
    if (name === "" || LANGUAGES.test(name)) continue;
    const asker = {
      rule: "own-data",
      from: program,
      text: `carries the name of ${program} or its package`,
      process,
      as: "data",
    } as const;
    for (const folder of ["/etc", "/usr/share", "/usr/lib", "/usr/libexec", ...collector.glob("/usr/lib/*-linux-*")])
      if (collector.root.isDirectory(`${folder}/${name}`)) collector.addTree(`${folder}/${name}`, asker);
    for (const folder of ["/var/lib", "/var/log", "/var/cache", "/var/spool"])
      if (collector.root.isDirectory(`${folder}/${name}`))
        collector.addTree(`${folder}/${name}`, asker, (_, stats) => stats.isDirectory());
  }
}
