/**
 * Scripts: what `#!` names, as the kernel and env(1) read it.
 * Source: execve(2), kernel fs/binfmt_script.c, env(1).
 */
import { closeSync, openSync, readSync } from "node:fs";
import { basename } from "node:path";

export interface Script {
  /** The path after `#!`. */
  readonly interpreter: string;
  /** What env(1) is asked to find in PATH, when the interpreter is env. */
  readonly program?: string;
}

/** BINPRM_BUF_SIZE: the kernel reads no further. */
const HEAD_SIZE = 256;

/** The first bytes of a file, enough to tell what it is. */
export function readHead(path: string): Buffer {
  const fd = openSync(path, "r");
  try {
    const head = Buffer.alloc(HEAD_SIZE);
    return head.subarray(0, readSync(fd, head, 0, HEAD_SIZE, 0));
  } finally {
    closeSync(fd);
  }
}

export function isElf(head: Buffer): boolean {
  return head.length >= 52 && head.toString("latin1", 0, 4) === "\x7fELF";
}

/** undefined when the file does not begin with `#!` and a path. */
export function parseScript(head: Buffer): Script | undefined {
  if (head.toString("latin1", 0, 2) !== "#!") return undefined;
  const [line = ""] = head.toString("utf8", 2).split(/[\n\0]/);
  const found = /^[ \t]*([^ \t]+)[ \t]*(.*?)[ \t]*$/.exec(line);
  const interpreter = found?.[1];
  if (interpreter === undefined) return undefined;
  // The kernel hands all that follows over as one argument.
  const argument = found?.[2] ?? "";
  if (basename(interpreter) !== "env" || argument === "") return { interpreter };
  const program = programOfEnv(argument);
  return program === undefined ? { interpreter } : { interpreter, program };
}

/** `python3`, `-S python3 -u`, `-S -i A=b --unset=C perl -w`. */
function programOfEnv(argument: string): string | undefined {
  const split = /^(?:-[iv0]*S|--split-string[= ])\s*(.*)$/.exec(argument);
  // Without -S the argument is one word, spaces and all.
  const words = split === null ? [argument] : splitWords(split[1] ?? "");
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? "";
    if (/^(-u|-C|--unset|--chdir)$/.test(word)) index += 1;
    else if (!word.startsWith("-") && !/^\w+=/.test(word)) return word;
  }
  return undefined;
}

function splitWords(text: string): string[] {
  return [...text.matchAll(/"((?:\\.|[^"\\])*)"|'([^']*)'|(\S+)/g)].map(
    ([, double, single, plain]) => double ?? single ?? plain ?? "",
  );
}

/** Which program runs a file that says so by its name only. */
export const BY_EXTENSION: readonly (readonly [extension: RegExp, program: string])[] = [
  [/\.(c|m)?js$/, "node"],
  [/\.py$/, "python3"],
  [/\.pl$/, "perl"],
  [/\.sh$/, "sh"],
  [/\.rb$/, "ruby"],
  [/\.php$/, "php"],
  [/\.lua$/, "lua"],
  [/\.jar$/, "java"],
];

export function isShell(interpreter: string): boolean {
  return /^(ba|da|a|k|z|mk|fi|c|tc)?sh$/.test(basename(interpreter));
}
