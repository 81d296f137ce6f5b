#!/usr/bin/env node
/** reg-env: makes environments for the Reg extension, and looks after the store that they share. */
import { formatError } from "./output.ts";
import { makeParser } from "./parser.ts";

// Whoever reads what we print may have read enough: `reg-env list | head -1`.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit();
});

const columns = process.stdout.isTTY ? Math.min(process.stdout.columns, 120) : 100;
try {
  await makeParser(process.argv.slice(2), columns).parseAsync();
} catch (error) {
  process.stderr.write(`reg-env: ${formatError(error)}\n`);
  process.exitCode = 1;
}
