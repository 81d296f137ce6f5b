/**
 * Directories that a system makes when it starts, and programs need: below /run, of a package's tmpfiles.d and units, and those that were asked
 * for. Source: tmpfiles.d(5), systemd.exec(5) on RuntimeDirectory=.
 */
import { posix } from "node:path";
import { RegError } from "../../../errors/errors.ts";
import type { Collector } from "../collector.ts";
import { relatedPackages } from "./package-folders.ts";

const OF_UNITS = {
  RuntimeDirectory: "/run",
  StateDirectory: "/var/lib",
  CacheDirectory: "/var/cache",
  LogsDirectory: "/var/log",
};

/** For programs that were asked for, by the packages that they are of. */
export function takeSystemDirectories(programs: readonly string[], collector: Collector): void {
  const { packages, root } = collector;
  const names = new Set(
    programs
      .flatMap((program) => packages.ownerOf(program)?.name ?? [])
      .flatMap((name) => relatedPackages(name, collector)),
  );
  for (const name of names)
    for (const path of packages.filesOf(name) ?? []) {
      const reason = {
        rule: "directories",
        from: path,
        text: `${path} of the package ${name} says that it is made when a system starts`,
      };
      if (/^\/usr\/lib\/tmpfiles\.d\/[^/]+\.conf$/.test(path))
        for (const line of (root.readText(path) ?? "").split("\n")) {
          const [type = "", folder = "", mode = "-", user = "-", group = "-"] = line.trim().split(/\s+/);
          if (/^[dD][!+=-]*$/.test(type) && !folder.includes("%"))
            makeDirectory(folder, { mode, user, group }, reason, collector);
        }
      if (/^\/usr\/lib\/systemd\/system\/[^/]+\.service$/.test(path))
        takeUnit(root.readText(path) ?? "", reason, collector);
    }
}

function takeUnit(text: string, reason: Reason, collector: Collector): void {
  const value = (key: string) => new RegExp(`^${key}=(.*)$`, "m").exec(text)?.[1]?.trim();
  for (const [key, parent] of Object.entries(OF_UNITS))
    for (const name of value(key)?.split(/\s+/) ?? [])
      if (name !== "" && !name.includes("%"))
        makeDirectory(
          `${parent}/${name.replace(/:.*/, "")}`,
          { mode: value(`${key}Mode`) ?? "0755", user: value("User") ?? "-", group: value("Group") ?? "-" },
          reason,
          collector,
        );
}

/** --mkdir PATH[:MODE[:USER[:GROUP]]] */
export function takeDirectory(text: string, collector: Collector): void {
  const [path = "", mode = "0755", user = "-", group = "-", ...rest] = text.split(":");
  const isGood =
    path.startsWith("/") && !path.split("/").includes("..") && /^[0-7]{3,4}$/.test(mode) && rest.length === 0;
  const made =
    isGood && makeDirectory(path, { mode, user, group }, { rule: "mkdir", text: `--mkdir ${text}` }, collector);
  if (!made)
    throw new RegError("EINVAL", `--mkdir ${JSON.stringify(text)} is not PATH[:MODE[:USER[:GROUP]]]`, {
      hint: "as in --mkdir /run/app:0755:www-data, with a user that /etc/passwd of the root has",
    });
}

type Reason = {
  readonly rule: string;
  readonly from?: string;
  readonly text: string;
};

/** Whether it could be made: its owner has to be known. */
export function makeDirectory(
  folder: string,
  { mode, user, group }: { readonly mode: string; readonly user: string; readonly group: string },
  reason: Reason,
  collector: Collector,
): boolean {
  const { root } = collector;
  const path = realPath(posix.normalize(folder).replace(/(.)\/+$/, "$1"), collector);
  const uid = idOf(user, "/etc/passwd", collector);
  const own = user === "-" ? "0" : (lineOf(user, "/etc/passwd", collector)?.[3] ?? "0");
  const gid = group === "-" ? Number(own) : idOf(group, "/etc/group", collector);
  if (uid === undefined || gid === undefined) return false;
  const bits = Number.parseInt(/^[0-7]{3,4}$/.test(mode) ? mode : "0755", 8);
  // /run of the root is a running system's: there the directory is made anew.
  if (!path.startsWith("/run/") && root.isDirectory(path)) collector.add(path, { ...reason, as: "data", named: true });
  else collector.directories.set(path, { mode: bits, uid, gid, reason });
  return true;
}

/** /var/run/x is /run/x. */
function realPath(path: string, { root }: Collector): string {
  const [, first = "", second = "", rest = ""] = /^(\/[^/]+)(\/[^/]+)?(\/.*)?$/.exec(path) ?? [];
  const target = root.resolve(first + second);
  if (second !== "" && rest !== "" && target?.stats.isDirectory() === true) return target.path + rest;
  return path;
}

function idOf(name: string, file: string, collector: Collector): number | undefined {
  if (name === "-" || name === "root") return 0;
  if (/^\d+$/.test(name)) return Number(name);
  const id = lineOf(name, file, collector)?.[2];
  return id === undefined ? undefined : Number(id);
}

function lineOf(name: string, file: string, { root }: Collector): string[] | undefined {
  return (root.readText(file) ?? "")
    .split("\n")
    .map((line) => line.split(":"))
    .find(([each]) => each === name);
}
