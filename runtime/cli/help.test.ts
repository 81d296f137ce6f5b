import { suite } from "uvu";
import * as assert from "uvu/assert";
import { UsageError } from "../errors/errors.ts";
import { defineCommand, loadAll } from "./command.ts";
import { formatCommand, formatOverview } from "./help.ts";
import { COMMANDS } from "./registry.ts";
import { explainUsage, unknownCommand, usageLine } from "./usage.ts";
import { wrap } from "./wrap.ts";

const help = suite("help");

const sample = defineCommand({
  name: "sample",
  describe: "do something",
  positionals: [
    { name: "id", describe: "the container" },
    { name: "word", describe: "the rest", optional: true, rest: true },
  ],
  options: {
    file: { type: "string", alias: "f", placeholder: "FILE", describe: "the file" },
    format: { type: "string", choices: ["text", "json"], describe: "the format" },
    old: { type: "boolean", hidden: true, describe: "for old callers" },
  },
  run: () => 0,
});

help("the usage line says what is optional and what takes the rest", () => {
  assert.is(usageLine(sample), "reg sample [options] <id> [word..]");
});

help("a command's help has its arguments and options, and none that is hidden", () => {
  assert.is(
    formatCommand(sample, 80),
    [
      "Usage: reg sample [options] <id> [word..]",
      "",
      "Do something.",
      "",
      "Arguments:",
      "  id    the container",
      "  word  the rest",
      "",
      "Options:",
      "  -f, --file FILE         the file",
      "      --format text|json  the format",
      "",
      "Options for all commands stand before it: see reg --help.",
      "",
    ].join("\n"),
  );
});

help("the overview names every command that is for people", async () => {
  const commands = await loadAll(COMMANDS);
  const text = formatOverview(commands, 80);
  for (const { name } of commands) assert.match(text, new RegExp(`^  reg ${name}\\b`, "m"));
  assert.not.match(text, /reg init/);
  assert.match(text, /^ {6}--root DIR /m);
  assert.match(text, /^ {2}-v, --version /m);
});

help("no line is wider than the terminal", async () => {
  for (const width of [60, 80, 100]) {
    const commands = await loadAll(COMMANDS);
    const texts = [formatOverview(commands, width), ...commands.map((command) => formatCommand(command, width))];
    for (const line of texts.join("\n").split("\n")) assert.ok(line.length <= width, line);
  }
});

help("every command has a name that is its key, and says what it does in lower case without a full stop", async () => {
  for (const [name, load] of Object.entries(COMMANDS)) {
    const { command } = await load();
    assert.is(command.name, name);
    assert.match(command.describe, /^[a-z].*[^.]$/);
  }
});

help("a wrong call gets the usage line as its hint, unless it has a better one", () => {
  assert.match(
    explainUsage(new UsageError("no"), sample).hint ?? "",
    /^usage: reg sample \[options\] <id> \[word\.\.\];/,
  );
  assert.match(explainUsage(new UsageError("no"), undefined).hint ?? "", /reg --help/);
  assert.is(explainUsage(new UsageError("no", { hint: "yes" }), sample).hint, "yes");
});

help("an unknown command is compared with the known ones", () => {
  assert.is(unknownCommand("strat", COMMANDS).hint, "did you mean reg start?");
  assert.is(unknownCommand("xyzzy", COMMANDS).hint, "reg --help lists the commands");
});

help("the native host's wrapping breaks at blanks and cuts what is too long", () => {
  assert.is(wrap("one two three", 7), "one two\nthree");
  assert.is(wrap("abcdefgh ij", 5), "abcde\nfgh\nij");
  assert.is(wrap("a\nb", 5), "a\nb");
  assert.is(wrap("", 5), "");
});

help.run();
