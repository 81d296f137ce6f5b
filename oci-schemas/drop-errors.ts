/**
 * Makes ajv's standalone code answer yes or no and nothing else. ajv always writes the objects that describe an error,
 * about nine tenths of its code; the start of a container pays for every byte, and a failure has the full variant.
 *
 * Works on ajv's output line by line (option `lines`), for schemas of type, properties, required, items, enum, minimum,
 * maximum, additionalProperties and $ref. Throws when a line of another kind is left over.
 */

// With allErrors off every failed test returns at once, so the counters that ajv compares never move.
const DROPPED: readonly RegExp[] = [
  /^let vErrors = null;$/,
  /^let errors = 0;$/,
  /^const _errs\d+ = errors;$/,
  /^var valid\d+ = (_errs\d+ === errors|true);$/,
  /^validate\d+\.errors = .*;$/,
  /^errors = vErrors\.length;$/,
  /^const schema\d+ = .*;$/,
  /^"use strict";$/,
];

const REPLACED: readonly (readonly [found: RegExp, replacement: string])[] = [
  [/^(function validate\d+)\(data, \{.*\}=\{\}\)\{$/, "$1(data){"],
  [/^if\((valid\d+|errors === \w+|typeof data\d* == "number")\)\{$/, "{"],
  [/^if\(!valid\d+\)\{$/, "if(false){"],
  [/^if\(!\((validate\d+\([^,]+), \{.*\}\)\)\)\{$/, "if(!$1)){"],
  [/^vErrors = .*;$/, "return false;"],
  [/^return errors === 0;$/, "return true;"],
  [/^let missing\d+;$/, ""],
  [/\((\([^()]+ === undefined\)) && \(missing\d+ = "[^"]*"\)\)/g, "$1"],
  [/\(typeof (\w+(?:\.\w+)?) == "number"\) && \(!\(\1 % 1\) && !isNaN\(\1\)\)/g, "isInteger($1)"],
  [/ \|\| isNaN\(\w+\)/g, ""],
  [/(\w+(?:\.\w+)?) && typeof \1 == "object" && !Array\.isArray\(\1\)/, "isObject($1)"],
];

const HELPERS = [
  "const { isInteger } = Number;",
  'function isObject(data) { return data && typeof data == "object" && !Array.isArray(data); }',
];

const ALLOWED =
  /^(export const \w+ = validate\d+;|function validate\d+\(data\)\{|if\(.*\)\{|else \{|for\(.*\)\{|\{|\}|return (true|false);|break;|let \w+ = [\w.[\]]+;|const len\d+ = \w+\.length;|)$/;

export function dropErrors(code: string): string {
  const lines = [...HELPERS];
  for (const line of code.split("\n")) {
    if (DROPPED.some((pattern) => pattern.test(line))) continue;
    let text = line;
    for (const [found, replacement] of REPLACED) text = text.replace(found, replacement);
    if (!ALLOWED.test(text) || /\b(errors|vErrors|_errs\d+|valid\d+|missing\d+|isNaN)\b/.test(text))
      throw new Error(`ajv wrote a line that drop-errors.ts does not know: ${text}`);
    lines.push(text);
  }
  return lines.join("\n");
}
