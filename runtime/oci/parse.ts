/** From the text of a document to its typed value. */
import type { Fault } from "../errors/errors.ts";
import { check, checkHostConfig, checkNul, checkProcess, checkReg, checkResources } from "./check.ts";
import type { Config, HostConfig, LinuxResources, Process, Reg } from "./config.ts";
import * as valid from "./generated/fast.generated.ts";
import { type DocumentKind, fitsSchema, InvalidDocument } from "./validate.ts";

/** config.json. Throws InvalidDocument; `file` is how the reader knows the document. */
export function parseConfig(text: string, file: string): Config {
  return parse("config", valid.config, text, file, check);
}

/** The process that `exec --process` reads. Throws InvalidDocument. */
export function parseProcess(text: string, file: string): Process {
  return parse("process", valid.process, text, file, checkProcess);
}

/** The limits that `update --resources` reads. Throws InvalidDocument. */
export function parseResources(text: string, file: string): LinuxResources {
  return parse("resources", valid.resources, text, file, checkResources);
}

/** The Reg extension as a document of its own, which is what annotations make up. Throws InvalidDocument. */
export function parseReg(text: string, file: string): Reg {
  return parse("reg", valid.reg, text, file, checkReg);
}

/** What the host allows. Throws InvalidDocument. */
export function parseHostConfig(text: string, file: string): HostConfig {
  return parse("host", valid.host, text, file, checkHostConfig);
}

function parse<Value>(
  kind: DocumentKind,
  isValid: (document: unknown) => boolean,
  text: string,
  file: string,
  rules: (value: Value) => readonly Fault[],
): Value {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw new InvalidDocument(kind, text, file); // the engines' own messages differ; json-location.ts finds the place
  }
  if (!fitsSchema(isValid, document)) throw new InvalidDocument(kind, text, file);
  const value = document as Value;
  if (rules(value).length > 0) throw new InvalidDocument(kind, text, file);
  // JSON can write a NUL byte in this one way only, so that one search of the text clears nearly every document.
  if (text.includes("\\u0000") && checkNul(value).length > 0) throw new InvalidDocument(kind, text, file);
  return value;
}
