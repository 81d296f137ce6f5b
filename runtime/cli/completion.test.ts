import { execFileSync } from "node:child_process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { findProgram, needs, program } from "../../conformance/testing.ts";
import { loadAll } from "./command.ts";
import { bash, fish, zsh } from "./completion.ts";
import { COMMANDS } from "./registry.ts";

const completion = suite("completion");
const withBash = needs(completion, program("bash"));
const withZsh = needs(completion, program("zsh"));
const commands = await loadAll(COMMANDS);

/** What bash offers for a line whose last word is being typed. `reg` is a function that plays the runtime. */
function offers(line: string): string[] {
  const words = line.split(" ");
  const script = `
reg() { echo "web1"; echo "web2 $*" | grep root; }
${bash(commands)}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}) COMP_CWORD=${words.length - 1}
_reg
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const output = execFileSync(findProgram("bash") ?? "bash", ["--norc"], { input: script, encoding: "utf8" });
  return output.split("\n").filter(Boolean);
}

withBash("commands", () => assert.equal(offers("reg sta"), ["start", "state"]));
withBash("commands behind global options", () => assert.equal(offers("reg --root /x --debug ki"), ["kill"]));
withBash("options of a command", () => assert.equal(offers("reg kill --r"), ["--regex"]));
withBash("containers", () => assert.equal(offers("reg kill w"), ["web1"]));
withBash("containers below the root that was given", () => assert.ok(offers("reg --root /x kill w").includes("web2")));
withBash("no containers where a new one is named", () => assert.equal(offers("reg create w"), []));
withBash("choices", () => assert.equal(offers("reg list --format "), ["table", "json"]));
withBash("folders", () => assert.ok(offers("reg create --bundle /us").includes("/usr")));
withBash("shells", () => assert.equal(offers("reg completion z"), ["zsh"]));

withZsh("the zsh script is well-formed", () => {
  execFileSync("zsh", ["-n"], { input: zsh(commands) });
});

completion("the zsh and fish scripts have every command and option", () => {
  for (const { name, options } of commands) {
    assert.match(zsh(commands), `'${name}:`);
    assert.match(fish(commands), ` -a ${name} -d `);
    for (const [option, { hidden }] of Object.entries(options)) {
      if (hidden === true) continue;
      assert.match(zsh(commands), `'--${option}[`);
      assert.match(fish(commands), ` -l ${option} `);
    }
  }
});

completion.run();
