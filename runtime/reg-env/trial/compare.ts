/** Whether a command did the same in two places. */
import type { Outcome } from "./place.ts";

export interface Difference {
  /** In words. */
  readonly text: string;
  /** The content of a file, which may have been the same in the runs so far by chance: little in it depends on time, or on who was first. */
  readonly isContent: boolean;
}

/** undefined for nothing. `again` are more runs in the first place: what differs among them means nothing. */
export function difference(full: Outcome, own: Outcome, again: readonly Outcome[] = []): Difference | undefined {
  const text =
    full.answer !== undefined || own.answer !== undefined ? ofAnswer(full, own, again) : ofRun(full, own, again);
  if (text !== undefined) return { text, isContent: false };
  if (full.answer !== undefined || own.answer !== undefined) return undefined;
  const isOwn = (line: string) => own.files.includes(line);
  const isAlways = (line: string) => again.every(({ files }) => files.includes(line));
  const ownNames = new Set(own.files.map(nameOf));
  const names = again.map(({ files }) => new Set(files.map(nameOf)));
  const missing = full.files.map(nameOf).find((name) => !ownNames.has(name) && names.every((each) => each.has(name)));
  if (missing !== undefined) return { text: `it did not write ${missing}`, isContent: false };
  const other = full.files.find((line) => !isOwn(line) && isAlways(line));
  return other === undefined ? undefined : { text: `it wrote ${nameOf(other)} otherwise`, isContent: true };
}

function ofAnswer(full: Outcome, own: Outcome, again: readonly Outcome[]): string | undefined {
  const others = again.map(({ answer }) => answer);
  if (own.answer === undefined) return `there was no answer in time${said(own)}`;
  if (!isSteady(full.answer, others) || plain(full.answer ?? "") === plain(own.answer)) return undefined;
  return `the probe got ${shown(own.answer)} instead of ${shown(full.answer ?? "")}`;
}

function ofRun(full: Outcome, own: Outcome, again: readonly Outcome[]): string | undefined {
  if (full.late !== own.late)
    return own.late ? "it did not end in time" : `it ended, with status ${own.status}${said(own)}`;
  if (full.status !== own.status) return `its status was ${own.status} instead of ${full.status}${said(own)}`;
  for (const stream of ["stdout", "stderr"] as const) {
    const others = again.map((each) => each[stream]);
    if (isSteady(full[stream], others) && plain(full[stream]) !== plain(own[stream]))
      return `its ${stream} was ${shown(own[stream], full[stream])} instead of ${shown(full[stream], own[stream])}`;
  }
  return undefined;
}

function isSteady(one: string | undefined, others: readonly (string | undefined)[]): boolean {
  return others.every((other) => other === undefined || plain(one ?? "") === plain(other));
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
