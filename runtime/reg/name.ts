/** The name of an environment, `name@version`: it names a directory of the store, so it can hold neither "/" nor "..". */
import { RegError } from "../errors/errors.ts";

export interface EnvironmentName {
  readonly name: string;
  readonly version: string;
}

const NAME = /^[a-z0-9][a-z0-9+._-]*$/;
// With the "~" and ":" of Debian's versions.
const VERSION = /^[A-Za-z0-9.+~:_-]+$/;
const MOST_CHARACTERS = 200; // a file name has 255

/** `python@3.11` as its parts. Throws RegError EINVAL that says what is wrong with it. */
export function parseEnvironmentName(text: string): EnvironmentName {
  const at = text.indexOf("@");
  if (at === -1) throw invalid(text, "has no version", "an environment is named name@version, as in python@3.11");
  const name = text.slice(0, at);
  const version = text.slice(at + 1);
  if (!NAME.test(name) || name.includes(".."))
    throw invalid(
      text,
      "is no good name",
      "a name has lower-case letters, digits and + . _ - and begins with one of the first two",
    );
  if (!VERSION.test(version) || version.includes(".."))
    throw invalid(
      text,
      "has no good version",
      "a version has letters, digits and . + ~ : _ -, but no two dots in a row",
    );
  if (text.length > MOST_CHARACTERS) throw invalid(text, "is too long", `use at most ${MOST_CHARACTERS} characters`);
  return { name, version };
}

/** Whether parseEnvironmentName takes it. */
export function isEnvironmentName(text: string): boolean {
  const [name = "", version = "", ...rest] = text.split("@");
  const fits = rest.length === 0 && NAME.test(name) && VERSION.test(version) && text.length <= MOST_CHARACTERS;
  return fits && !text.includes("..");
}

export function formatEnvironmentName({ name, version }: EnvironmentName): string {
  return `${name}@${version}`;
}

function invalid(text: string, fault: string, hint: string): RegError {
  const shown = text.length > 64 ? `${text.slice(0, 64)}...` : text;
  return new RegError("EINVAL", `environment ${JSON.stringify(shown)} ${fault}`, { hint });
}
