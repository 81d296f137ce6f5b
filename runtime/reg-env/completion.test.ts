import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { findProgram, needs, program } from "../../conformance/testing.ts";
import { bash, fish, zsh } from "../cli/completion.ts";
import { COMMANDS } from "./commands.ts";
import { completionTables, PROGRAM } from "./completion.ts";

const completion = suite("completion of reg-env");
const withZsh = needs(completion, program("zsh"));
const withFish = needs(completion, program("fish"));
const tables = completionTables();

/** What bash offers for a line whose last word is being typed. */
function offers(line: string): string[] {
  const words = line.split(" ");
  const script = `${bash(tables, PROGRAM)}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}) COMP_CWORD=${words.length - 1}
_reg_env
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync(findProgram("bash") ?? "bash", ["--norc"], { input: script, encoding: "utf8" });
  assert.is(stderr, "");
  return stdout.split("\n").filter(Boolean);
}

completion("every command is there, with the options that yargs knows", () => {
  assert.equal(
    tables.map(({ name }) => name),
    COMMANDS.map(({ command }) => String(command).split(" ")[0]),
  );
  const generate = tables.find(({ name }) => name === "generate");
  assert.equal(generate?.options.preset?.type, "string");
  assert.equal(generate?.options.replace?.type, "boolean");
  assert.not(Object.hasOwn(generate?.options ?? {}, "environment"), "what has no dashes is no option");
  for (const { name, options } of tables)
    for (const [option, { describe }] of Object.entries(options)) assert.ok(describe !== "", `${name} --${option}`);
});

completion("bash completes commands, options and choices", () => {
  assert.equal(offers("reg-env gen"), ["generate"]);
  assert.equal(offers("reg-env generate --pr"), ["--program", "--preset", "--probe"]);
  assert.equal(offers("reg-env run --network "), ["none", "host"]);
  assert.ok(offers("reg-env generate --root /us").includes("/usr"));
});

withZsh("the zsh script is well-formed", () => {
  assert.is(spawnSync("zsh", ["-n"], { input: zsh(tables, PROGRAM), encoding: "utf8" }).stderr, "");
});

withFish("the fish script is well-formed", () => {
  const folder = mkdtempSync(join(tmpdir(), "reg-fish-"));
  try {
    writeFileSync(join(folder, "reg-env.fish"), fish(tables, PROGRAM)); // fish takes no socket for its input
    assert.is(spawnSync("fish", ["-n", join(folder, "reg-env.fish")], { encoding: "utf8" }).stderr, "");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

completion.run();
