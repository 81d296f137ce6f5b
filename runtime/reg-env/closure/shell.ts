/**
 * Which commands a shell script seems to call: a guess, for suggestions only. One pass over the text, whatever it holds; nothing is expanded.
 * Source: POSIX.1-2024, XCU 2 "Shell Command Language"; bash(1) for `[[`, `((`, `<<<` and `function`.
 */

/** Reserved words and built-in utilities: no program is looked for. */
// biome-ignore format: a list of words
const NOT_COMMANDS = new Set([
  "if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac", "in", "function", "select", "time", "{", "}", "!", "[[", "]]",
  ":", ".", "[", "alias", "bg", "break", "builtin", "cd", "command", "compgen", "complete", "continue", "declare", "dirs", "echo", "eval", "exec", "exit",
  "export", "false", "fg", "getopts", "hash", "help", "history", "jobs", "kill", "let", "local", "mapfile", "popd", "printf", "pushd", "pwd", "read",
  "readonly", "return", "set", "shift", "shopt", "source", "test", "times", "trap", "true", "type", "typeset", "ulimit", "umask", "unalias", "unset", "wait",
]);

/** A command follows these. */
const BEFORE_COMMANDS = new Set(["if", "then", "else", "elif", "while", "until", "do", "!", "{", "time"]);

/** Programs that run another one: how many words stand before it, and which options take a word of their own. */
const RUNNERS: ReadonlyMap<string, { readonly skip: number; readonly valued: RegExp }> = new Map([
  ["env", { skip: 0, valued: /^(-u|-C|--unset|--chdir)$/ }],
  ["sudo", { skip: 0, valued: /^-[ugphCDRTU]$/ }],
  ["doas", { skip: 0, valued: /^-[uC]$/ }],
  ["xargs", { skip: 0, valued: /^-[InPLsdEa]$/ }],
  ["nice", { skip: 0, valued: /^-n$/ }],
  ["nohup", { skip: 0, valued: /^$/ }],
  ["setsid", { skip: 0, valued: /^$/ }],
  ["timeout", { skip: 1, valued: /^-[sk]$/ }],
  ["stdbuf", { skip: 0, valued: /^-[ioe]$/ }],
  ["chroot", { skip: 1, valued: /^$/ }],
  ["flock", { skip: 1, valued: /^-[wE]$/ }],
  ["exec", { skip: 0, valued: /^-a$/ }],
  ["command", { skip: 0, valued: /^$/ }],
]);

const FIND_ACTIONS = new Set(["-exec", "-execdir", "-ok", "-okdir"]);

const LONGEST_EXPANSION = 1000;

/** What the next word is. */
type Expected = "command" | "argument" | "pattern" | "function name" | "target of a redirection";

/** A list of commands: the script, or what is in `$( )`, `( )` or backquotes, up to `end`. */
interface List {
  readonly end: "" | ")" | "`" | "))";
  /** It is in a string with double quotes, to which the scanner comes back. */
  readonly quoted: boolean;
  /** The word that it is a part of. */
  word: Word | undefined;
  expected: Expected;
  /** What follows the target of a redirection. */
  afterTarget: Expected;
  /** The words of an array, or an arithmetic expression: no commands. */
  readonly inert: boolean;
  runner: { skip: number; readonly valued: RegExp } | undefined;
  finds: boolean;
  /** `case` whose `in` is awaited, and how many are open. */
  awaitsIn: boolean;
  cases: number;
  /** In `[[ ]]`, where `&&` and `(` are operators. */
  inTest: boolean;
}

interface Word {
  text: string;
  /** No expansion and no quotation in it. */
  plain: boolean;
}

interface HereDocument {
  readonly delimiter: string;
  readonly stripsTabs: boolean;
}

/** Names and paths in the place of a command, sorted. Linear in the length of the text. */
export function commandsOf(text: string): string[] {
  return new Scanner(text).commands();
}

class Scanner {
  readonly #text: string;
  #at = 0;
  #list: List = newList("", false, undefined);
  readonly #outer: List[] = [];
  /** Those that were announced on this line; their text follows it. */
  #hereDocuments: HereDocument[] = [];
  #awaitsDelimiter: { readonly stripsTabs: boolean } | undefined;
  readonly #found = new Set<string>();
  readonly #functions = new Set<string>();

  constructor(text: string) {
    this.#text = text;
  }

  commands(): string[] {
    while (this.#at < this.#text.length) this.#step();
    this.#endWord();
    return [...this.#found].filter((name) => !this.#functions.has(name)).sort();
  }

  get #word(): Word {
    this.#list.word ??= { text: "", plain: true };
    return this.#list.word;
  }

  #step(): void {
    const { word, end, expected } = this.#list;
    const next = this.#text[this.#at] ?? "";
    const two = this.#text.slice(this.#at, this.#at + 2);
    if (next === "\\") this.#escape();
    else if (next === "'") this.#singleQuotes();
    else if (next === '"') this.#doubleQuotes(this.#at + 1);
    else if (two === "$(" || next === "`" || two === "<(" || two === ">(") this.#substitution(next, two, false);
    else if (next === "$") this.#expansion(two);
    else if (next === "#" && word === undefined) this.#comment();
    else if (end === "))" && two === "))") this.#leave(2);
    else if (next === ")" && expected === "pattern") this.#endPattern();
    else if (next === ")" && (end === ")" || end === "))")) this.#leave(1);
    else if (next === "(") this.#parenthesis(two);
    else if (next === "<" || next === ">") this.#redirection();
    else if (next === "\n" || next === ";" || next === "&" || next === "|" || next === ")") this.#operator(next);
    else if (next === " " || next === "\t" || next === "\r") this.#blank();
    else this.#append(1);
  }

  #blank(): void {
    this.#endWord();
    this.#at += 1;
  }

  #endPattern(): void {
    this.#endWord();
    this.#list.expected = "command";
    this.#at += 1;
  }

  #append(length: number): void {
    this.#word.text += this.#text.slice(this.#at, this.#at + length);
    this.#at += length;
  }

  /** A backslash: the next character is one of the word; before a newline it is nothing. */
  #escape(): void {
    const next = this.#text[this.#at + 1];
    if (next !== "\n" && next !== undefined) this.#word.text += next;
    this.#at += 2;
  }

  #singleQuotes(): void {
    const end = this.#text.indexOf("'", this.#at + 1);
    const last = end < 0 ? this.#text.length : end;
    this.#word.text += this.#text.slice(this.#at + 1, last);
    this.#at = last + 1;
  }

  /** From within a string with double quotes to its end, or to a command in it. */
  #doubleQuotes(from: number): void {
    const word = this.#word;
    for (this.#at = from; this.#at < this.#text.length; ) {
      const next = this.#text[this.#at] ?? "";
      const two = this.#text.slice(this.#at, this.#at + 2);
      if (next === '"') {
        this.#at += 1;
        return;
      }
      if (two === "$(" || next === "`") {
        // Not the end of backquotes that the string is in.
        if (next === "$" || this.#list.end !== "`") this.#substitution(next, two, true);
        return;
      }
      if (next === "$") word.plain = false;
      if (next === "\\") this.#at += 1;
      word.text += this.#text[this.#at] ?? "";
      this.#at += 1;
    }
  }

  /** A parameter. Of `${...}` nothing is looked at but where it ends, in the same line and not far. */
  #expansion(two: string): void {
    this.#word.plain = false;
    const braces = two === "${" ? /^[^}\n]*\}/.exec(this.#text.slice(this.#at, this.#at + LONGEST_EXPANSION)) : null;
    this.#append(braces === null ? 2 : braces[0].length);
  }

  #comment(): void {
    const end = this.#text.indexOf("\n", this.#at);
    this.#at = end < 0 ? this.#text.length : end;
  }

  /** `$(`, a backquote, `<(` or `>(`: a list of its own, after which the word goes on. */
  #substitution(next: string, two: string, quoted: boolean): void {
    const ends = next === "`" && this.#list.end === "`";
    if (!ends) this.#word.plain = false;
    if (ends) this.#leave(1);
    else if (next === "`") this.#enter("`", quoted, 1);
    else if (two === "$(" && this.#text[this.#at + 2] === "(") this.#enter("))", quoted, 3);
    else this.#enter(")", quoted, 2);
  }

  #enter(end: List["end"], quoted: boolean, length: number, inert = end === "))"): void {
    this.#outer.push(this.#list);
    this.#list = { ...newList(end, quoted, undefined), inert };
    this.#at += length;
  }

  #leave(length: number): void {
    this.#endWord();
    const { quoted } = this.#list;
    this.#list = this.#outer.pop() ?? newList("", false, undefined);
    this.#at += length;
    if (quoted) this.#doubleQuotes(this.#at);
  }

  #parenthesis(two: string): void {
    const { word, inert, expected, inTest } = this.#list;
    if (inert || word?.text.endsWith("="))
      this.#enter(")", false, 1, true); // of an expression, or an array
    else if (expected === "pattern" || inTest) this.#blank();
    else if (word !== undefined && expected === "command") this.#functionName(word);
    else {
      this.#endWord();
      this.#enter(two === "((" ? "))" : ")", false, two === "((" ? 2 : 1);
    }
  }

  /** `name()` */
  #functionName({ text }: Word): void {
    this.#functions.add(text);
    this.#list.word = undefined;
    const end = this.#text.indexOf(")", this.#at);
    this.#at = end < 0 ? this.#text.length : end + 1;
  }

  #redirection(): void {
    const list = this.#list;
    if (list.inert || list.inTest) {
      this.#append(1);
      return;
    }
    if (list.word !== undefined && /^\d+$/.test(list.word.text)) list.word = undefined; // 2>
    this.#endWord();
    const operator = /^(<<<|<<-?|<>|>>|>\||[<>]&|[<>])/.exec(this.#text.slice(this.#at, this.#at + 3))?.[0] ?? ">";
    this.#at += operator.length;
    if (operator === "<<" || operator === "<<-") this.#awaitsDelimiter = { stripsTabs: operator === "<<-" };
    if (list.expected !== "target of a redirection") list.afterTarget = list.expected;
    list.expected = "target of a redirection";
  }

  #operator(next: string): void {
    this.#endWord();
    const list = this.#list;
    this.#at += 1;
    if (next === "&" && this.#text[this.#at] === ">") {
      this.#redirection(); // &>
      return;
    }
    if (list.inTest || list.expected === "pattern") {
      if (next === "\n") this.#skipHereDocuments();
      return;
    }
    if (next === ";" && (this.#text[this.#at] === ";" || this.#text[this.#at] === "&") && list.cases > 0) {
      while (this.#text[this.#at] === ";" || this.#text[this.#at] === "&") this.#at += 1;
      list.expected = "pattern";
      return;
    }
    if (!list.inert && !list.awaitsIn) list.expected = "command";
    list.runner = undefined;
    list.finds = false;
    if (next === "\n") this.#skipHereDocuments();
  }

  #skipHereDocuments(): void {
    for (const { delimiter, stripsTabs } of this.#hereDocuments)
      while (this.#at < this.#text.length) {
        const end = this.#text.indexOf("\n", this.#at);
        const last = end < 0 ? this.#text.length : end;
        const line = this.#text.slice(this.#at, last);
        this.#at = last + 1;
        if ((stripsTabs ? line.replace(/^\t+/, "") : line) === delimiter) break;
      }
    this.#hereDocuments = [];
  }

  #endWord(): void {
    const list = this.#list;
    const { word } = list;
    if (word === undefined) return;
    list.word = undefined;
    if (this.#awaitsDelimiter !== undefined) {
      this.#hereDocuments.push({ delimiter: word.text, stripsTabs: this.#awaitsDelimiter.stripsTabs });
      this.#awaitsDelimiter = undefined;
    }
    if (list.inert) return;
    if (list.inTest) {
      if (word.text === "]]") list.inTest = false;
      return;
    }
    switch (list.expected) {
      case "target of a redirection":
        list.expected = list.afterTarget;
        return;
      case "function name":
        this.#functions.add(word.text);
        list.expected = "command";
        return;
      case "pattern":
        if (word.text === "esac" && word.plain) {
          list.cases -= 1;
          list.expected = "argument";
        }
        return;
      case "argument":
        this.#argument(word);
        return;
      default:
        this.#command(word);
    }
  }

  #argument({ text }: Word): void {
    const list = this.#list;
    if (list.awaitsIn && text === "in") {
      list.awaitsIn = false;
      list.cases += 1;
      list.expected = "pattern";
    } else if (list.finds && FIND_ACTIONS.has(text)) list.expected = "command";
  }

  #command(word: Word): void {
    const list = this.#list;
    const { text } = word;
    if (list.runner !== undefined && this.#belongsToRunner(text, list.runner)) return;
    if (/^\w+\+?=/.test(text)) return;
    list.runner = undefined;
    if (BEFORE_COMMANDS.has(text)) return;
    if (text === "esac" && list.cases > 0) list.cases -= 1;
    list.expected = text === "function" ? "function name" : "argument";
    list.awaitsIn = text === "case";
    list.inTest = text === "[[";
    const runner = word.plain ? RUNNERS.get(text.slice(text.lastIndexOf("/") + 1)) : undefined;
    if (runner !== undefined) {
      list.runner = { ...runner };
      list.expected = "command";
    }
    list.finds ||= word.plain && /(^|\/)find$/.test(text);
    if (word.plain && /^[/a-z][\w./+-]*$/i.test(text) && !NOT_COMMANDS.has(text)) this.#found.add(text);
  }

  /** Whether a word is an option of a program that runs another, or stands before that one's name. */
  #belongsToRunner(text: string, runner: { skip: number; readonly valued: RegExp }): boolean {
    if (runner.valued.test(text)) {
      this.#list.afterTarget = "command"; // its value is passed over as a redirection's is
      this.#list.expected = "target of a redirection";
      return true;
    }
    if (text.startsWith("-") || /^\w+=/.test(text)) return true;
    if (runner.skip === 0) return false;
    runner.skip -= 1;
    return true;
  }
}

function newList(end: List["end"], quoted: boolean, word: Word | undefined): List {
  return {
    end,
    quoted,
    word,
    expected: "command",
    afterTarget: "command",
    inert: false,
    runner: undefined,
    finds: false,
    awaitsIn: false,
    cases: 0,
    inTest: false,
  };
}
