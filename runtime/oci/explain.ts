/**
 * Every fault of a document that parse.ts refused, in words. Loaded on failure only: it brings the validators that
 * describe errors along.
 */
import { ConfigError, type Fault } from "../errors/errors.ts";
import { printable } from "../errors/printable.ts";
import { type CheckFault, escapePointer, MOST_FAULTS, show } from "./check/faults.ts";
import { check, checkHostConfig, checkNul, checkProcess, checkReg, checkResources } from "./check.ts";
import type { Config, HostConfig, LinuxResources, Process, Reg } from "./config.ts";
import { config, host, process, reg, resources, type Validator, type Violation } from "./generated/full.generated.ts";
import { findJsonFault } from "./json-location.ts";
import { closest } from "./suggest.ts";
import { type DocumentKind, dropNulls, type InvalidDocument } from "./validate.ts";

const VALIDATORS: Readonly<Record<DocumentKind, Validator>> = { config, process, resources, reg, host };

/** The error to print. Its message starts with the file and the number of faults, then has a line for each. */
export function explain(invalid: InvalidDocument): ConfigError {
  const { kind, text, file } = invalid;
  const broken = findJsonFault(text);
  if (broken !== undefined) {
    const { line, column, expected, found, excerpt } = broken;
    const place = `${file}: not JSON: line ${line}, column ${column}: expected ${expected}, found ${found}`;
    return new ConfigError(`${place}\n${indent(excerpt)}`, [{ pointer: "", expected, found }], { cause: invalid });
  }
  const document = parsed(text);
  if (document === undefined) {
    const fault = { pointer: "", expected: "lists and objects not so deep in each other", found: "too many levels" };
    return new ConfigError(`${file}: expected ${fault.expected}, found ${fault.found}`, [fault], { cause: invalid });
  }
  const faults = findFaults(kind, text, document);
  const many = faults.length >= MOST_FAULTS ? `${MOST_FAULTS} faults and more` : `${faults.length} faults`;
  const count = faults.length === 1 ? "1 fault" : many;
  const lines = faults.slice(0, MOST_LINES).map(faultLine);
  if (faults.length > MOST_LINES) lines.push(`  and ${faults.length - MOST_LINES} more`);
  return new ConfigError([`${file}: ${count}`, ...lines].join("\n"), faults, { cause: invalid });
}

/** More than anybody reads. */
const MOST_LINES = 1000;

/** undefined when the engine gives up, although it is JSON: it goes down into the document, and its stack has an end. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** `/process/args/0: expected a string, found 7`, indented by two. */
function faultLine({ pointer, expected, found, suggestion }: Fault): string {
  const meant = suggestion === undefined ? "" : `; did you mean "${suggestion}"?`;
  return `  ${pointer === "" ? "(document)" : printable(pointer)}: expected ${expected}, found ${found}${meant}`;
}

function indent(text: string): string {
  return text
    .split("\n")
    .map((line) => `  ${line}`)
    .join("\n");
}

/** All faults of a text that is JSON: of its schema, of the rules, of NUL bytes; in the order of the document. */
function findFaults(kind: DocumentKind, text: string, original: unknown): Fault[] {
  const document: unknown = JSON.parse(text);
  dropNulls(document);
  const faults = schemaFaults(kind, document, original);
  const draft: unknown = JSON.parse(text);
  dropNulls(draft);
  const { repaired, changed } = repair(kind, draft);
  // What follows from a fault of the schema at the same place is not another fault.
  const known = new Places([...changed, ...faults.map(({ pointer }) => pointer)]);
  const rules = [...ruleFaults(kind, repaired), ...(text.includes("\\u0000") ? checkNul(document) : [])];
  for (const { choices, ...fault } of rules)
    if (!known.hasRelated(fault.pointer))
      faults.push(withSuggestion(fault, faults.length < MOST_LINES ? choices : undefined));
  const indexes = new Indexes();
  const positions = new Map(faults.map((fault) => [fault, position(original, fault.pointer, indexes)]));
  return faults.sort((one, other) => compare(positions.get(one) ?? [], positions.get(other) ?? []));
}

/** `found` is the name that was not among the choices, as JSON. */
function withSuggestion(fault: Fault, choices: string | undefined): Fault {
  if (choices === undefined) return fault;
  const suggestion = closest(fault.found.slice(1, -1), choices.trim().split(" "));
  return suggestion === undefined ? fault : { ...fault, suggestion };
}

function ruleFaults(kind: DocumentKind, document: unknown): CheckFault[] {
  if (!VALIDATORS[kind](document)) return [];
  if (kind === "config") return check(document as Config);
  if (kind === "process") return checkProcess(document as Process);
  if (kind === "reg") return checkReg(document as Reg);
  if (kind === "host") return checkHostConfig(document as HostConfig);
  return checkResources(document as LinuxResources);
}

function violations(kind: DocumentKind, document: unknown): readonly Violation[] {
  const validator = VALIDATORS[kind];
  return validator(document) ? [] : (validator.errors ?? []);
}

/** What the schema finds, one fault for each place. `original` still has the null properties. */
function schemaFaults(kind: DocumentKind, document: unknown, original: unknown): Fault[] {
  const faults = new Map<string, Fault>();
  for (const violation of violations(kind, document)) {
    const suggests = faults.size < MOST_LINES; // what is not shown need not be guessed
    const fault =
      violation.keyword === "required" ? missing(violation, original, suggests) : unfit(violation, suggests);
    if (!faults.has(fault.pointer)) faults.set(fault.pointer, fault);
  }
  return [...faults.values()];
}

/** A required property is not there; often it is, with a slip in its name. */
function missing({ instancePath, params, parentSchema, data }: Violation, original: unknown, suggests: boolean): Fault {
  const name = String(params.missingProperty);
  const pointer = `${instancePath}/${escapePointer(name)}`;
  const known = Object.keys(parentSchema.properties ?? {});
  const unknown = Object.keys(suggests ? (data as object) : {}).filter((key) => !known.includes(key));
  const slip = unknown.find((key) => closest(key, [name]) !== undefined);
  if (slip !== undefined) return { pointer, expected: "this property", found: show(slip), suggestion: name };
  return { pointer, expected: "this property", found: show(valueAt(original, pointer)) };
}

function unfit({ instancePath, keyword, parentSchema, data }: Violation, suggests: boolean): Fault {
  const found = show(data);
  if (keyword !== "enum") return { pointer: instancePath, expected: expectedType(parentSchema), found };
  const choices = (parentSchema.enum as string[]).filter((choice) => choice !== "");
  const suggestion = suggests && typeof data === "string" ? closest(data, choices) : undefined;
  const fault = { pointer: instancePath, expected: `one of ${choices.join(", ")}`, found };
  return suggestion === undefined ? fault : { ...fault, suggestion };
}

const TYPES: Readonly<Record<string, string>> = {
  string: "a string",
  boolean: "true or false",
  array: "a list",
  object: "an object",
};

function expectedType({ type, minimum, maximum }: Violation["parentSchema"]): string {
  return TYPES[String(type)] ?? `a whole number from ${bound(minimum)} to ${bound(maximum)}`;
}

/** A limit of 64 bits is not exact as a double. */
function bound(limit: unknown): string {
  if (limit === 2 ** 64) return "2^64-1";
  if (limit === 2 ** 63) return "2^63-1";
  return limit === -(2 ** 63) ? "-2^63" : String(limit);
}

interface Repaired {
  readonly repaired: unknown;
  /** Pointers to what is not from the author. */
  readonly changed: readonly string[];
}

/** The document with something of the right type wherever the schema objects, so that the rules can be asked too. */
function repair(kind: DocumentKind, document: unknown): Repaired {
  const changed: string[] = [];
  // A value that is put in may lack properties of its own, so again, but never without an end.
  for (let round = 0; round < 8; round++) {
    const found = violations(kind, document);
    if (found.length === 0 || found.length >= MOST_FAULTS) break;
    for (const { instancePath, keyword, params, parentSchema } of found) {
      const lacks = keyword === "required";
      const pointer = lacks ? `${instancePath}/${escapePointer(String(params.missingProperty))}` : instancePath;
      changed.push(pointer);
      setAt(document, pointer, lacks ? "" : standIn(parentSchema)); // a "" of the wrong type is repaired in the next round
    }
  }
  if (kind === "config" && changed.some((pointer) => related(pointer, "/linux/namespaces")))
    setAt(document, "/linux/namespaces", ANY_NAMESPACES);
  return { repaired: document, changed };
}

/** When it is not clear which namespaces were meant, nothing is said about those that lack. */
const ANY_NAMESPACES = [
  { type: "user", path: "/" },
  ...["pid", "network", "mount", "ipc", "uts", "cgroup", "time"].map((type) => ({ type })),
];

function standIn({ type, enum: choices }: Violation["parentSchema"]): unknown {
  if (Array.isArray(choices)) return choices[0];
  if (type === "object") return {};
  if (type === "array") return [];
  if (type === "boolean") return false;
  return type === "string" ? "" : 0;
}

/** Places in a document, to be asked about others. Linear, as a document may have any number of faults. */
class Places {
  readonly #pointers: Set<string>;
  /** The places that have one of them inside. */
  readonly #above = new Set<string>();

  constructor(pointers: readonly string[]) {
    this.#pointers = new Set(pointers);
    for (const pointer of this.#pointers)
      for (const above of placesAbove(pointer)) {
        if (this.#above.has(above)) break;
        this.#above.add(above);
      }
  }

  /** Whether one of them is the place, is inside it, or has it inside. */
  hasRelated(pointer: string): boolean {
    if (this.#pointers.has(pointer) || this.#above.has(pointer)) return true;
    for (const above of placesAbove(pointer)) if (this.#pointers.has(above)) return true;
    return false;
  }
}

/** The places that a place is inside of, from the inner ones on; the document itself is the last. */
function* placesAbove(pointer: string): Generator<string> {
  for (let at = pointer; at !== ""; ) {
    at = at.slice(0, Math.max(at.lastIndexOf("/"), 0));
    yield at;
  }
}

/** Whether one of the places is, or is inside, the other. */
function related(one: string, other: string): boolean {
  return one === other || one.startsWith(`${other}/`) || other.startsWith(`${one}/`);
}

/** Steps of a JSON pointer, RFC 6901. */
function steps(pointer: string): string[] {
  return pointer
    .split("/")
    .slice(1)
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function valueAt(document: unknown, pointer: string): unknown {
  let value = document;
  for (const step of steps(pointer)) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Record<string, unknown>)[step];
  }
  return value;
}

function setAt(document: unknown, pointer: string, value: unknown): void {
  const path = steps(pointer);
  const last = path.pop();
  const parent = valueAt(document, path.map((step) => `/${escapePointer(step)}`).join(""));
  if (last !== undefined && typeof parent === "object" && parent !== null)
    (parent as Record<string, unknown>)[last] = value;
}

/** Where in the document a pointer leads: the index at each level, past the end for what is not there. */
function position(document: unknown, pointer: string, indexes: Indexes): number[] {
  let value = document;
  return steps(pointer).map((step) => {
    const object: object = typeof value === "object" && value !== null ? value : {};
    const index = indexes.of(object, step);
    value = index === undefined ? undefined : (object as Record<string, unknown>)[step];
    return index ?? Number.MAX_SAFE_INTEGER;
  });
}

/** At which place an object has a property: each object is counted once. */
class Indexes {
  readonly #known = new Map<object, Map<string, number>>();

  of(object: object, name: string): number | undefined {
    if (Array.isArray(object)) return Number(name) < object.length ? Number(name) : undefined;
    let indexes = this.#known.get(object);
    if (indexes === undefined) {
      indexes = new Map(Object.keys(object).map((key, index) => [key, index]));
      this.#known.set(object, indexes);
    }
    return indexes.get(name);
  }
}

function compare(one: readonly number[], other: readonly number[]): number {
  for (let level = 0; level < Math.min(one.length, other.length); level++) {
    const difference = (one[level] ?? 0) - (other[level] ?? 0);
    if (difference !== 0) return difference;
  }
  return one.length - other.length;
}
