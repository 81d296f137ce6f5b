/** Build tool: writes reg.8 and reg-COMMAND.8. Usage: node dist/runtime/cli/man/build.js [DIRECTORY]; default: dist/man. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadAll } from "../command.ts";
import { COMMANDS } from "../registry.ts";
import { commandPage, overviewPage } from "./pages.ts";

const directory = process.argv[2] ?? fileURLToPath(new URL("../../../man", import.meta.url));
mkdirSync(directory, { recursive: true });
const commands = await loadAll(COMMANDS);
writeFileSync(join(directory, "reg.8"), overviewPage(commands));
for (const command of commands) writeFileSync(join(directory, `reg-${command.name}.8`), commandPage(command));
