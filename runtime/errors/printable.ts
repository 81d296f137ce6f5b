/** Text of strangers on its way to a terminal or a log. */

/**
 * What would not be seen, or be obeyed: control characters (C0, DEL, C1), those that turn the direction of what follows, line separators
 * that are no line ends, and halves of surrogate pairs.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const UNPRINTABLE = /[\0-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]|\p{Surrogate}/gu;

/**
 * Nearly all text has nothing of this, which is told in a fraction of the time that looking for the others takes. It is looked for what is not plain, as the
 * engine remembers every place where a repetition could end.
 */
const NOT_PLAIN = /[^ -~]/;
const NOT_PLAIN_LINES = /[^ -~\n\t]/;

/** Whether text is printable as it is, and of ASCII alone. */
export function isPlain(text: string): boolean {
  return !NOT_PLAIN.test(text);
}

/** On one line, with nothing in it that a terminal obeys: `\n`, `\x1b`, `\u202e`; a byte that is no UTF-8 is `\xff`. */
export function printable(text: string): string {
  return isPlain(text) ? text : text.replace(UNPRINTABLE, escaped);
}

/** As printable, but line ends and tabs stay what they are. */
export function printableLines(text: string): string {
  if (!NOT_PLAIN_LINES.test(text)) return text;
  return text.replace(UNPRINTABLE, (character) =>
    character === "\n" || character === "\t" ? character : escaped(character),
  );
}

function escaped(character: string): string {
  if (character === "\n") return "\\n";
  if (character === "\t") return "\\t";
  const code = character.charCodeAt(0);
  const byte = code >= 0xdc80 && code <= 0xdcff ? code - 0xdc00 : code; // see Host.decode
  return byte <= 0xff ? `\\x${byte.toString(16).padStart(2, "0")}` : `\\u${byte.toString(16)}`;
}

/** JSON that may be shown on a terminal: the same value, for everybody who reads it. */
export function printableJson(value: unknown, indent?: number): string {
  // With an indent, line ends stand between the parts; in strings they are escaped already.
  return JSON.stringify(value, null, indent).replace(UNPRINTABLE, (character) =>
    character === "\n" ? character : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
