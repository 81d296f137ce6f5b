/**
 * The name service switch: libnss_*.so.2, opened by the C library for the services that nsswitch.conf names.
 * Since glibc 2.34 `files` and `dns` are in libc itself. Source: nsswitch.conf(5), glibc's NEWS for 2.34.
 */
import type { Rule } from "../collector.ts";
import { TABLE } from "./table.ts";

const FIRST_WITH_BUILTINS = 34;
const LOOKUPS = new Set(
  TABLE.filter(({ name }) => name === "names" || name === "users").flatMap(({ when }) => when?.imports ?? []),
);

export const nameService: Rule = {
  name: "name-service",
  apply({ path, elf, process }, collector) {
    if (elf === undefined || process === undefined || process.search.family !== "glibc") return;
    if (![...elf.imports].some((name) => LOOKUPS.has(name))) return;
    const conf = collector.root.readText("/etc/nsswitch.conf");
    const isBuiltin = Number((process.search.version ?? "2.36").slice(2)) >= FIRST_WITH_BUILTINS;
    for (const service of servicesOf(conf)) {
      if (isBuiltin && (service === "files" || service === "dns")) continue;
      const text =
        conf === undefined ? "without nsswitch.conf the C library asks it" : `nsswitch.conf names ${service}`;
      // One that is not installed is passed over by the C library.
      collector.addLibrary(`libnss_${service}.so.2`, {
        rule: "name-service",
        from: path,
        text: `${path} looks up names, and ${text}`,
        process,
      });
    }
    if (!isBuiltin)
      collector.addLibrary("libresolv.so.2", {
        rule: "name-service",
        from: path,
        text: `${path} looks up names of hosts`,
        process,
      });
  },
};

/** `hosts: files mdns4_minimal [NOTFOUND=return] dns` names three. */
export function servicesOf(conf: string | undefined): string[] {
  if (conf === undefined) return ["files", "dns"];
  const services = new Set<string>();
  for (const line of conf.replaceAll(/#.*/g, "").split("\n")) {
    const [, list = ""] = /^\s*\w+\s*:(.*)$/.exec(line) ?? [];
    for (const word of list.replaceAll(/\[[^\]]*\]/g, " ").split(/\s+/)) if (word !== "") services.add(word);
  }
  return [...services];
}
