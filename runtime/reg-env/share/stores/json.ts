/** Records of engines: JSON files, taken for what they should be and checked field by field. */
import * as fs from "node:fs";
import { RegError } from "../../../errors/errors.ts";

/** More than any store's list of layers has. */
const LARGEST_BYTES = 512 * 1024 * 1024;

export type Json = Readonly<Record<string, unknown>>;

/** The objects of an array in a file; none when there is no such file or it is empty. Throws RegError for anything else. */
export function readObjects(path: string): Json[] {
  const value = readJson(path);
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new RegError("EINVAL", `read ${path}: this is no list`);
  return value.filter(isObject);
}

/** The value in a file; undefined when there is no such file or it is empty. Throws RegError for what is no JSON. */
export function readJson(path: string): unknown {
  const status = fs.lstatSync(path, { throwIfNoEntry: false });
  if (status === undefined) return undefined;
  if (!status.isFile()) throw new RegError("EINVAL", `read ${path}: this is no regular file`);
  if (status.size > LARGEST_BYTES)
    throw new RegError("EFBIG", `read ${path}: ${status.size} bytes are more than expected`);
  const text = fs.readFileSync(path, "utf8");
  if (text.trim() === "") return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new RegError("EINVAL", `read ${path}: this is no JSON`, { cause: error });
  }
}

export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function stringOf(object: Json, key: string): string | undefined {
  const value = object[key];
  return typeof value === "string" ? value : undefined;
}

export function stringsOf(object: Json, key: string): string[] {
  const value = object[key];
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}
