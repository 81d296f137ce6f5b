/**
 * Scripts: what `#!` names, as the kernel and env(1) read it, and which commands a shell script seems to call.
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
];

export function isShell(interpreter: string): boolean {
  return /^(ba|da|a|k|z|mk)?sh$/.test(basename(interpreter));
}

/** A command follows these. */
const BEFORE_COMMANDS = new Set(["if", "then", "else", "elif", "while", "until", "do", "!", "exec", "command", "time"]);
// biome-ignore format: a list of words
const NOT_COMMANDS = new Set([
  "if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac", "in", "function", "select", "time", "{", "}", "!", "[[", "]]",
  ":", ".", "[", "alias", "bg", "break", "builtin", "cd", "command", "compgen", "complete", "continue", "declare", "dirs", "echo", "eval", "exec", "exit",
  "export", "false", "fg", "getopts", "hash", "help", "history", "jobs", "kill", "let", "local", "mapfile", "popd", "printf", "pushd", "pwd", "read",
  "readonly", "return", "set", "shift", "shopt", "source", "test", "times", "trap", "true", "type", "typeset", "ulimit", "umask", "unalias", "unset", "wait",
]);

/** Words in the place of a command: a guess, for suggestions only. */
export function commandsOf(text: string): string[] {
  const functions = new Set([...text.matchAll(/^\s*(?:function\s+)?([\w-]+)\s*\(\)/gm)].map(([, name]) => name));
  const code = text
    .replaceAll(/\\\n/g, " ")
    .replaceAll(/<<-?\s*(['"]?)(\w+)\1[^\n]*\n[\s\S]*?\n\s*\2\b/g, "\n")
    // Before quotations: there are apostrophes in comments.
    .replaceAll(/(^|\s)#.*$/gm, "$1")
    .replaceAll(/'[^']*'/g, "''")
    // Patterns of case.
    .replaceAll(/^\s*\(?[^()\s]+(\s*\|\s*[^()\s]+)*\)/gm, "");
  const found = new Set<string>();
  for (const part of code.split(/[\n;&|(){}`]|\$\(/)) {
    const word = part
      .trim()
      .split(/\s+/)
      .find((each) => !BEFORE_COMMANDS.has(each) && !/^\w+=/.test(each));
    if (word !== undefined && /^[/a-z][\w./+-]*$/i.test(word) && !NOT_COMMANDS.has(word) && !functions.has(word))
      found.add(word);
  }
  return [...found].sort();
}
