/** What is wrong with a document, collected. */
import type { Fault } from "../../errors/errors.ts";

/** A fault before its suggestion is looked for: `choices` are the values that would have been right. */
export interface CheckFault extends Fault {
  readonly choices?: string;
}

/** So many are collected. oci-schemas/build.ts has the same limit. */
export const MOST_FAULTS = 10_000;

export class Faults {
  readonly list: CheckFault[] = [];

  add(pointer: string, expected: string, found: unknown, choices?: string): void {
    if (this.list.length >= MOST_FAULTS) return;
    this.list.push({ pointer, expected, found: show(found), ...(choices === undefined ? {} : { choices }) });
  }
}

/** The value as a reader can find it in the document, at most some 60 characters of it. */
export function show(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : `a list of ${value.length}`;
  if (typeof value === "object" && value !== null) return "an object";
  if (typeof value !== "string") return String(value);
  const text = JSON.stringify(value.slice(0, 62));
  return text.length <= 62 && value.length <= 62 ? text : `${text.slice(0, 58)}..."`;
}

/** A name as a step of a JSON pointer, RFC 6901. */
export function escapePointer(name: string): string {
  return name.includes("~") || name.includes("/") ? name.replaceAll("~", "~0").replaceAll("/", "~1") : name;
}
