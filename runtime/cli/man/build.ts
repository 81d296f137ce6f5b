/**
 * Build tool: writes the man pages, reg.8 and reg-COMMAND.8, and the completion scripts for shells.
 * Usage: node dist/runtime/cli/man/build.js [DIRECTORY]; default: dist, with man/ and completion/ in it.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadAll } from "../command.ts";
import { bash, fish, zsh } from "../completion.ts";
import { COMMANDS } from "../registry.ts";
import { commandPage, overviewPage, shimPage } from "./pages.ts";

const directory = process.argv[2] ?? fileURLToPath(new URL("../../..", import.meta.url));
const man = join(directory, "man");
const completion = join(directory, "completion");
mkdirSync(man, { recursive: true });
mkdirSync(completion, { recursive: true });
const commands = await loadAll(COMMANDS);
writeFileSync(join(man, "reg.8"), overviewPage(commands));
writeFileSync(join(man, "containerd-shim-reg-v2.8"), shimPage());
for (const command of commands) writeFileSync(join(man, `reg-${command.name}.8`), commandPage(command));
for (const [shell, script] of Object.entries({ bash, zsh, fish }))
  writeFileSync(join(completion, `reg.${shell}`), script(commands));
