/** Whether a command did the same in two places. */
import type { Outcome } from "./place.ts";

/** In words, what differs; undefined for nothing. `again` is a second run in the first place: what differs there means nothing. */
export function difference(full: Outcome, own: Outcome, again?: Outcome): string | undefined {
  if (full.answer !== undefined || own.answer !== undefined) {
    if (own.answer === undefined) return `there was no answer in time${said(own)}`;
    if (isSteady(full.answer, again?.answer) && plain(full.answer ?? "") !== plain(own.answer))
      return `the probe got ${shown(own.answer)} instead of ${shown(full.answer ?? "")}`;
    return undefined;
  }
  if (full.late !== own.late)
    return own.late ? "it did not end in time" : `it ended, with status ${own.status}${said(own)}`;
  if (full.status !== own.status) return `its status was ${own.status} instead of ${full.status}${said(own)}`;
  for (const stream of ["stdout", "stderr"] as const)
    if (isSteady(full[stream], again?.[stream]) && plain(full[stream]) !== plain(own[stream]))
      return `its ${stream} was ${shown(own[stream], full[stream])} instead of ${shown(full[stream], own[stream])}`;
  const steady = new Set(again === undefined ? full.files : full.files.filter((line) => again.files.includes(line)));
  const names = new Set((again?.files ?? full.files).map(nameOf));
  const lost = [...steady].find((line) => !own.files.includes(line));
  if (lost !== undefined) return `it wrote ${nameOf(lost)} otherwise, or not at all`;
  const missing = full.files
    .map(nameOf)
    .find((name) => names.has(name) && !own.files.some((line) => nameOf(line) === name));
  return missing === undefined ? undefined : `it did not write ${missing}`;
}

function isSteady(one = "", other = one): boolean {
  return plain(one) === plain(other);
}

/** Without what differs from run to run. */
function plain(text: string): string {
  return text.replaceAll(/0x[0-9a-f]+/gi, "0x#").replaceAll(/\d+/g, "#");
}

function nameOf(line: string): string {
  return line.replace(/^\\?[0-9a-f]{64} [ *]\.?/, "");
}

const LONGEST = 300;

/** The first line that the other has not. */
function shown(text: string, other = ""): string {
  const known = new Set(other.split("\n").map(plain));
  const line = text.split("\n").find((each) => each.trim() !== "" && !known.has(plain(each)));
  return line === undefined ? "nothing more" : JSON.stringify(line.slice(0, LONGEST));
}

function said({ stderr, stdout }: Outcome): string {
  const line = (stderr.trim() || stdout.trim()).split("\n").at(-1) ?? "";
  return line === "" ? "" : `, and it said ${JSON.stringify(line.slice(0, LONGEST))}`;
}
