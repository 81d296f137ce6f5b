/** --user of a container: numbers, or names that the environment's own /etc/passwd and /etc/group have. Source: passwd(5), group(5). */
import * as fs from "node:fs";
import { RegError } from "../errors/errors.ts";
import type { ContainerUser } from "./config.ts";

const LARGEST_ID = 2 ** 32 - 2;

/** `read` gives the text of a file of the root, undefined when there is none. Throws RegError for a name that nobody has. */
export function resolveUser(text: string, read: (path: string) => string | undefined): ContainerUser {
  const [user = "", group, ...rest] = text.split(":");
  if (user === "" || group === "" || rest.length > 0)
    throw new RegError("EINVAL", `--user ${JSON.stringify(text)} is not USER[:GROUP]`, {
      hint: "names of the environment, or numbers, as in --user 33:33",
    });
  const users = linesOf(read("etc/passwd"));
  const groups = linesOf(read("etc/group"));
  const uid = numberOf(user);
  const entry = users.find(([name, , id]) => name === user || (uid !== undefined && id === String(uid)));
  if (uid === undefined && entry === undefined) throw unknown("user", user, users);
  const found = entry === undefined ? undefined : { uid: Number(entry[2]), gid: Number(entry[3]) };
  const home = entry?.[5];
  const id = uid ?? found?.uid ?? 0;
  const own = group === undefined ? (found?.gid ?? 0) : groupId(group, groups);
  // A group that was named is the only one, as with engines.
  const more = group !== undefined || entry === undefined ? [] : membershipsOf(entry[0] ?? "", groups);
  const additionalGids = more.filter((each) => each !== own);
  return {
    uid: id,
    gid: own,
    ...(additionalGids.length === 0 ? {} : { additionalGids }),
    ...(home === undefined || !home.startsWith("/") ? {} : { home }),
  };
}

/** Reads files of a directory; what is no regular file there is none. */
export function readerIn(root: string): (path: string) => string | undefined {
  return (path) => {
    const stats = fs.lstatSync(`${root}/${path}`, { throwIfNoEntry: false });
    return stats?.isFile() === true ? fs.readFileSync(`${root}/${path}`, "utf8") : undefined;
  };
}

function groupId(text: string, groups: readonly (readonly string[])[]): number {
  const entry = groups.find(([name]) => name === text);
  const id = numberOf(text) ?? (entry === undefined ? undefined : Number(entry[2]));
  if (id === undefined) throw unknown("group", text, groups);
  return id;
}

function membershipsOf(user: string, groups: readonly (readonly string[])[]): number[] {
  return groups.flatMap(([, , id, members = ""]) => (members.split(",").includes(user) ? [Number(id)] : []));
}

function numberOf(text: string): number | undefined {
  return /^\d{1,10}$/.test(text) && Number(text) <= LARGEST_ID ? Number(text) : undefined;
}

function linesOf(text = ""): string[][] {
  return text.split("\n").flatMap((line) => (line.includes(":") ? [line.split(":")] : []));
}

function unknown(what: string, name: string, known: readonly (readonly string[])[]): RegError {
  const names = known.slice(0, 12).map(([each]) => each);
  return new RegError("ENOENT", `the environment has no ${what} ${JSON.stringify(name)}`, {
    hint: `it has ${names.join(", ") || "none"}; a number goes, too`,
  });
}
