/** Build step: writes the shim's C table of functions from runtime/libc/table.ts. Usage: node table.js OUTPUT */
import { writeFileSync } from "node:fs";
import type { CType } from "../runtime/host/host.ts";
import { LIBC, LIBSECCOMP } from "../runtime/libc/table.ts";

// One letter for each type, read by ffi.c. A result of `ulong` is told apart because it must not be sign-extended.
const LETTER: Record<CType, string> = {
  void: "v",
  int: "i",
  uint: "u",
  long: "l",
  ulong: "l",
  string: "s",
  pointer: "p",
};

const entries = Object.entries({ ...LIBC, ...LIBSECCOMP }).map(([name, [result, parameters]]) => {
  const letters = parameters.map((type: CType) => LETTER[type]).join("");
  return { name, types: (result as CType) === "ulong" ? `L${letters}` : `${LETTER[result]}${letters}` };
});

writeFileSync(
  process.argv[2] ?? "libc-table.h",
  `/* Generated from runtime/libc/table.ts. */
${entries.map(({ name }) => `extern void symbol_${name}(void) __asm__("${name}");`).join("\n")}

static const struct function functions[] = {
${entries.map(({ name, types }) => `    {"${name}", symbol_${name}, "${types}"},`).join("\n")}
};

#define FUNCTIONS \\
${entries.map(({ name }, index) => `    FUNCTION(${index}, "${name}")`).join(" \\\n")}
`,
);
