/** TOML as far as a table of options needs it: `key = value` with strings, integers, booleans and arrays of them. Source: toml.io 1.0. */
import { RegError } from "../errors/errors.ts";

export type TomlValue = string | number | boolean | readonly TomlValue[];

/** The keys of the text, those of tables as `table.key`. Throws RegError EINVAL with the line that is not understood. */
export function parseToml(text: string): Record<string, TomlValue> {
  const values: Record<string, TomlValue> = {};
  let prefix = "";
  text.split("\n").forEach((line, index) => {
    const reader = new LineReader(line);
    const fail = () =>
      new RegError("EINVAL", `TOML, line ${index + 1}: not understood: ${JSON.stringify(line.slice(0, 64))}`);
    reader.skipSpace();
    if (reader.atEnd) return;
    if (reader.take("[")) {
      const name = reader.key();
      if (name === undefined || !reader.take("]")) throw fail();
      prefix = `${name}.`;
    } else {
      const key = reader.key();
      if (key === undefined || !reader.take("=")) throw fail();
      const value = reader.value();
      if (value === undefined) throw fail();
      values[prefix + key] = value;
    }
    reader.skipSpace();
    if (!reader.atEnd) throw fail();
  });
  return values;
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", b: "\b", f: "\f", '"': '"', "\\": "\\" };

class LineReader {
  readonly #line: string;
  #at = 0;

  constructor(line: string) {
    this.#line = line;
  }

  get atEnd(): boolean {
    return this.#at >= this.#line.length || this.#line[this.#at] === "#";
  }

  skipSpace(): void {
    while (" \t\r".includes(this.#line[this.#at] ?? "x")) this.#at++;
  }

  /** Skips space before and behind. */
  take(character: string): boolean {
    this.skipSpace();
    if (this.#line[this.#at] !== character) return false;
    this.#at++;
    this.skipSpace();
    return true;
  }

  #word(accepted: RegExp): string {
    const start = this.#at;
    while (accepted.test(this.#line[this.#at] ?? "")) this.#at++;
    return this.#line.slice(start, this.#at);
  }

  key(): string | undefined {
    const quoted = this.#string();
    if (quoted !== undefined) return quoted;
    return this.#word(/^[\w.-]$/) || undefined;
  }

  #string(): string | undefined {
    const quote = this.#line[this.#at];
    if (quote !== '"' && quote !== "'") return undefined;
    let text = "";
    for (let at = this.#at + 1; at < this.#line.length; at++) {
      let character = this.#line[at] ?? "";
      if (character === quote) {
        this.#at = at + 1;
        return text;
      }
      if (character === "\\" && quote === '"') {
        const escaped = ESCAPES[this.#line[++at] ?? ""];
        if (escaped === undefined) return undefined;
        character = escaped;
      }
      text += character;
    }
    return undefined;
  }

  value(): TomlValue | undefined {
    const text = this.#string();
    if (text !== undefined) return text;
    if (this.take("[")) {
      const list: TomlValue[] = [];
      while (!this.take("]")) {
        const each = this.value();
        if (each === undefined) return undefined;
        list.push(each);
        if (!this.take(",")) return this.take("]") ? list : undefined;
      }
      return list;
    }
    const word = this.#word(/^[\w+-]$/);
    if (word === "true" || word === "false") return word === "true";
    return /^[+-]?\d[\d_]*$/.test(word) ? Number(word.replaceAll("_", "")) : undefined;
  }
}
