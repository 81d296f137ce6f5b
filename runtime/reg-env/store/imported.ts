/** Files of an exported environment. They come from another host, maybe from a stranger: nothing in them is believed that was not checked. */
import * as fs from "node:fs";
import { RegError } from "../../errors/errors.ts";
import { printable } from "../../errors/printable.ts";
import type { Validator, Violation } from "../../oci/generated/full.generated.ts";
import { manifest, reasons, unit } from "../../oci/generated/imported.generated.ts";
import { digestOf } from "../../reg/digest.ts";
import type { Entry, FileEntry, Manifest, Unit } from "../../reg/manifest.ts";
import type { Reason } from "../closure/types.ts";
import { objectKey } from "./header.ts";

/** An environment of 40,000 files has units of 20 MB in all. */
const LARGEST_BYTES = 256 * 1024 * 1024;
const MOST_LINES = 20;

export function readImportedManifest(directory: string): Manifest {
  return parse(`${directory}/manifest.json`, manifest) as Manifest;
}

export function readImportedReasons(directory: string): Readonly<Record<string, Reason>> {
  return parse(`${directory}/reasons.json`, reasons) as Readonly<Record<string, Reason>>;
}

/** Throws RegError when its text is not what the digest says, or when an entry is none that a store keeps. */
export function readImportedUnit(directory: string, digest: string): Unit {
  const path = `${directory}/units/${digest}.json`;
  const text = read(path);
  if (digestOf(text) !== digest) throw invalid(path, "its text has another digest; it was changed on its way");
  const imported = parse(path, unit, text) as Unit;
  refuseTwice(imported, path);
  for (const entry of imported.entries)
    if (entry.type === "file" && objectKey(entry) !== entry.object)
      throw invalid(path, `/${printable(entry.path)} has the wrong object`);
  return imported;
}

/** The same for a unit that was put together from an archive: `path` is the archive's. */
export function checkUnit(document: Unit, path: string): void {
  if (!unit(document)) refuse(path, unit);
  refuseTwice(document, path);
}

function refuseTwice({ entries }: Unit, path: string): void {
  const paths = new Set<string>();
  for (const entry of entries) {
    if (paths.has(entry.path)) throw invalid(path, `/${printable(entry.path)} is in it twice`);
    paths.add(entry.path);
  }
}

/** Opens the content of a file, which is to be closed. Throws RegError when it is no file, or not of the size that the unit says. */
export function openContent(directory: string, entry: FileEntry): number {
  const path = `${directory}/content/${entry.content}`;
  const fd = openFile(path);
  const { size } = fs.fstatSync(fd);
  if (size === entry.sizeBytes) return fd;
  fs.closeSync(fd);
  throw invalid(path, `it has ${size} bytes, not the ${entry.sizeBytes} of /${printable(entry.path)}`);
}

/** Whether a file runs with the rights of its owner or group, whoever starts it. */
export function isSetId(entry: Entry): boolean {
  return entry.type === "file" && (entry.mode & 0o6000) !== 0;
}

/** A regular file, and nothing that a link leads to; a FIFO would wait for a writer that never comes. */
function openFile(path: string): number {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
  let fd: number;
  try {
    fd = fs.openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    throw invalid(path, error instanceof Error ? error.message : String(error), error);
  }
  if (fs.fstatSync(fd).isFile()) return fd;
  fs.closeSync(fd);
  throw invalid(path, "it is not a regular file");
}

function read(path: string): string {
  const fd = openFile(path);
  try {
    const { size } = fs.fstatSync(fd);
    if (size > LARGEST_BYTES) throw invalid(path, `it has ${size} bytes; ${LARGEST_BYTES} are the most`);
    return fs.readFileSync(fd, "utf8");
  } finally {
    fs.closeSync(fd);
  }
}

function parse(path: string, validate: Validator, text = read(path)): unknown {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    throw invalid(path, error instanceof Error ? error.message : String(error), error);
  }
  return validate(document) ? document : refuse(path, validate);
}

function refuse(path: string, validate: Validator): never {
  const violations = validate.errors ?? [];
  const lines = violations.slice(0, MOST_LINES).map((violation) => `\n  ${describe(violation)}`);
  if (violations.length > MOST_LINES) lines.push(`\n  and ${violations.length - MOST_LINES} more`);
  throw invalid(path, `it is not what reg-env export writes${lines.join("")}`);
}

/** "/entries/3/uid: expected at least 0, found -1" */
function describe({ instancePath, keyword, params, data, schema }: Violation): string {
  const place = instancePath === "" ? "(document)" : printable(instancePath);
  const found = printable((JSON.stringify(data) ?? "nothing").slice(0, 60));
  const expected: Readonly<Record<string, string>> = {
    type: `expected ${params.type}`,
    required: `lacks ${params.missingProperty}`,
    additionalProperties: `has ${JSON.stringify(params.additionalProperty)}, which is not known`,
    minimum: `expected at least ${params.limit}`,
    maximum: `expected at most ${params.limit}`,
    pattern: `does not match ${schema}`,
    discriminator: "its type is none of file, symlink, directory",
    propertyNames: `has the name ${JSON.stringify(params.propertyName)}, which is not kept`,
  };
  const text = expected[keyword] ?? `violates ${keyword}`;
  return `${place}: ${printable(text)}${keyword === "required" || keyword === "additionalProperties" ? "" : `, found ${found}`}`;
}

function invalid(path: string, fault: string, cause?: unknown): RegError {
  return new RegError("EINVAL", `${path}: ${fault}`, {
    hint: "reg-env install takes a directory that reg-env export wrote",
    ...(cause === undefined ? {} : { cause }),
  });
}
