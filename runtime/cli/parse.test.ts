import { suite } from "uvu";
import * as assert from "uvu/assert";
import { UsageError } from "../errors/errors.ts";
import type { OptionTable } from "./command.ts";
import { checkPositionals, parseOptions } from "./parse.ts";

const parse = suite("command line");

const TABLE = {
  file: { type: "string", alias: "f", describe: "" },
  count: { type: "number", describe: "" },
  all: { type: "boolean", alias: "a", describe: "" },
  env: { type: "strings", alias: "e", describe: "" },
  format: { type: "string", choices: ["text", "json"], describe: "" },
  "no-pivot": { type: "boolean", describe: "" },
} as const satisfies OptionTable;

const read = (...args: string[]) => parseOptions(args, TABLE, false);

const VALUES: [name: string, args: string[], values: object][] = [
  ["a value as the next argument", ["--file", "a"], { file: "a" }],
  ["a value after an equals sign", ["--file=a=b"], { file: "a=b" }],
  ["an empty value", ["--file="], { file: "" }],
  ["a short name", ["-f", "a"], { file: "a" }],
  ["a long name with one dash, as Go's flags", ["-file", "a"], { file: "a" }],
  ["a long switch with one dash", ["-no-pivot"], { "no-pivot": true }],
  ["a switch with a value, as Go's flags", ["--all=false"], { all: false }],
  ["the last of two", ["--file", "a", "--file", "b"], { file: "b" }],
  ["all of a list", ["-e", "A=1", "--env", "B=2"], { env: ["A=1", "B=2"] }],
  ["a list of one", ["-e", "A=1"], { env: ["A=1"] }],
  ["a number", ["--count", "3"], { count: 3 }],
  ["a value that looks like a number but is not asked for as one", ["--file", "007"], { file: "007" }],
  ["a choice", ["--format", "json"], { format: "json" }],
];
for (const [name, args, values] of VALUES) parse(`reads ${name}`, () => assert.equal(read(...args).values, values));

const FAULTS: [args: string[], message: string][] = [
  [["--nope"], "unknown option --nope"],
  [["-n"], "unknown option -n"],
  [["--constructor"], "unknown option --constructor"],
  [["--file"], "not enough arguments following: file"],
  [["--count", "x"], "--count x: expected a number"],
  [["--count", "1.5"], "--count 1.5: expected a number"],
  [["--count="], "--count : expected a number"],
  [["--format", "yaml"], "--format yaml: expected one of text, json"],
];
for (const [args, message] of FAULTS)
  parse(`refuses ${args.join(" ")}`, () => {
    assert.throws(
      () => read(...args),
      (error: unknown) => error instanceof UsageError && error.message === message,
    );
  });

parse("two dashes end the options", () => {
  assert.equal(read("-a", "--", "--file", "x").positionals, ["--file", "x"]);
});

parse("options end at the first argument where that is asked for", () => {
  const { values, positionals } = parseOptions(["-a", "id", "-9", "--all"], TABLE, true);
  assert.equal(values, { all: true });
  assert.equal(positionals, ["id", "-9", "--all"]);
});

parse("arguments stay text", () => assert.equal(read("007", "1e3").positionals, ["007", "1e3"]));

parse("a missing argument is named, one too many is shown", () => {
  const expected = [
    { name: "id", describe: "" },
    { name: "signal", describe: "", optional: true },
  ];
  assert.throws(() => checkPositionals([], expected), /missing argument: id/);
  assert.throws(() => checkPositionals(["a", "b", "c"], expected), /unexpected argument: c/);
  checkPositionals(["a"], expected);
  checkPositionals(["a", "b", "c"], [{ name: "word", describe: "", rest: true }]);
});

parse.run();
