import { spawnSync } from "node:child_process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { needs, program } from "../../../conformance/testing.ts";
import { loadAll } from "../command.ts";
import { COMMANDS } from "../registry.ts";
import { commandPage, overviewPage, shimPage } from "./pages.ts";
import { COMMAND_PROSE } from "./prose.ts";

const pages = suite("man pages");
const withGroff = needs(pages, program("groff"));
const commands = await loadAll(COMMANDS);
const texts = [overviewPage(commands), ...commands.map(commandPage), shimPage()];

pages("every command has prose, and what is referred to exists", () => {
  const names = commands.map(({ name }) => name);
  for (const name of names) {
    assert.ok(COMMAND_PROSE[name], `nothing about ${name}`);
    for (const other of COMMAND_PROSE[name]?.seeAlso ?? []) assert.ok(names.includes(other), other);
  }
});

pages("options and arguments are in the page", () => {
  const page = texts[commands.findIndex(({ name }) => name === "kill") + 1] ?? "";
  assert.match(page, "\\fB\\-a\\fR, \\fB\\-\\-all\\fR\n");
  assert.match(page, ".TP\n\\fIsignal\\fR\n");
  assert.match(page, "\\fBreg kill [options] <id> [signal]\\fR");
});

pages("no line of text is taken for a request", () => {
  const requests = /^\.(TH|SH|TP|PP|nf|fi|nh|I|\\")( |$)/;
  for (const line of texts.join("").split("\n")) if (/^[.']/.test(line)) assert.match(line, requests);
});

withGroff("groff has no complaint", () => {
  for (const text of texts) {
    const { stderr } = spawnSync("groff", ["-man", "-Tutf8", "-ww", "-z"], { input: text, encoding: "utf8" });
    assert.is(stderr, "");
  }
});

pages.run();
