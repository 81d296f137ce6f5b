import { suite } from "uvu";
import * as assert from "uvu/assert";
import { findJsonFault } from "./json-location.ts";

// biome-ignore format: a table, one text a line
const broken: readonly (readonly [name: string, text: string, line: number, column: number, expected: string, found: string])[] = [
  ["an empty text", "", 1, 1, "a value", "the end of the file"],
  ["white space alone", " \n ", 2, 2, "a value", "the end of the file"],
  ["a byte order mark", "\ufeff{}", 1, 1, "a value", "a byte order mark"],
  ["a NUL byte after the end", "{}\0", 1, 3, "the end of the file", "a NUL byte"],
  ["a trailing comma in an object", '{"a": 1,}', 1, 9, "a property name in double quotes after the comma", "}"],
  ["a trailing comma in a list", "[1,\n ]", 2, 2, "a value after the comma", "]"],
  ["a comma with nothing before", "[,1]", 1, 2, "a value or ]", ","],
  ["a missing comma in an object", '{"a": 1\n "b": 2}', 2, 2, "a comma or }", '"'],
  ["a missing comma in a list", "[1 2]", 1, 4, "a comma or ]", "2"],
  ["a missing colon", '{"a" 1}', 1, 6, "a colon", "1"],
  ["a missing value", '{"a": }', 1, 7, "a value", "}"],
  ["single quotes around a name", "{'a': 1}", 1, 2, "a property name in double quotes, or }", "a single quote"],
  ["single quotes around a value", "['a']", 1, 2, "a value or ]", "a single quote"],
  ["a name without quotes", "{args: 1}", 1, 2, "a property name in double quotes, or }", "args"],
  ["a line comment", '{\n// c\n"a": 1}', 2, 1, "a property name in double quotes, or }", "a comment, which JSON does not have"],
  ["a block comment", "[1 /* c */]", 1, 4, "a comma or ]", "a comment, which JSON does not have"],
  ["a shell comment", "# c\n{}", 1, 1, "a value", "a comment, which JSON does not have"],
  ["a truncated object", '{"a": {"b": 1}', 1, 15, "a comma or }", "the end of the file"],
  ["a truncated list", "[[1", 1, 4, "a comma or ]", "the end of the file"],
  ["a truncated string", '{"a": "b', 1, 9, "a closing double quote", "the end of the file"],
  ["a truncated escape", '"\\', 1, 3, 'one of " \\ / b f n r t u after \\', "the end of the file"],
  ["a line break in a string", '{"a": "b\nc"}', 1, 9, "a closing double quote", "the end of the line"],
  ["a tab in a string", '"a\tb"', 1, 3, "an escape such as \\t or \\u0000 for a control character", "the control character U+0009"],
  ["a NUL byte in a string", '"a\0b"', 1, 3, "an escape such as \\t or \\u0000 for a control character", "a NUL byte"],
  ["an unknown escape", '"\\x41"', 1, 3, 'one of " \\ / b f n r t u after \\', "x41"],
  ["a short unicode escape", '"\\u12"', 1, 6, "four hexadecimal digits after \\u", '"'],
  ["a leading zero", "[01]", 1, 3, "a number without leading zeros", "1"],
  ["a lone minus", "[-]", 1, 3, "a digit", "]"],
  ["a lone point", "[1.]", 1, 4, "a digit", "]"],
  ["a leading point", "[.5]", 1, 2, "a value or ]", ".5"],
  ["an empty exponent", "[1e+]", 1, 5, "a digit", "]"],
  ["hexadecimal numbers", "[0x1F]", 1, 3, "a comma or ]", "x1F"],
  ["NaN", "[NaN]", 1, 2, "a value or ]", "NaN"],
  ["words of Python", '{"a": True}', 1, 7, "a value", "True"],
  ["a word cut short", "tru", 1, 1, "a value", "tru"],
  ["a second document", "{} {}", 1, 4, "the end of the file", "{"],
  ["a closing bracket too many", "[]]", 1, 3, "the end of the file", "]"],
  ["a bracket of the other kind", '{"a": [1}', 1, 9, "a comma or ]", "}"],
  ["a place after characters outside the basic plane", '["\u{1f600}" 1]', 1, 6, "a comma or ]", "1"],
  ["a place after Windows line ends", '{\r\n"a": 1,\r\n}', 3, 1, "a property name in double quotes after the comma", "}"],
];

const location = suite("json-location");
for (const [name, text, line, column, expected, found] of broken)
  location(`finds ${name}`, () => {
    const fault = findJsonFault(text);
    assert.equal([fault?.line, fault?.column, fault?.expected, fault?.found], [line, column, expected, found]);
  });

location("puts the caret below the place", () => {
  assert.is(findJsonFault('{\n\t"a": [1,],\n}')?.excerpt, ' "a": [1,],\n         ^');
});

location("shows only the surroundings of a place in a long line", () => {
  const excerpt = findJsonFault(`[${'"abcdefgh",'.repeat(5_000)}]`)?.excerpt ?? "";
  const [text = "", caret = ""] = excerpt.split("\n");
  assert.ok(text.startsWith("...") && text.length < 100, excerpt);
  assert.is(text[caret.length - 1], "]");
});

location("does not recurse", () => {
  assert.is(findJsonFault("[".repeat(1_000_000))?.offset, 1_000_000);
  assert.is(findJsonFault("[".repeat(1_000_000) + "]".repeat(1_000_000)), undefined);
  assert.is(findJsonFault('{"a":'.repeat(500_000))?.found, "the end of the file");
});

location("accepts duplicate names, odd numbers and every escape", () => {
  for (const text of [
    '{"a":1,"a":2}',
    "-0.5E-10",
    '"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9"',
    " [ ] ",
    '{ "a" : { } }',
    '"\u2028\x7f"',
    "0",
  ])
    assert.is(findJsonFault(text), undefined, text);
});

location("agrees with JSON.parse on a hundred thousand mangled documents", () => {
  const seed = '{"a": [1, -2.5e3, true, null, "x\\n\\u0041", {"b": {}}], "c": [], "d": "\u00e9"}';
  const alphabet = "{}[]\":,\\ \n\t0123456789.-+eEtruefalsn'/u\0\u00e9";
  let state = 12345;
  const random = (below: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
  for (let round = 0; round < 100_000; round++) {
    let text = seed;
    for (let edit = random(3); edit >= 0; edit--) {
      const at = random(text.length);
      const char = alphabet[random(alphabet.length)] ?? "";
      text = text.slice(0, at) + (random(2) === 0 ? char : "") + text.slice(at + random(3));
    }
    let valid = true;
    try {
      JSON.parse(text);
    } catch {
      valid = false;
    }
    if ((findJsonFault(text) === undefined) !== valid) assert.unreachable(JSON.stringify(text));
  }
});
location.run();
