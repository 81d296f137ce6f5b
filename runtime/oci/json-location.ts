/**
 * Where and why a text is not JSON (RFC 8259). The engines' JSON.parse agree on whether, not on the words or the place.
 * No recursion: the depth of the text is whatever its author made it.
 */

export interface JsonFault {
  /** Index into the text, in UTF-16 units. */
  readonly offset: number;
  /** From 1. */
  readonly line: number;
  /** From 1, in characters. */
  readonly column: number;
  readonly expected: string;
  readonly found: string;
  /** The line, or the part of it around the place, and below it a caret. */
  readonly excerpt: string;
}

/** The first place where `text` stops being JSON; undefined when it is JSON. */
export function findJsonFault(text: string): JsonFault | undefined {
  const stop = new Scanner(text).scan();
  if (stop === undefined) return undefined;
  const { offset, expected, found } = stop;
  return {
    offset,
    ...lineAndColumn(text, offset),
    expected,
    found: found ?? foundAt(text, offset),
    excerpt: excerptOf(text, offset),
  };
}

interface Stop {
  readonly offset: number;
  readonly expected: string;
  readonly found?: string;
}

class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  scan(): Stop | undefined {
    const open: ("{" | "[")[] = [];
    let expected = "a value";
    for (;;) {
      this.#space();
      const start = this.#text[this.#at];
      if (start === "{" || start === "[") {
        this.#at++;
        this.#space();
        if (this.#text[this.#at] !== (start === "{" ? "}" : "]")) {
          open.push(start);
          expected = start === "[" ? "a value or ]" : "a value";
          const stop = start === "{" ? this.#key("a property name in double quotes, or }") : undefined;
          if (stop !== undefined) return stop;
          continue;
        }
        this.#at++;
      } else {
        const stop = this.#scalar(expected);
        if (stop !== undefined) return stop;
      }
      // After a value: close what ends here, then a comma or the end of the text.
      for (;;) {
        this.#space();
        const inside = open.at(-1);
        const next = this.#text[this.#at];
        if (inside === undefined) return next === undefined ? undefined : this.#stop("the end of the file");
        if (next === (inside === "{" ? "}" : "]")) {
          this.#at++;
          open.pop();
          continue;
        }
        if (next !== ",") return this.#stop(inside === "{" ? "a comma or }" : "a comma or ]");
        this.#at++;
        if (inside === "{") {
          const stop = this.#key("a property name in double quotes after the comma");
          if (stop !== undefined) return stop;
        }
        expected = inside === "{" ? "a value" : "a value after the comma";
        break;
      }
    }
  }

  #stop(expected: string, found?: string): Stop {
    return found === undefined ? { offset: this.#at, expected } : { offset: this.#at, expected, found };
  }

  #space(): void {
    while (" \t\n\r".includes(this.#text[this.#at] ?? "x")) this.#at++;
  }

  /** A property's name and its colon. */
  #key(expected: string): Stop | undefined {
    this.#space();
    if (this.#text[this.#at] !== '"') return this.#stop(expected);
    const stop = this.#string();
    if (stop !== undefined) return stop;
    this.#space();
    if (this.#text[this.#at] !== ":") return this.#stop("a colon");
    this.#at++;
    return undefined;
  }

  #scalar(expected: string): Stop | undefined {
    const first = this.#text[this.#at];
    if (first === '"') return this.#string();
    if (first === "-" || isDigit(first)) return this.#number();
    const word = wordAt(this.#text, this.#at);
    if (word !== "true" && word !== "false" && word !== "null") return this.#stop(expected);
    this.#at += word.length;
    return undefined;
  }

  #string(): Stop | undefined {
    const text = this.#text;
    for (this.#at++; ; this.#at++) {
      const char = text[this.#at];
      if (char === '"') break;
      if (char === undefined) return this.#stop("a closing double quote");
      if (char === "\n" || char === "\r") return this.#stop("a closing double quote", "the end of the line");
      if (char < " ") return this.#stop("an escape such as \\t or \\u0000 for a control character");
      if (char !== "\\") continue;
      this.#at++;
      const letter = text[this.#at];
      if (letter !== "u") {
        if (letter === undefined || !'"\\/bfnrt'.includes(letter))
          return this.#stop('one of " \\ / b f n r t u after \\');
        continue;
      }
      for (let digits = 0; digits < 4; digits++) {
        this.#at++;
        if (!"0123456789abcdefABCDEF".includes(text[this.#at] ?? "x"))
          return this.#stop("four hexadecimal digits after \\u");
      }
    }
    this.#at++;
    return undefined;
  }

  #number(): Stop | undefined {
    const text = this.#text;
    if (text[this.#at] === "-") this.#at++;
    if (text[this.#at] === "0") {
      this.#at++;
      if (isDigit(text[this.#at])) return this.#stop("a number without leading zeros");
    } else if (!this.#digits()) return this.#stop("a digit");
    if (text[this.#at] === ".") {
      this.#at++;
      if (!this.#digits()) return this.#stop("a digit");
    }
    if (text[this.#at] === "e" || text[this.#at] === "E") {
      this.#at++;
      if (text[this.#at] === "+" || text[this.#at] === "-") this.#at++;
      if (!this.#digits()) return this.#stop("a digit");
    }
    return undefined;
  }

  #digits(): boolean {
    const start = this.#at;
    while (isDigit(this.#text[this.#at])) this.#at++;
    return this.#at > start;
  }
}

function isDigit(char: string | undefined): boolean {
  return char !== undefined && char >= "0" && char <= "9";
}

/** The letters, digits and the like from `offset` on, at most 20. */
function wordAt(text: string, offset: number): string {
  let end = offset;
  while (end < text.length && end < offset + 20 && /[\w$.+-]/.test(text[end] ?? "")) end++;
  return text.slice(offset, end);
}

function foundAt(text: string, offset: number): string {
  const code = text.codePointAt(offset);
  if (code === undefined) return "the end of the file";
  if (code === 0xfeff) return "a byte order mark";
  if (code === 0) return "a NUL byte";
  if (code < 0x20) return `the control character U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
  const two = text.slice(offset, offset + 2);
  if (two === "//" || two === "/*" || two[0] === "#") return "a comment, which JSON does not have";
  if (two[0] === "'") return "a single quote";
  const word = wordAt(text, offset);
  return word !== "" ? word : String.fromCodePoint(code);
}

function lineAndColumn(text: string, offset: number): { line: number; column: number } {
  let line = 1;
  let start = 0;
  for (let end = text.indexOf("\n"); end !== -1 && end < offset; end = text.indexOf("\n", start)) {
    line++;
    start = end + 1;
  }
  return { line, column: characters(text.slice(start, offset)) + 1 };
}

function characters(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}

/** Longest part of a line that is shown on either side: callers write a config.json of 20 kB in one line. */
const SIDE = 40;

function excerptOf(text: string, offset: number): string {
  const start = text.lastIndexOf("\n", offset - 1) + 1;
  const newline = text.indexOf("\n", offset);
  const end = newline === -1 ? text.length : newline;
  const from = Math.max(start, offset - SIDE);
  const to = Math.min(end, offset + SIDE);
  const before = `${from > start ? "..." : ""}${visible(text.slice(from, offset))}`;
  const after = `${visible(text.slice(offset, to))}${to < end ? "..." : ""}`;
  return `${before}${after}\n${" ".repeat(characters(before))}^`;
}

/** One column for each character: control characters, tabs too, and halves of surrogate pairs become a space or a "?". */
function visible(text: string): string {
  let shown = "";
  for (const char of text) {
    const code = char.codePointAt(0) ?? 0;
    if (char === "\t" || char === "\r") shown += " ";
    else shown += code < 0x20 || code === 0x7f || code === 0xfeff || (code >= 0xd800 && code <= 0xdfff) ? "?" : char;
  }
  return shown;
}
