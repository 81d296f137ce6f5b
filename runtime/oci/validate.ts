/** The yes-or-no half of validation, for the way to a container: explain.ts says what is wrong, and loads on failure. */
import { RegError } from "../errors/errors.ts";

export type DocumentKind = "config" | "process" | "resources" | "reg" | "host";

/** The document is not JSON, or breaks its schema or a rule. Carries what explain() needs to say where and why. */
export class InvalidDocument extends RegError {
  readonly kind: DocumentKind;
  readonly text: string;
  readonly file: string;

  constructor(kind: DocumentKind, text: string, file: string) {
    super("EINVAL", `${file}: not a valid ${kind} document`);
    this.kind = kind;
    this.text = text;
    this.file = file;
  }
}

/**
 * Whether the document fits its schema. A document that fits once its null properties are gone fits, and has lost them:
 * callers written in Go write null for an absent list, and runc and crun read it as absent.
 */
export function fitsSchema(isValid: (document: unknown) => boolean, document: unknown): boolean {
  return isValid(document) || (dropNulls(document) && isValid(document));
}

/** Deletes properties whose value is null, however deep; whether there was one. */
export function dropNulls(document: unknown): boolean {
  let dropped = false;
  const pending: unknown[] = [document];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (typeof node !== "object" || node === null) continue;
    if (Array.isArray(node)) {
      for (const item of node) if (item !== undefined) pending.push(item);
      continue;
    }
    const object = node as Record<string, unknown>;
    for (const key of Object.keys(object)) {
      if (object[key] === null) {
        delete object[key];
        dropped = true;
      } else pending.push(object[key]);
    }
  }
  return dropped;
}
