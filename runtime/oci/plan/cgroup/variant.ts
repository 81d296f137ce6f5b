/**
 * Values of `org.systemd.property.*` annotations, in GVariant's text format: `'text'`, `5`, `uint64 5`, `true`, `2.5`,
 * `['a', 'b']`, `('a', 5)`, `@as []`. Source: GLib's description of the GVariant text format.
 */
import { RegError } from "../../../errors/errors.ts";
import { type DbusValue, DEEPEST, splitTypes, typeEnd, type Variant } from "../../../linux/dbus-marshalling.ts";

const TYPE_NAMES: Readonly<Record<string, string>> = {
  boolean: "b",
  byte: "y",
  int16: "n",
  uint16: "q",
  int32: "i",
  uint32: "u",
  handle: "h",
  int64: "x",
  uint64: "t",
  double: "d",
  string: "s",
  objectpath: "o",
  signature: "g",
};

/** Smallest and largest value by type. */
const RANGES: Readonly<Record<string, readonly [bigint, bigint]>> = {
  y: [0n, 255n],
  n: [-(2n ** 15n), 2n ** 15n - 1n],
  q: [0n, 2n ** 16n - 1n],
  i: [-(2n ** 31n), 2n ** 31n - 1n],
  u: [0n, 2n ** 32n - 1n],
  h: [-(2n ** 31n), 2n ** 31n - 1n],
  x: [-(2n ** 63n), 2n ** 63n - 1n],
  t: [0n, 2n ** 64n - 1n],
};

/** Parses a whole text. Throws RegError EINVAL, with what is wrong and where. */
export function parseVariant(text: string): Variant {
  const parser = new Parser(text);
  const variant = parser.value();
  parser.end();
  return variant;
}

class Parser {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  #fail(expected: string): RegError {
    return new RegError("EINVAL", `expected ${expected} at ${this.#at} of ${JSON.stringify(this.#text.slice(0, 256))}`);
  }
  #skipSpace(): void {
    while (this.#text[this.#at] === " ") this.#at++;
  }
  #peek(): string {
    this.#skipSpace();
    return this.#text[this.#at] ?? "";
  }
  #take(token: string): boolean {
    if (this.#peek() !== token) return false;
    this.#at++;
    return true;
  }
  /** Characters up to the next that can not be in a word. */
  #word(): string {
    const start = this.#at;
    while (this.#at < this.#text.length && !" ,()[]{}<>:'\"".includes(this.#text[this.#at] ?? "")) this.#at++;
    return this.#text.slice(start, this.#at);
  }

  end(): void {
    if (this.#peek() !== "") throw this.#fail("the end");
  }

  /** A value; `wanted` is its type where that is known from before. */
  value(wanted?: string): Variant {
    if (++this.#depth > DEEPEST) throw this.#fail("no deeper nesting");
    const variant = this.#value(wanted);
    this.#depth--;
    return variant;
  }

  #value(wanted?: string): Variant {
    const first = this.#peek();
    if (first === "@") return this.#annotated();
    if (first === "[") return this.#array(wanted);
    if (first === "(") return this.#tuple(wanted);
    if (first === "'" || first === '"') return this.#string(wanted);
    if (first === "<") {
      this.#at++;
      const value = this.value();
      if (!this.#take(">")) throw this.#fail('">"');
      return { signature: "v", value };
    }
    const word = this.#word();
    const named = Object.hasOwn(TYPE_NAMES, word) ? TYPE_NAMES[word] : undefined;
    if (named !== undefined) return this.value(named);
    if (word === "true" || word === "false") return this.#checked({ signature: "b", value: word === "true" }, wanted);
    return this.#number(word, wanted);
  }

  #checked(variant: Variant, wanted: string | undefined): Variant {
    if (wanted !== undefined && wanted !== variant.signature) throw this.#fail(`a value of type ${wanted} before`);
    return variant;
  }

  #annotated(): Variant {
    this.#at++;
    const end = typeEnd(this.#text, this.#at);
    const type = this.#text.slice(this.#at, end);
    this.#at = end;
    return this.#checked(this.value(type), type);
  }

  #array(wanted: string | undefined): Variant {
    if (wanted !== undefined && wanted[0] !== "a") throw this.#fail(`a value of type ${wanted}`);
    let element = wanted?.slice(1);
    const values: DbusValue[] = [];
    this.#at++;
    while (!this.#take("]")) {
      if (values.length > 0 && !this.#take(",")) throw this.#fail('"," or "]"');
      const { signature, value } = this.value(element);
      element ??= signature;
      values.push(value);
    }
    if (element === undefined) throw this.#fail("a type before an empty array, such as @as,");
    return { signature: `a${element}`, value: values };
  }

  #tuple(wanted: string | undefined): Variant {
    if (wanted !== undefined && wanted[0] !== "(") throw this.#fail(`a value of type ${wanted}`);
    const members = wanted === undefined ? undefined : splitTypes(wanted.slice(1, -1));
    const types: string[] = [];
    const values: DbusValue[] = [];
    this.#at++;
    while (!this.#take(")")) {
      if (values.length > 0 && !this.#take(",")) throw this.#fail('"," or ")"');
      if (values.length > 0 && this.#take(")")) break; // (5,)
      const { signature, value } = this.value(members?.[values.length]);
      types.push(signature);
      values.push(value);
    }
    return this.#checked({ signature: `(${types.join("")})`, value: values }, wanted);
  }

  #string(wanted = "s"): Variant {
    if (!"sog".includes(wanted)) throw this.#fail(`a value of type ${wanted}`);
    const quote = this.#text[this.#at++];
    let value = "";
    for (;;) {
      const next = this.#text[this.#at++];
      if (next === undefined) throw this.#fail(`a closing ${quote}`);
      if (next === quote) return { signature: wanted, value };
      if (next !== "\\") {
        value += next;
        continue;
      }
      const escaped = this.#text[this.#at++] ?? "";
      value += { n: "\n", t: "\t", r: "\r", b: "\b", f: "\f", v: "\v" }[escaped] ?? escaped;
    }
  }

  #number(word: string, wanted: string | undefined): Variant {
    const isInteger = /^[+-]?(0x[0-9a-f]+|\d+)$/i.test(word);
    const type = wanted ?? (isInteger ? "i" : "d");
    if (type === "d") {
      const value = Number(word);
      if (word === "" || Number.isNaN(value)) throw this.#fail("a value");
      return { signature: "d", value };
    }
    const range = Object.hasOwn(RANGES, type) ? RANGES[type] : undefined;
    if (range === undefined || !isInteger) throw this.#fail(`a value of type ${type}`);
    const digits = word.replace(/^[+-]/, "");
    const value = word.startsWith("-") ? -BigInt(digits) : BigInt(digits);
    if (value < range[0] || value > range[1]) throw this.#fail(`a number that fits type ${type}`);
    return { signature: type, value: "xt".includes(type) ? value : Number(value) };
  }
}
